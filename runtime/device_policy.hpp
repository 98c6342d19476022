// linux.resources.devices as one default and its exceptions, which is all that the v1 devices controller can hold and
// what the eBPF program for cgroup v2 is made from, so that the same rules mean the same on both.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "oci/spec.hpp"

namespace gantry::runtime {

struct DevicePolicy {
  enum class Type { Character, Block };

  static constexpr unsigned kRead = 1;
  static constexpr unsigned kWrite = 2;
  static constexpr unsigned kMknod = 4;
  static constexpr unsigned kAll = kRead | kWrite | kMknod;

  struct Exception {
    Type type = Type::Character;
    // Unset: any.
    std::optional<std::uint32_t> major;
    std::optional<std::uint32_t> minor;
    unsigned access = 0;

    bool operator==(const Exception&) const = default;
  };

  // What holds for a device that no exception names. Exceptions then all say the opposite.
  bool allowByDefault = false;
  std::vector<Exception> exceptions;

  // Applies the rules in order to "nothing is allowed"; a later rule wins over an earlier one. InvalidArgument names
  // the rule ("linux.resources.devices[2]: …") when a member is wrong, or when a rule takes back a part of what a wider
  // one said before, which one default and its exceptions cannot express.
  static Result<DevicePolicy> fromRules(const std::vector<oci::DeviceRule>& rules);

  // Access is granted when one exception covers all of it (allowByDefault: refused when one touches any of it), as in
  // the kernel's security/device_cgroup.c.
  bool allows(Type type, std::uint32_t major, std::uint32_t minor, unsigned access) const;

  bool operator==(const DevicePolicy&) const = default;
};

// What every container may use whatever its rules say (runtime-spec, config-linux.md, "Default Devices"): the default
// devices, pseudo-terminals, and making any node.
const std::vector<oci::DeviceRule>& defaultDeviceRules();

// "c 1:3 rwm", as v1 devices.allow and devices.deny take it.
std::string toString(const DevicePolicy::Exception& exception);

}  // namespace gantry::runtime
