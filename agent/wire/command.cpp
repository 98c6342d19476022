#include <agent/wire/mesos_v1.pb.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "agent/wire/messages.hpp"

namespace gantry::agent::wire {
namespace {

Result<void> addVariable(const mesos::v1::Environment::Variable& variable, const std::string& field,
                         std::map<std::string, std::string>& into) {
  if (variable.type() == mesos::v1::Environment::Variable::SECRET || variable.has_secret()) {
    return Error(Code::Unsupported, field + ".type: secrets are not supported by this agent");
  }
  if (variable.type() != mesos::v1::Environment::Variable::VALUE) {
    return Error::invalid(field + ".type", "must be VALUE");
  }
  if (variable.name().empty() || variable.name().find('=') != std::string::npos) {
    return Error::invalid(field + ".name", "must not be empty or contain '='");
  }
  if (!variable.has_value()) return Error::invalid(field + ".value", "is required");
  TRY_VOID(checkText(variable.name(), field + ".name"));
  TRY_VOID(checkText(variable.value(), field + ".value"));
  into[variable.name()] = variable.value();
  return {};
}

}  // namespace

double secondsSinceEpoch(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

Result<void> checkText(std::string_view text, std::string_view field) {
  if (text.find('\0') != std::string_view::npos) return Error::invalid(field, "contains a NUL byte");
  return {};
}

Result<std::chrono::nanoseconds> durationOf(std::int64_t nanoseconds, std::string_view field) {
  if (nanoseconds < 0) return Error::invalid(std::string(field) + ".nanoseconds", "must not be negative");
  constexpr std::chrono::nanoseconds kCentury = std::chrono::years(100);
  return std::min(std::chrono::nanoseconds(nanoseconds), kCentury);
}

Result<ContainerId> containerIdFrom(const mesos::v1::ContainerID& message, std::string_view field) {
  std::vector<const mesos::v1::ContainerID*> chain;
  for (const auto* link = &message;; link = &link->parent()) {
    chain.push_back(link);
    if (!link->has_parent()) break;
  }
  auto id = ContainerId::root(chain.back()->value());
  for (std::size_t i = chain.size() - 1; id && i > 0; --i) id = id->child(chain[i - 1]->value());
  if (id) return id;
  // The error of ids.hpp begins with "container_id."; what stands before that is ours to say.
  const std::size_t cut = field.rfind('.');
  if (cut == std::string_view::npos) return id;
  return Error(id.error().code(), std::string(field.substr(0, cut + 1)) + id.error().message());
}

void writeContainerId(const ContainerId& id, mesos::v1::ContainerID& message) {
  message.set_value(std::string(id.leaf()));
  if (const auto parent = id.parent()) writeContainerId(*parent, *message.mutable_parent());
}

Result<isolators::Command> commandFrom(const mesos::v1::CommandInfo& message, const std::string& field) {
  isolators::Command command;
  command.shell = message.shell();
  if (message.has_value()) {
    TRY_VOID(checkText(message.value(), field + ".value"));
    command.value = message.value();
  }
  for (int i = 0; i < message.arguments_size(); ++i) {
    TRY_VOID(checkText(message.arguments(i), field + ".arguments[" + std::to_string(i) + "]"));
    command.arguments.push_back(message.arguments(i));
  }
  if (command.shell && !command.value) {
    return Error::invalid(field + ".value", "is required when 'shell' is true, which it is by default");
  }
  if (command.value && command.value->empty()) return Error::invalid(field + ".value", "must not be empty");

  const auto& variables = message.environment().variables();
  for (int i = 0; i < variables.size(); ++i) {
    TRY_VOID(
        addVariable(variables[i], field + ".environment.variables[" + std::to_string(i) + "]", command.environment));
  }
  if (message.has_user()) {
    if (message.user().empty()) return Error::invalid(field + ".user", "must not be empty");
    TRY_VOID(checkText(message.user(), field + ".user"));
    command.user = message.user();
  }
  return command;
}

Result<Window> windowFrom(const mesos::v1::TTYInfo& message, const std::string& field) {
  if (!message.has_window_size()) return Window{};
  const auto& size = message.window_size();
  constexpr std::uint32_t kMax = std::numeric_limits<std::uint16_t>::max();
  if (size.rows() > kMax) return Error::invalid(field + ".window_size.rows", "is out of range");
  if (size.columns() > kMax) return Error::invalid(field + ".window_size.columns", "is out of range");
  return Window{static_cast<std::uint16_t>(size.rows()), static_cast<std::uint16_t>(size.columns())};
}

}  // namespace gantry::agent::wire
