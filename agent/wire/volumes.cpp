#include <agent/wire/mesos_v1.pb.h>

#include <string_view>

#include "agent/wire/container_info.hpp"
#include "agent/wire/messages.hpp"

namespace gantry::agent::wire {
namespace {

using isolators::Volume;
using Source = mesos::v1::Volume::Source;

bool climbs(std::string_view path) {
  while (!path.empty()) {
    const auto slash = path.find('/');
    if (path.substr(0, slash) == "..") return true;
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return false;
}

Result<void> checkPath(const std::string& path, const std::string& field) {
  if (path.empty()) return Error::invalid(field, "must not be empty");
  if (climbs(path)) return Error::invalid(field, "must not contain '..'");
  return checkText(path, field);
}

Result<Volume::Propagation> propagationFrom(const mesos::v1::MountPropagation& message, const std::string& field) {
  switch (message.mode()) {
    case mesos::v1::MountPropagation::BIDIRECTIONAL:
      return Volume::Propagation::Bidirectional;
    case mesos::v1::MountPropagation::HOST_TO_CONTAINER:
      return Volume::Propagation::HostToContainer;
    case mesos::v1::MountPropagation::UNKNOWN:
      if (!message.has_mode()) return Volume::Propagation::HostToContainer;
      break;
  }
  return Error::invalid(field + ".mode", "must be HOST_TO_CONTAINER or BIDIRECTIONAL");
}

Result<void> readSource(const Source& source, const std::string& field, Volume& into) {
  if (source.type() == Source::HOST_PATH) {
    if (!source.has_host_path()) return Error::invalid(field + ".host_path", "is required");
    const std::string& path = source.host_path().path();
    TRY_VOID(checkPath(path, field + ".host_path.path"));
    if (!path.starts_with('/')) return Error::invalid(field + ".host_path.path", "must be absolute");
    TRY(into.propagation,
        propagationFrom(source.host_path().mount_propagation(), field + ".host_path.mount_propagation"));
    into.source = Volume::Source::HostPath;
    into.path = path;
    return {};
  }
  if (source.type() == Source::SANDBOX_PATH) {
    if (!source.has_sandbox_path()) return Error::invalid(field + ".sandbox_path", "is required");
    if (source.sandbox_path().type() == Source::SandboxPath::PARENT) {
      return Error(Code::Unsupported, field + ".sandbox_path.type: PARENT needs a nested container");
    }
    if (source.sandbox_path().type() != Source::SandboxPath::SELF) {
      return Error::invalid(field + ".sandbox_path.type", "must be SELF");
    }
    const std::string& path = source.sandbox_path().path();
    TRY_VOID(checkPath(path, field + ".sandbox_path.path"));
    if (path.starts_with('/')) return Error::invalid(field + ".sandbox_path.path", "must be relative");
    into.source = Volume::Source::SandboxPath;
    into.path = path;
    return {};
  }
  if (!source.has_type() || source.type() == Source::UNKNOWN) {
    return Error::invalid(field + ".type", "must be HOST_PATH or SANDBOX_PATH");
  }
  return Error(Code::Unsupported,
               field + ".type: " + Source::Type_Name(source.type()) + " volumes are not supported by this agent");
}

Result<Volume> volumeFrom(const mesos::v1::Volume& message, const std::string& field) {
  Volume volume;
  TRY_VOID(checkPath(message.container_path(), field + ".container_path"));
  volume.containerPath = message.container_path();
  volume.readOnly = message.mode() == mesos::v1::Volume::RO;
  if (message.has_image()) {
    return Error(Code::Unsupported, field + ".image: images as volumes are not supported by this agent");
  }
  if (message.has_source()) {
    if (message.has_host_path()) return Error::invalid(field + ".host_path", "excludes 'source'");
    TRY_VOID(readSource(message.source(), field + ".source", volume));
    return volume;
  }
  if (!message.has_host_path()) return Error::invalid(field + ".source", "is required");
  TRY_VOID(checkPath(message.host_path(), field + ".host_path"));
  // A relative host path means the container's sandbox (reference: containerizer, section 9).
  volume.source = message.host_path().starts_with('/') ? Volume::Source::HostPath : Volume::Source::SandboxPath;
  volume.path = message.host_path();
  return volume;
}

}  // namespace

Result<std::vector<Volume>> volumesFrom(const mesos::v1::ContainerInfo& container, const std::string& field) {
  std::vector<Volume> volumes;
  for (int i = 0; i < container.volumes_size(); ++i) {
    TRY(auto volume, volumeFrom(container.volumes(i), field + ".volumes[" + std::to_string(i) + "]"));
    volumes.push_back(std::move(volume));
  }
  return volumes;
}

}  // namespace gantry::agent::wire
