// The options of one mount (runtime-spec, config.md, "Mounts") as what the kernel calls take.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace gantry::runtime {

struct MountOptions {
  // MOUNT_ATTR_* for the mount itself, and for what is mounted below it ("rro", "rnosuid", …).
  std::uint64_t set = 0;
  std::uint64_t clear = 0;
  std::uint64_t recursiveSet = 0;
  std::uint64_t recursiveClear = 0;
  // MS_PRIVATE, MS_SHARED, MS_SLAVE or MS_UNBINDABLE; 0: not asked for.
  std::uint64_t propagation = 0;
  bool recursivePropagation = false;
  bool bind = false;
  bool recursiveBind = false;
  // "tmpcopyup": a new tmpfs starts with what the directory below it holds.
  bool copyUp = false;
  // "idmap" or "ridmap": with the mount's own mappings.
  bool idmap = false;
  bool recursiveIdmap = false;
  // What the file system is told, in order; an option without '=' has no value.
  std::vector<std::pair<std::string, std::string>> data;

  bool operator==(const MountOptions&) const = default;
};

// Unknown words go to the file system as data. InvalidArgument for two different propagations.
Result<MountOptions> parseMountOptions(const std::vector<std::string>& options);
// The words that are not data, for `features`.
std::vector<std::string> knownMountOptions();

// linux.rootfsPropagation as MS_* flags with MS_REC; 0 for an empty word.
Result<unsigned long> parsePropagation(const std::string& word);

}  // namespace gantry::runtime
