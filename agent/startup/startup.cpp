#include "agent/startup/startup.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <cerrno>
#include <cstdlib>
#include <ctime>

#include <fmt/format.h>

#include "base/log.hpp"
#include "kernel/file.hpp"
#include "kernel/node.hpp"
#include "kernel/socket.hpp"

namespace gantry::agent {
namespace {

Result<std::string> directoryOfThisProgram() {
  TRY(const std::string path, kernel::readLink("/proc/self/exe"));
  return path.substr(0, path.rfind('/'));
}

}  // namespace

Result<kernel::Fd> lockDirectory(const std::string& directory) {
  TRY(kernel::Fd file, kernel::open(directory + "/lock", O_RDWR | O_CREAT, 0600));
  TRY(const bool taken, kernel::lockFile(file, kernel::Lock::Exclusive, false));
  if (!taken) return Error(Code::Busy, fmt::format("another agent uses '{}'", directory));
  return file;
}

Result<std::string> findProgram(const std::optional<std::string>& configured, const std::string& name) {
  std::string path;
  if (configured) {
    path = *configured;
  } else {
    TRY(const std::string directory, directoryOfThisProgram());
    path = directory + "/" + name;
  }
  if (::access(path.c_str(), X_OK) != 0) return Error::fromErrno(errno, fmt::format("run '{}'", path));
  return path;
}

Result<RegistryAddress> parseRegistry(std::string_view text) {
  constexpr std::string_view kSecure = "https://";
  constexpr std::string_view kPlain = "http://";
  RegistryAddress address;
  std::string_view rest = text;
  if (rest.starts_with(kSecure)) {
    rest.remove_prefix(kSecure.size());
  } else if (rest.starts_with(kPlain)) {
    rest.remove_prefix(kPlain.size());
    address.insecure = true;
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty() || rest.find_first_of("/?#@ ") != std::string_view::npos) {
    return Error(Code::InvalidArgument,
                 fmt::format("must be https://host[:port] or http://host[:port], not '{}'", text));
  }
  address.host = rest;
  return address;
}

std::string hostName(const std::string& configured) {
  if (!configured.empty()) return configured;
  utsname names{};
  ::uname(&names);
  return names.nodename;
}

std::optional<DescriptorLimit> raiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  const DescriptorLimit before{limit.rlim_cur, limit.rlim_max};
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) log::warning("the limit on open descriptors stays low");
  return before;
}

ServiceManager::ServiceManager() {
  const char* const socket = std::getenv("NOTIFY_SOCKET");
  if (socket != nullptr) socket_ = socket;
  ::unsetenv("NOTIFY_SOCKET");
}

void ServiceManager::ready(std::string_view status) const {
  send(fmt::format("READY=1\nSTATUS={}", status));
}

void ServiceManager::reloading() const {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1'000'000 + now.tv_nsec / 1'000));
}

void ServiceManager::stopping() const {
  send("STOPPING=1\nSTATUS=Stopping; containers go on");
}

void ServiceManager::send(const std::string& text) const {
  if (socket_.empty()) return;
  const auto sent = kernel::sendDatagram(socket_, text);
  if (!sent) log::warning("the service manager cannot be told", {{"reason", sent.error()}});
}

}  // namespace gantry::agent
