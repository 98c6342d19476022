#include <agent/wire/mesos_v1_agent.pb.h>
#include <google/protobuf/descriptor.h>

#include "agent/wire/container_info.hpp"
#include "agent/wire/messages.hpp"

namespace gantry::agent::wire {
namespace {

using isolators::ContainerRequest;
using mesos::v1::ContainerInfo;

Error unsupported(const std::string& field, std::string_view reason) {
  return Error(Code::Unsupported, std::string(field).append(": ").append(reason));
}

// A session shares everything with its container: all of ContainerInfo but the terminal is refused.
Result<void> checkSessionContainer(const ContainerInfo& container, const std::string& field) {
  std::vector<const google::protobuf::FieldDescriptor*> set;
  container.GetReflection()->ListFields(container, &set);
  for (const auto* part : set) {
    if (part->name() == "type" || part->name() == "tty_info") continue;
    return Error::invalid(field + "." + part->name(), "a session shares this with its container");
  }
  if (container.type() != ContainerInfo::MESOS) {
    return unsupported(field + ".type", "only containers of type MESOS are supported");
  }
  return {};
}

// Only tasks have artifacts fetched for them.
Result<isolators::Command> commandWithoutUris(const mesos::v1::CommandInfo& message, const std::string& field) {
  if (message.uris_size() > 0) return unsupported(field + ".uris", "artifacts are fetched for tasks of a master only");
  return commandFrom(message, field);
}

}  // namespace

Result<ContainerRequest> requestFrom(const mesos::v1::agent::Call_LaunchContainer& launch, const std::string& field) {
  TRY(ContainerId id, containerIdFrom(launch.container_id(), field + ".container_id"));
  if (id.isNested()) {
    return unsupported(field + ".container_id.parent",
                       "nested containers are not supported; LAUNCH_NESTED_CONTAINER_SESSION runs a program in one");
  }
  ContainerRequest request(std::move(id));
  TRY(request.resources, resourcesFrom(launch, field));
  if (launch.has_container()) TRY_VOID(readMesosContainer(launch.container(), field + ".container", request));
  if (launch.has_command()) {
    TRY(request.command, commandWithoutUris(launch.command(), field + ".command"));
  } else {
    request.command.shell = false;
  }
  if (!request.image && !request.command.value && request.command.arguments.empty()) {
    return Error::invalid(field + ".command", "is missing, and there is no image to take one from");
  }
  return request;
}

Result<SessionRequest> requestFrom(const mesos::v1::agent::Call_LaunchNestedContainerSession& launch,
                                   const std::string& field) {
  TRY(ContainerId id, containerIdFrom(launch.container_id(), field + ".container_id"));
  if (!id.isNested()) {
    return Error::invalid(field + ".container_id.parent", "is required: a session runs in a container");
  }
  SessionRequest request(std::move(id));
  if (!launch.has_command()) return Error::invalid(field + ".command", "is required");
  TRY(request.command, commandWithoutUris(launch.command(), field + ".command"));
  if (!request.command.value && request.command.arguments.empty()) {
    return Error::invalid(field + ".command.value", "is required");
  }
  if (!launch.has_container()) return request;
  TRY_VOID(checkSessionContainer(launch.container(), field + ".container"));
  if (launch.container().has_tty_info()) {
    TRY(const Window window, windowFrom(launch.container().tty_info(), field + ".container.tty_info"));
    request.terminal = true;
    request.terminalRows = window.rows;
    request.terminalColumns = window.columns;
  }
  return request;
}

}  // namespace gantry::agent::wire
