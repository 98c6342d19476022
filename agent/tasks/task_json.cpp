#include "agent/tasks/task_json.hpp"

#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "agent/containers/request_json.hpp"
#include "base/base64.hpp"

namespace gantry::agent::tasks {
namespace {

using isolators::NetworkStatus;
using isolators::PortMapping;
using nlohmann::json;

constexpr std::array kEndings = std::to_array<std::pair<Ending, std::string_view>>({
    {Ending::None, "none"},
    {Ending::Killed, "killed"},
    {Ending::Expired, "expired"},
    {Ending::Discarded, "discarded"},
});
constexpr std::array kSources = std::to_array<std::pair<Source, std::string_view>>({
    {Source::Master, "master"},
    {Source::Agent, "agent"},
    {Source::Executor, "executor"},
});

template <typename Table, typename Key>
std::string_view nameIn(const Table& table, Key key) {
  for (const auto& [known, name] : table) {
    if (known == key) return name;
  }
  ENSURE(false, "an enumeration value without a spelling");
}

std::int64_t count(Clock::time_point time) {
  return std::chrono::duration_cast<Duration>(time.time_since_epoch()).count();
}
Clock::time_point timePoint(std::int64_t nanoseconds) {
  return Clock::time_point(std::chrono::duration_cast<Clock::duration>(Duration(nanoseconds)));
}

std::string written(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

void setText(json& object, const char* name, const std::string& text) {
  if (!text.empty()) object[name] = text;
}
void setBytes(json& object, const char* name, const std::string& bytes) {
  if (!bytes.empty()) object[name] = toBase64(bytes);
}
void setFlag(json& object, const char* name, bool flag) {
  if (flag) object[name] = true;
}
void setDuration(json& object, const char* name, const std::optional<Duration>& duration) {
  if (duration) object[name] = duration->count();
}

json fromUri(const Uri& uri) {
  json object = {{"value", uri.value}, {"extract", uri.extract}};
  setFlag(object, "executable", uri.executable);
  setFlag(object, "cache", uri.cache);
  setText(object, "output_file", uri.outputFile);
  return object;
}

json fromNetwork(const NetworkStatus& network) {
  json object = {{"addresses", network.addresses}};
  setText(object, "network", network.network);
  setText(object, "interface", network.interface);
  for (const PortMapping& mapping : network.portMappings) {
    object["port_mappings"].push_back({{"host_port", mapping.hostPort},
                                       {"container_port", mapping.containerPort},
                                       {"udp", mapping.protocol == PortMapping::Protocol::Udp}});
  }
  return object;
}

// Reads members, and remembers the first that is not what it should be.
class Reader {
 public:
  Reader(const json& object, std::optional<gantry::Error>& problem) : object_(object), problem_(problem) {
    if (!object_.is_object()) complain("", "must be an object");
  }

  template <typename T>
  void read(const char* name, T& into) {
    const json* const member = find(name);
    if (member == nullptr) return;
    try {
      into = member->get<T>();
    } catch (const json::exception&) {
      complain(name, "has another type");
    }
  }
  template <typename T>
  void readMaybe(const char* name, std::optional<T>& into) {
    if (find(name) != nullptr) read(name, into.emplace());
  }
  void readBytes(const char* name, std::string& into) {
    std::string text;
    read(name, text);
    auto bytes = fromBase64(text);
    if (bytes) {
      into = *std::move(bytes);
    } else {
      complain(name, "is not base64");
    }
  }
  void readTime(const char* name, Clock::time_point& into) {
    std::int64_t nanoseconds = 0;
    read(name, nanoseconds);
    into = timePoint(nanoseconds);
  }
  void readDuration(const char* name, std::optional<Duration>& into) {
    if (find(name) == nullptr) return;
    std::int64_t nanoseconds = 0;
    read(name, nanoseconds);
    into = Duration(nanoseconds);
  }
  template <typename Table, typename Key>
  void readName(const char* name, const Table& table, Key& into) {
    std::string text;
    read(name, text);
    for (const auto& [key, known] : table) {
      if (known == text) {
        into = key;
        return;
      }
    }
    complain(name, "is unknown");
  }
  // A name that `parse` knows.
  template <typename Parse>
  auto readParsed(const char* name, Parse parse) {
    std::string text;
    read(name, text);
    const auto value = parse(text);
    if (!value && !text.empty()) complain(name, "is unknown");
    return value;
  }
  template <typename Function>
  void each(const char* name, Function function) {
    const json* const member = find(name);
    if (member == nullptr) return;
    if (!member->is_array()) return complain(name, "must be an array");
    for (const json& element : *member) function(element);
  }
  void complain(std::string_view name, std::string_view reason) {
    if (!problem_) problem_ = gantry::Error::invalid(name.empty() ? "record" : name, reason);
  }

 private:
  const json* find(const char* name) const {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }

  const json& object_;
  std::optional<gantry::Error>& problem_;
};

// `read` gets a Reader of the text; the first problem is the error.
template <typename Function>
Result<void> parseWith(std::string_view text, Function read) {
  const json object = json::parse(text, nullptr, false);
  if (object.is_discarded()) return gantry::Error::invalid("record", "is not JSON");
  std::optional<gantry::Error> problem;
  Reader reader(object, problem);
  read(reader);
  if (problem) return *problem;
  return {};
}

Uri readUri(Reader from) {
  Uri uri;
  from.read("value", uri.value);
  from.read("extract", uri.extract);
  from.read("executable", uri.executable);
  from.read("cache", uri.cache);
  from.read("output_file", uri.outputFile);
  return uri;
}

PortMapping readMapping(Reader from) {
  PortMapping mapping;
  bool udp = false;
  from.read("host_port", mapping.hostPort);
  from.read("container_port", mapping.containerPort);
  from.read("udp", udp);
  mapping.protocol = udp ? PortMapping::Protocol::Udp : PortMapping::Protocol::Tcp;
  return mapping;
}

LimitedResource readLimited(Reader from) {
  LimitedResource limited;
  from.read("name", limited.name);
  from.read("amount", limited.amount);
  return limited;
}

NetworkStatus readNetwork(Reader from, std::optional<gantry::Error>& problem) {
  NetworkStatus network;
  from.read("addresses", network.addresses);
  from.read("network", network.network);
  from.read("interface", network.interface);
  from.each("port_mappings",
            [&](const json& mapping) { network.portMappings.push_back(readMapping(Reader(mapping, problem))); });
  return network;
}

}  // namespace

std::string toJson(const StoredFramework& stored) {
  const Framework& framework = stored.framework;
  json object = {{"id", framework.id}};
  setText(object, "name", framework.name);
  setText(object, "user", framework.user);
  setText(object, "principal", framework.principal);
  if (!framework.roles.empty()) object["roles"] = framework.roles;
  if (framework.failoverTimeoutSeconds != 0) object["failover_timeout"] = framework.failoverTimeoutSeconds;
  setFlag(object, "checkpoint", framework.checkpoint);
  setFlag(object, "partition_aware", framework.partitionAware);
  setFlag(object, "task_killing_state", framework.taskKillingState);
  setText(object, "pid", framework.pid);
  setBytes(object, "info", framework.info);
  setFlag(object, "ending", stored.ending);
  return written(object);
}

Result<StoredFramework> parseFramework(std::string_view text) {
  StoredFramework stored;
  Framework& framework = stored.framework;
  TRY_VOID(parseWith(text, [&](Reader& from) {
    from.read("id", framework.id);
    from.read("name", framework.name);
    from.read("user", framework.user);
    from.read("principal", framework.principal);
    from.read("roles", framework.roles);
    from.read("failover_timeout", framework.failoverTimeoutSeconds);
    from.read("checkpoint", framework.checkpoint);
    from.read("partition_aware", framework.partitionAware);
    from.read("task_killing_state", framework.taskKillingState);
    from.read("pid", framework.pid);
    from.readBytes("info", framework.info);
    from.read("ending", stored.ending);
  }));
  return stored;
}

Result<std::string> toJson(const TaskRequest& request) {
  TRY(const std::string container, agent::toJson(request.container));
  json object = {{"id", request.id}, {"container", json::parse(container)}};
  setText(object, "framework", request.framework);
  setText(object, "executor", request.executor);
  setText(object, "name", request.name);
  setText(object, "role", request.role);
  if (!request.userIsOfHost) object["user_is_of_host"] = false;
  for (const Uri& uri : request.uris) object["uris"].push_back(fromUri(uri));
  setDuration(object, "kill_grace", request.killGrace);
  setDuration(object, "max_completion_time", request.maxCompletionTime);
  for (const Message& resource : request.resources) object["resources"].push_back(toBase64(resource));
  setBytes(object, "info", request.info);
  try {
    return object.dump();
  } catch (const json::exception& e) {
    return gantry::Error::invalid("task", e.what());
  }
}

Result<TaskRequest> parseTaskRequest(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object() || !object.contains("container")) {
    return gantry::Error::invalid("container", "is missing");
  }
  TRY(auto container, agent::parseRequest(object["container"].dump()).under("container"));
  TaskRequest request(std::move(container));
  TRY_VOID(parseWith(text, [&](Reader& from) {
    from.read("id", request.id);
    from.read("framework", request.framework);
    from.read("executor", request.executor);
    from.read("name", request.name);
    from.read("role", request.role);
    from.read("user_is_of_host", request.userIsOfHost);
    std::optional<gantry::Error> problem;
    from.each("uris", [&](const json& uri) { request.uris.push_back(readUri(Reader(uri, problem))); });
    from.readDuration("kill_grace", request.killGrace);
    from.readDuration("max_completion_time", request.maxCompletionTime);
    std::vector<std::string> resources;
    from.read("resources", resources);
    for (const std::string& resource : resources) {
      auto bytes = fromBase64(resource);
      if (!bytes) from.complain("resources", "is not base64");
      if (bytes) request.resources.push_back(*std::move(bytes));
    }
    from.readBytes("info", request.info);
    if (problem) from.complain("uris", problem->message());
  }));
  return request;
}

std::string toJson(const Progress& progress) {
  json object = json::object();
  if (progress.ending != Ending::None) {
    object["ending"] = nameIn(kEndings, progress.ending);
    object["kill_at"] = count(progress.killAt);
  }
  setText(object, "sandbox", progress.sandbox);
  return written(object);
}

Result<Progress> parseProgress(std::string_view text) {
  Progress progress;
  TRY_VOID(parseWith(text, [&](Reader& from) {
    std::string ending;
    from.read("ending", ending);
    if (!ending.empty()) from.readName("ending", kEndings, progress.ending);
    from.readTime("kill_at", progress.killAt);
    from.read("sandbox", progress.sandbox);
  }));
  return progress;
}

std::string toJson(const TaskStatus& status) {
  json object = {{"state", toString(status.state)},
                 {"source", nameIn(kSources, status.source)},
                 {"time", count(status.time)},
                 {"uuid", toBase64(status.uuid)}};
  if (status.reason) object["reason"] = toString(*status.reason);
  setText(object, "message", status.message);
  if (status.healthy) object["healthy"] = *status.healthy;
  setText(object, "container", status.containerId);
  if (status.pid != 0) object["pid"] = status.pid;
  for (const NetworkStatus& network : status.networks) object["networks"].push_back(fromNetwork(network));
  for (const LimitedResource& each : status.limitation) {
    object["limitation"].push_back({{"name", each.name}, {"amount", each.amount}});
  }
  return written(object);
}

Result<TaskStatus> parseStatus(std::string_view text) {
  TaskStatus status;
  TRY_VOID(parseWith(text, [&](Reader& from) {
    const auto state = from.readParsed("state", parseTaskState);
    if (!state) from.complain("state", "is missing");
    status.state = state.value_or(TaskState::Lost);
    from.readName("source", kSources, status.source);
    from.readTime("time", status.time);
    from.readBytes("uuid", status.uuid);
    status.reason = from.readParsed("reason", parseReason);
    from.read("message", status.message);
    from.readMaybe("healthy", status.healthy);
    from.read("container", status.containerId);
    from.read("pid", status.pid);
    std::optional<gantry::Error> problem;
    from.each("networks",
              [&](const json& network) { status.networks.push_back(readNetwork(Reader(network, problem), problem)); });
    from.each("limitation",
              [&](const json& limited) { status.limitation.push_back(readLimited(Reader(limited, problem))); });
    if (problem) from.complain("networks", problem->message());
  }));
  return status;
}

std::string toJson(const DrainConfig& drain) {
  json object = json::object();
  setDuration(object, "max_grace_period", drain.maxGracePeriod);
  setFlag(object, "mark_gone", drain.markGone);
  setBytes(object, "config", drain.config);
  if (drain.started) setDuration(object, "started", Duration(drain.started->time_since_epoch()));
  return written(object);
}

Result<DrainConfig> parseDrain(std::string_view text) {
  DrainConfig drain;
  TRY_VOID(parseWith(text, [&](Reader& from) {
    from.readDuration("max_grace_period", drain.maxGracePeriod);
    from.read("mark_gone", drain.markGone);
    from.readBytes("config", drain.config);
    std::optional<Duration> started;
    from.readDuration("started", started);
    if (started) drain.started = Clock::time_point(std::chrono::duration_cast<Clock::duration>(*started));
  }));
  return drain;
}

}  // namespace gantry::agent::tasks
