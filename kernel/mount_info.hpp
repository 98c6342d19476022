// What is mounted, as /proc/<pid>/mountinfo says it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::kernel {

// One line; proc(5) describes the fields.
struct MountEntry {
  int id = 0;
  int parent = 0;
  std::string root;        // the directory of the file system that is mounted here
  std::string mountPoint;  // as the reader sees it
  std::string options;     // of the mount: "ro,nosuid"
  bool shared = false;     // in a peer group
  std::string type;
  std::string source;
  std::string superOptions;  // of the file system: "rw,size=64k"
};

// In the order of the file: a mount comes after the one it is on. Malformed lines are Internal.
Result<std::vector<MountEntry>> parseMountInfo(std::string_view text);
// The mounts of our own mount namespace.
Result<std::vector<MountEntry>> readMountInfo();

// Whether a mount at `directory` holds `path`, by their texts: both are absolute and without a slash at the end.
bool isAtOrBelow(std::string_view path, std::string_view directory);

}  // namespace gantry::kernel
