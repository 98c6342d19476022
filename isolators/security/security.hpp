// Capabilities, the seccomp filter, no_new_privs, and which parts of /proc and /sys a container sees.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolators/isolator.hpp"

namespace gantry::isolators {

// What the agent itself may hand out.
struct SecurityHost {
  // Of the agent's bounding and permitted sets, as "CAP_CHOWN".
  std::vector<std::string> capabilities;
  // uname(2)'s machine.
  std::string machine;

  static Result<SecurityHost> detect();
};

struct SecuritySettings {
  // Whether a container may be privileged, or run without a seccomp filter.
  bool allowPrivileged = true;
  bool allowUnconfined = true;
  // What a container gets that does not ask (Mesos' --effective_capabilities); unset: Docker's fourteen.
  std::optional<std::vector<std::string>> effectiveCapabilities;
  // What no container goes beyond (Mesos' --bounding_capabilities); unset: all the agent has.
  std::optional<std::vector<std::string>> boundingCapabilities;
};

// The capabilities that Docker leaves to a container.
const std::vector<std::string>& dockerCapabilities();

// By default a container has Docker's fourteen capabilities, Docker's seccomp profile for those, no_new_privs, and
// /proc and /sys with Docker's masked and read-only paths.
//
// Capabilities that are asked for by name become the effective, permitted, inheritable and ambient sets, so that
// programs of other users than root keep them (Mesos' rule); otherwise the inheritable and ambient sets are empty.
// Defaults are cut to what the agent holds; a capability asked for by name that the agent lacks is refused.
//
// A privileged container has all capabilities of the agent, no filter, no masks, and the host's device nodes. Makes
// nothing outside of the bundle.
class SecurityIsolator final : public Isolator {
 public:
  SecurityIsolator(SecurityHost host, SecuritySettings settings)
      : host_(std::move(host)), settings_(std::move(settings)) {}

  std::string_view name() const override { return "security"; }
  bool needsImage() const override { return false; }
  Result<void> check(const ContainerRequest& request) const override;
  async::Task<Result<Contribution>> prepare(ContainerPtr container) override;
  async::Task<Result<void>> cleanup(ContainerPtr container) override;

  // The contribution for a request that check() let pass; pure but for a privileged container's devices.
  Contribution contribute(const ContainerRequest& request) const;
  // Default capabilities that containers go without because the agent does not have them.
  std::vector<std::string> withheld() const;

 private:
  const std::vector<std::string>& ceiling() const;
  oci::Capabilities capabilitiesFor(const Security& security) const;

  const SecurityHost host_;
  const SecuritySettings settings_;
};

}  // namespace gantry::isolators
