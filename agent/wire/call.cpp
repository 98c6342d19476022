#include "agent/wire/call.hpp"

#include <agent/wire/gantry_v1.pb.h>
#include <agent/wire/mesos_v1_agent.pb.h>

#include <csignal>

#include "agent/wire/encoding.hpp"
#include "agent/wire/messages.hpp"

namespace gantry::agent::wire {
namespace {

using Message = mesos::v1::agent::Call;

Error missing(const std::string& part) {
  return Error::invalid(part, "is required by this type of call");
}

Result<Call> waitFrom(const mesos::v1::agent::Call::WaitContainer& message, const std::string& part) {
  TRY(ContainerId id, containerIdFrom(message.container_id(), part + ".container_id"));
  return Call(WaitContainer{std::move(id), part == "wait_nested_container"});
}

Result<Call> killFrom(const mesos::v1::agent::Call::KillContainer& message, const std::string& part) {
  TRY(ContainerId id, containerIdFrom(message.container_id(), part + ".container_id"));
  const int signal = message.has_signal() ? message.signal() : SIGKILL;
  if (signal < 1 || signal > SIGRTMAX) {
    return Error::invalid(part + ".signal", std::to_string(signal) + " is not a signal");
  }
  return Call(KillContainer{std::move(id), signal});
}

Result<Call> removeFrom(const mesos::v1::agent::Call::RemoveContainer& message, const std::string& part) {
  TRY(ContainerId id, containerIdFrom(message.container_id(), part + ".container_id"));
  return Call(RemoveContainer{std::move(id)});
}

Result<Call> readFileFrom(const mesos::v1::agent::Call::ReadFile& message) {
  ReadFile call{message.path(), message.offset(), {}};
  if (message.has_length()) call.length = message.length();
  return Call(std::move(call));
}

Result<std::chrono::nanoseconds> durationFrom(const mesos::v1::DurationInfo& message, const std::string& field) {
  if (message.nanoseconds() >= 0) return std::chrono::nanoseconds(message.nanoseconds());
  return Error::invalid(field + ".nanoseconds", "must not be negative");
}

Result<Call> metricsFrom(const mesos::v1::agent::Call::GetMetrics& message) {
  GetMetrics call;
  if (message.has_timeout()) {
    TRY(call.timeout, durationFrom(message.timeout(), "get_metrics.timeout"));
  }
  return Call(call);
}

Result<Call> loggingLevelFrom(const mesos::v1::agent::Call::SetLoggingLevel& message) {
  TRY(const auto duration, durationFrom(message.duration(), "set_logging_level.duration"));
  return Call(SetLoggingLevel{message.level(), duration});
}

Result<Call> pruneFrom(const mesos::v1::agent::Call::PruneImages& message) {
  PruneImages call;
  for (int i = 0; i < message.excluded_images_size(); ++i) {
    const auto& image = message.excluded_images(i);
    const std::string field = "prune_images.excluded_images[" + std::to_string(i) + "]";
    if (image.type() != mesos::v1::Image::DOCKER) {
      return Error(Code::Unsupported, field + ".type: only DOCKER images are supported");
    }
    if (image.docker().name().empty()) return Error::invalid(field + ".docker.name", "is required");
    call.excluded.push_back(image.docker().name());
  }
  return Call(std::move(call));
}

Result<Call> callFrom(const Message& message) {
  switch (message.type()) {
    case Message::GET_HEALTH:
      return Call(GetHealth{});
    case Message::GET_VERSION:
      return Call(GetVersion{});
    case Message::GET_FLAGS:
      return Call(GetFlags{});
    case Message::GET_STATE:
      return Call(GetState{});
    case Message::GET_TASKS:
      return Call(GetTasks{});
    case Message::GET_EXECUTORS:
      return Call(GetExecutors{});
    case Message::GET_FRAMEWORKS:
      return Call(GetFrameworks{});
    case Message::GET_AGENT:
      return Call(GetAgent{});
    case Message::GET_OPERATIONS:
      return Call(GetOperations{});
    case Message::GET_RESOURCE_PROVIDERS:
      return Call(GetResourceProviders{});
    case Message::GET_LOGGING_LEVEL:
      return Call(GetLoggingLevel{});
    case Message::GET_METRICS:
      if (!message.has_get_metrics()) return missing("get_metrics");
      return metricsFrom(message.get_metrics());
    case Message::SET_LOGGING_LEVEL:
      if (!message.has_set_logging_level()) return missing("set_logging_level");
      return loggingLevelFrom(message.set_logging_level());
    case Message::PRUNE_IMAGES:
      return pruneFrom(message.prune_images());
    case Message::GET_CONTAINERS:
      return Call(GetContainers{message.get_containers().show_nested(), message.get_containers().show_standalone()});
    case Message::LAUNCH_CONTAINER: {
      if (!message.has_launch_container()) return missing("launch_container");
      TRY(auto request, requestFrom(message.launch_container(), "launch_container"));
      return Call(LaunchContainer{std::move(request)});
    }
    case Message::WAIT_CONTAINER:
      if (!message.has_wait_container()) return missing("wait_container");
      return waitFrom(message.wait_container(), "wait_container");
    case Message::WAIT_NESTED_CONTAINER:
      if (!message.has_wait_nested_container()) return missing("wait_nested_container");
      return waitFrom(message.wait_nested_container(), "wait_nested_container");
    case Message::KILL_CONTAINER:
      if (!message.has_kill_container()) return missing("kill_container");
      return killFrom(message.kill_container(), "kill_container");
    case Message::KILL_NESTED_CONTAINER:
      if (!message.has_kill_nested_container()) return missing("kill_nested_container");
      return killFrom(message.kill_nested_container(), "kill_nested_container");
    case Message::REMOVE_CONTAINER:
      if (!message.has_remove_container()) return missing("remove_container");
      return removeFrom(message.remove_container(), "remove_container");
    case Message::REMOVE_NESTED_CONTAINER:
      if (!message.has_remove_nested_container()) return missing("remove_nested_container");
      return removeFrom(message.remove_nested_container(), "remove_nested_container");
    case Message::LIST_FILES:
      if (!message.has_list_files()) return missing("list_files");
      return Call(ListFiles{message.list_files().path()});
    case Message::READ_FILE:
      if (!message.has_read_file()) return missing("read_file");
      return readFileFrom(message.read_file());
    case Message::LAUNCH_NESTED_CONTAINER_SESSION: {
      if (!message.has_launch_nested_container_session()) return missing("launch_nested_container_session");
      TRY(auto request, requestFrom(message.launch_nested_container_session(), "launch_nested_container_session"));
      return Call(LaunchSession{std::move(request)});
    }
    case Message::ATTACH_CONTAINER_OUTPUT: {
      if (!message.has_attach_container_output()) return missing("attach_container_output");
      TRY(ContainerId id,
          containerIdFrom(message.attach_container_output().container_id(), "attach_container_output.container_id"));
      return Call(AttachOutput{std::move(id)});
    }
    case Message::ATTACH_CONTAINER_INPUT:
      return Call(AttachInput{});
    default:
      return Call(NotServed{Message::Type_Name(message.type())});
  }
}

Result<void> checkWorkingDirectory(const std::string& path) {
  if (!path.starts_with('/')) return Error::invalid("options.working_directory", "must be absolute");
  return checkText(path, "options.working_directory");
}

}  // namespace

Result<Call> parseCall(std::string_view body, Media media) {
  Message message;
  TRY_VOID(decode(body, media, message));
  if (!message.has_type()) return Error::invalid("type", "is required");
  return callFrom(message);
}

Result<isolators::ContainerRequest> parseLaunch(std::string_view body, Media media) {
  gantry::v1::Launch message;
  TRY_VOID(decode(body, media, message));
  TRY(auto request, requestFrom(message.launch_container(), "launch_container"));
  const auto& options = message.options();
  if (options.has_working_directory()) {
    TRY_VOID(checkWorkingDirectory(options.working_directory()));
    request.command.workingDirectory = options.working_directory();
  }
  request.openStdin = request.openStdin || options.open_stdin();
  request.security.readOnlyRootfs = options.read_only_rootfs();
  request.security.privileged = options.privileged();
  request.security.onlyRootHasCapabilities = options.only_root_has_capabilities();
  for (const auto& [key, value] : options.labels()) request.labels[key] = value;
  return request;
}

Result<SessionRequest> parseSession(std::string_view body, Media media) {
  gantry::v1::Session message;
  TRY_VOID(decode(body, media, message));
  TRY(auto request, requestFrom(message.launch_nested_container_session(), "launch_nested_container_session"));
  if (message.options().has_working_directory()) {
    TRY_VOID(checkWorkingDirectory(message.options().working_directory()));
    request.command.workingDirectory = message.options().working_directory();
  }
  return request;
}

}  // namespace gantry::agent::wire
