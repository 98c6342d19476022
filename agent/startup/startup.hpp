// What the agent does with its own process and host before it serves anybody.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::agent {

// Takes the lock file in `directory`, for as long as the descriptor is open. Busy names the directory when another
// agent has it.
Result<kernel::Fd> lockDirectory(const std::string& directory);

// `configured`, or without it the program `name` in the directory of this one. NotFound or PermissionDenied when it
// cannot be run.
Result<std::string> findProgram(const std::optional<std::string>& configured, const std::string& name);

// The host, as "registry.example:5000", and whether plain http was asked for.
struct RegistryAddress {
  std::string host;
  bool insecure = false;
};
// Of "https://host[:port]", "http://host[:port]" or "host[:port]". InvalidArgument for a URL with a path.
Result<RegistryAddress> parseRegistry(std::string_view text);

// `configured`, or without it what the kernel says.
std::string hostName(const std::string& configured);

// RLIMIT_NOFILE, soft and hard.
struct DescriptorLimit {
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};
// Raises the soft limit on open descriptors to the hard one: a container costs the agent a few. Returns the limit as it
// was, for containers: programs that use select(2), or close every descriptor there may be, live badly with a high one.
// Nothing when it cannot be read.
std::optional<DescriptorLimit> raiseDescriptorLimit();

// Speaks to the service manager that started us (sd_notify(3)); does nothing when none did. Takes the socket's address
// out of the environment, so that no child of ours speaks to it.
class ServiceManager {
 public:
  ServiceManager();

  // "We serve", "we read our configuration again" (followed by ready()), "we are about to end"; `status` is shown by
  // systemctl.
  void ready(std::string_view status) const;
  void reloading() const;
  void stopping() const;

 private:
  void send(const std::string& text) const;

  std::string socket_;
};

}  // namespace gantry::agent
