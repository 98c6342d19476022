#include "agent/wire/container_info.hpp"

#include <agent/wire/mesos_v1.pb.h>

#include <limits>

#include "agent/wire/messages.hpp"

namespace gantry::agent::wire {
namespace {

using isolators::ContainerRequest;
using mesos::v1::ContainerInfo;
using mesos::v1::LinuxInfo;

Error unsupported(const std::string& field, std::string_view reason) {
  return Error(Code::Unsupported, std::string(field).append(": ").append(reason));
}

Result<void> readImage(const mesos::v1::Image& image, const std::string& field, ContainerRequest& into) {
  if (image.type() != mesos::v1::Image::DOCKER) {
    return unsupported(field + ".type", "only DOCKER images are supported");
  }
  if (image.has_appc()) return Error::invalid(field + ".appc", "does not fit the type DOCKER");
  if (!image.has_docker()) return Error::invalid(field + ".docker", "is required");
  if (image.docker().has_credential()) {
    return unsupported(field + ".docker.credential", "is not supported; the agent's own credentials are used");
  }
  if (image.docker().has_config()) {
    return unsupported(field + ".docker.config", "is not supported; the agent's own credentials are used");
  }
  if (image.docker().name().empty()) return Error::invalid(field + ".docker.name", "must not be empty");
  TRY_VOID(checkText(image.docker().name(), field + ".docker.name"));
  into.image = image.docker().name();
  into.useCachedImage = image.cached();
  return {};
}

Result<std::vector<std::string>> capabilitiesFrom(const mesos::v1::CapabilityInfo& message, const std::string& field) {
  std::vector<std::string> names;
  for (int i = 0; i < message.capabilities_size(); ++i) {
    const auto capability = message.capabilities(i);
    if (capability == mesos::v1::CapabilityInfo::UNKNOWN) {
      return Error::invalid(field + ".capabilities[" + std::to_string(i) + "]", "must name a capability");
    }
    names.push_back("CAP_" + mesos::v1::CapabilityInfo::Capability_Name(capability));
  }
  return names;
}

Result<void> readIpc(const LinuxInfo& info, const std::string& field, ContainerRequest& into) {
  if (info.ipc_mode() == LinuxInfo::SHARE_PARENT) into.security.shareIpcNamespace = true;
  if (!info.has_shm_size()) return {};
  if (info.ipc_mode() != LinuxInfo::PRIVATE) {
    return Error::invalid(field + ".shm_size", "needs the ipc_mode PRIVATE");
  }
  if (info.shm_size() == 0) return Error::invalid(field + ".shm_size", "must be greater than 0");
  into.shmSize = Bytes::mebi(info.shm_size());
  return {};
}

Result<void> readLinuxInfo(const LinuxInfo& info, const std::string& field, ContainerRequest& into) {
  if (info.has_capability_info() && info.has_effective_capabilities()) {
    return Error::invalid(field + ".capability_info", "excludes 'effective_capabilities'");
  }
  if (info.has_capability_info()) {
    TRY(into.security.effectiveCapabilities, capabilitiesFrom(info.capability_info(), field + ".capability_info"));
  }
  if (info.has_effective_capabilities()) {
    TRY(into.security.effectiveCapabilities,
        capabilitiesFrom(info.effective_capabilities(), field + ".effective_capabilities"));
  }
  if (info.has_bounding_capabilities()) {
    TRY(into.security.boundingCapabilities,
        capabilitiesFrom(info.bounding_capabilities(), field + ".bounding_capabilities"));
  }
  into.security.sharePidNamespace = info.share_pid_namespace();
  if (info.seccomp().has_profile_name()) {
    return unsupported(field + ".seccomp.profile_name", "profiles other than the default are not supported");
  }
  into.security.seccompUnconfined = info.seccomp().unconfined();
  if (info.has_share_cgroups() && info.share_cgroups()) {
    return Error::invalid(field + ".share_cgroups", "this container has no parent to share cgroups with");
  }
  return readIpc(info, field, into);
}

Result<void> readRlimits(const mesos::v1::RLimitInfo& info, const std::string& field, ContainerRequest& into) {
  constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();
  for (int i = 0; i < info.rlimits_size(); ++i) {
    const auto& message = info.rlimits(i);
    const std::string entry = field + ".rlimits[" + std::to_string(i) + "]";
    if (message.type() == mesos::v1::RLimitInfo::RLimit::UNKNOWN) {
      return Error::invalid(entry + ".type", "must name a limit");
    }
    if (message.has_hard() != message.has_soft()) {
      return Error::invalid(entry + (message.has_hard() ? ".soft" : ".hard"), "both or neither must be set");
    }
    if (message.soft() > message.hard()) return Error::invalid(entry + ".soft", "exceeds the hard limit");
    // "RLMT_NOFILE" to "RLIMIT_NOFILE".
    const std::string name = mesos::v1::RLimitInfo::RLimit::Type_Name(message.type());
    into.rlimits.push_back({"RLIMIT_" + name.substr(name.find('_') + 1),
                            message.has_soft() ? message.soft() : kUnlimited,
                            message.has_hard() ? message.hard() : kUnlimited});
  }
  return {};
}

Result<void> readTerminal(const mesos::v1::TTYInfo& info, const std::string& field, ContainerRequest& into) {
  TRY(const Window window, windowFrom(info, field));
  into.terminal = true;
  into.openStdin = true;
  into.terminalRows = window.rows;
  into.terminalColumns = window.columns;
  return {};
}

}  // namespace

Result<void> readCommonContainer(const ContainerInfo& container, const std::string& field, ContainerRequest& into) {
  TRY(into.volumes, volumesFrom(container, field));
  if (container.has_hostname()) {
    if (container.hostname().empty()) return Error::invalid(field + ".hostname", "must not be empty");
    TRY_VOID(checkText(container.hostname(), field + ".hostname"));
    into.hostname = container.hostname();
  }
  if (container.has_linux_info()) TRY_VOID(readLinuxInfo(container.linux_info(), field + ".linux_info", into));
  if (container.has_rlimit_info()) TRY_VOID(readRlimits(container.rlimit_info(), field + ".rlimit_info", into));
  if (container.has_tty_info()) TRY_VOID(readTerminal(container.tty_info(), field + ".tty_info", into));
  return {};
}

Result<void> readMesosContainer(const ContainerInfo& container, const std::string& field, ContainerRequest& into) {
  if (container.type() != ContainerInfo::MESOS) {
    return unsupported(field + ".type", "only containers of type MESOS are supported");
  }
  if (container.has_docker()) return Error::invalid(field + ".docker", "does not fit the type MESOS");
  if (container.mesos().has_image()) TRY_VOID(readImage(container.mesos().image(), field + ".mesos.image", into));
  TRY(into.networks, networksFrom(container, field));
  return readCommonContainer(container, field, into);
}

}  // namespace gantry::agent::wire
