#include "runtime/mount_options.hpp"

#include <sys/mount.h>

#include <array>
#include <string_view>

#include <fmt/format.h>

namespace gantry::runtime {
namespace {

struct Attribute {
  std::string_view word;
  std::uint64_t set;
  std::uint64_t clear;
};

// Each also exists with an "r" in front, for the whole tree. The atime modes are one field of which all bits are
// cleared before one is set (mount_setattr(2)).
constexpr std::array<Attribute, 18> kAttributes{{
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"norelatime", 0, MOUNT_ATTR__ATIME},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"atime", 0, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"nostrictatime", 0, MOUNT_ATTR__ATIME},
}};

struct Propagation {
  std::string_view word;
  std::uint64_t flag;
};

constexpr std::array<Propagation, 4> kPropagations{{
    {"private", MS_PRIVATE},
    {"shared", MS_SHARED},
    {"slave", MS_SLAVE},
    {"unbindable", MS_UNBINDABLE},
}};

const Attribute* findAttribute(std::string_view word) {
  for (const Attribute& attribute : kAttributes) {
    if (attribute.word == word) return &attribute;
  }
  return nullptr;
}

std::uint64_t findPropagation(std::string_view word) {
  for (const Propagation& propagation : kPropagations) {
    if (propagation.word == word) return propagation.flag;
  }
  return 0;
}

// A later word wins over an earlier one: "ro,rw" is "rw".
void apply(const Attribute& attribute, std::uint64_t& set, std::uint64_t& clear) {
  set = (set & ~attribute.clear) | attribute.set;
  clear = (clear & ~attribute.set) | attribute.clear;
}

bool readAttribute(std::string_view word, MountOptions& into) {
  if (const Attribute* const plain = findAttribute(word)) {
    apply(*plain, into.set, into.clear);
    return true;
  }
  if (!word.starts_with('r')) return false;
  const Attribute* const recursive = findAttribute(word.substr(1));
  if (recursive == nullptr) return false;
  apply(*recursive, into.recursiveSet, into.recursiveClear);
  return true;
}

Result<bool> readPropagation(std::string_view word, MountOptions& into) {
  std::uint64_t flag = findPropagation(word);
  const bool recursive = flag == 0 && word.starts_with('r');
  if (recursive) flag = findPropagation(word.substr(1));
  if (flag == 0) return false;
  if (into.propagation != 0 && into.propagation != flag) {
    return Error(Code::InvalidArgument, fmt::format("'{}' contradicts an earlier propagation", word));
  }
  into.propagation = flag;
  into.recursivePropagation = into.recursivePropagation || recursive;
  return true;
}

bool readSwitch(std::string_view word, MountOptions& into) {
  if (word == "bind") {
    into.bind = true;
  } else if (word == "rbind") {
    into.bind = into.recursiveBind = true;
  } else if (word == "tmpcopyup") {
    into.copyUp = true;
  } else if (word == "idmap") {
    into.idmap = true;
  } else if (word == "ridmap") {
    into.idmap = into.recursiveIdmap = true;
  } else {
    // Said for completeness' sake; these are what happens anyway.
    return word == "defaults" || word == "async" || word == "nomand" || word == "loud" || word == "noiversion";
  }
  return true;
}

}  // namespace

Result<MountOptions> parseMountOptions(const std::vector<std::string>& options) {
  MountOptions parsed;
  for (const std::string& option : options) {
    if (option.empty() || readSwitch(option, parsed) || readAttribute(option, parsed)) continue;
    TRY(const bool isPropagation, readPropagation(option, parsed));
    if (isPropagation) continue;
    const auto equals = option.find('=');
    if (equals == std::string::npos) {
      parsed.data.emplace_back(option, "");
    } else {
      parsed.data.emplace_back(option.substr(0, equals), option.substr(equals + 1));
    }
  }
  return parsed;
}

std::vector<std::string> knownMountOptions() {
  std::vector<std::string> words{"async", "bind", "defaults", "idmap", "rbind", "ridmap", "tmpcopyup"};
  for (const Attribute& attribute : kAttributes) {
    words.emplace_back(attribute.word);
    words.push_back("r" + std::string(attribute.word));
  }
  for (const Propagation& propagation : kPropagations) {
    words.emplace_back(propagation.word);
    words.push_back("r" + std::string(propagation.word));
  }
  return words;
}

Result<unsigned long> parsePropagation(const std::string& word) {
  if (word.empty()) return 0UL;
  MountOptions parsed;
  TRY(const bool known, readPropagation(word, parsed));
  if (!known) {
    return Error::invalid("linux.rootfsPropagation", fmt::format("'{}' is not a mount propagation", word));
  }
  return static_cast<unsigned long>(parsed.propagation) |
         (parsed.recursivePropagation ? static_cast<unsigned long>(MS_REC) : 0UL);
}

}  // namespace gantry::runtime
