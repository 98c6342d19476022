// Rules between members of a bundle's configuration, and between it and this kernel: what cannot be enforced is refused
// by name before anything is touched.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "oci/spec.hpp"

namespace gantry::runtime {

// What the running kernel offers, as far as rules depend on it.
struct HostFeatures {
  bool apparmor = false;
  bool selinux = false;

  static HostFeatures detect();
};

// InvalidArgument or Unsupported, naming the member. On success `spec` has root, process and linux.
Result<void> validate(const oci::Spec& spec, const HostFeatures& host);
// The part for a process alone, as `exec` gets one.
Result<void> validateProcess(const oci::Process& process, const HostFeatures& host);
// The type of the namespace that a sysctl belongs to, in runtime-spec's words; empty when it is the whole host's.
std::string_view sysctlNamespace(const std::string& key);
// Whether the key belongs to a namespace that the container has for itself.
Result<void> validateSysctl(const std::string& key, const oci::Linux& linux);

}  // namespace gantry::runtime
