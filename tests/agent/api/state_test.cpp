// Mesos' endpoints that tell what runs here, against what a real mesos-agent answered with the same task running.
#include <agent/wire/mesos_v1_tasks.pb.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "agent/wire/encoding.hpp"
#include "tests/agent/api/served.hpp"

namespace gantry::agent::api {
namespace {

using nlohmann::json;

template <typename Message>
std::string serialised(const json& value) {
  Message message;
  const auto read = wire::fromJson(value.dump(), message);
  EXPECT_TRUE(read) << (read ? "" : read.error().message());
  return message.SerializeAsString();
}

json scalar(const std::string& name, double value) {
  return {{"name", name}, {"type", "SCALAR"}, {"scalar", {{"value", value}}}, {"allocation_info", {{"role", "*"}}}};
}

tasks::TaskStatus statusOf(tasks::TaskState state) {
  tasks::TaskStatus status;
  status.state = state;
  status.source = tasks::Source::Executor;
  status.time = tasks::Clock::time_point(std::chrono::milliseconds(1795171468940));
  status.uuid = std::string(16, 'u');
  status.containerId = "c1";
  status.pid = 4711;
  isolators::NetworkStatus network;
  network.addresses = {"127.0.0.1"};
  status.networks = {network};
  return status;
}

tasks::Task taskWith(json more, tasks::TaskState state) {
  json info = {{"name", "t1"},
               {"task_id", {{"value", "t1"}}},
               {"agent_id", {{"value", "S0"}}},
               {"resources", {scalar("cpus", 0.1), scalar("mem", 32)}},
               {"command", {{"value", "echo out; sleep 1000"}}}};
  info.update(more);
  tasks::Task task;
  task.id = task.executor = task.name = "t1";
  task.framework = "F0";
  task.role = "*";
  task.state = state;
  task.statuses = {statusOf(tasks::TaskState::Starting), statusOf(state)};
  task.sentState = state;
  task.sentUuid = std::string(16, 'u');
  task.container = *ContainerId::root("c1");
  task.sandbox = "/w/slaves/S0/frameworks/F0/executors/t1/runs/c1";
  for (const json& resource : info["resources"]) task.resources.push_back(serialised<mesos::v1::Resource>(resource));
  task.info = serialised<mesos::v1::TaskInfo>(info);
  return task;
}

tasks::FrameworkTasks framework() {
  tasks::FrameworkTasks tasksOf;
  tasksOf.framework.id = "F0";
  tasksOf.framework.name = "rec";
  tasksOf.framework.user = "root";
  tasksOf.framework.roles = {"*"};
  tasksOf.framework.checkpoint = true;
  tasksOf.framework.info = serialised<mesos::v1::FrameworkInfo>({{"user", "root"},
                                                                 {"name", "rec"},
                                                                 {"id", {{"value", "F0"}}},
                                                                 {"checkpoint", true},
                                                                 {"roles", {"*"}},
                                                                 {"capabilities", {{{"type", "MULTI_ROLE"}}}}});
  return tasksOf;
}

AgentFacts agentFacts() {
  AgentFacts facts;
  facts.id = "S0";
  facts.pid = "slave(1)@127.0.0.1:5051";
  facts.ip = "127.0.0.1";
  facts.hostname = "127.0.0.1";
  facts.registered = true;
  facts.masterHostname = "localhost";
  facts.capabilities = {"MULTI_ROLE", "AGENT_DRAINING"};
  facts.recovery = std::chrono::milliseconds(4);
  const json ports = {
      {"name", "ports"}, {"type", "RANGES"}, {"ranges", {{"range", {{{"begin", 31000}, {"end", 32000}}}}}}};
  json cpus = scalar("cpus", 8);
  json mem = scalar("mem", 16384);
  json disk = scalar("disk", 40960);
  json reserved = scalar("cpus", 2);
  for (json* const one : {&cpus, &mem, &disk, &reserved}) one->erase("allocation_info");
  reserved["reservations"] = {{{"type", "STATIC"}, {"role", "prod"}}};
  facts.info = serialised<mesos::v1::AgentInfo>(
      {{"hostname", "127.0.0.1"},
       {"port", 5051},
       {"id", {{"value", "S0"}}},
       {"checkpoint", true},
       {"attributes", {{{"name", "rack"}, {"type", "TEXT"}, {"text", {{"value", "r1"}}}}}},
       {"resources", {cpus, mem, disk, ports, reserved}}});
  return facts;
}

// Every path to a value with the kind of value there: "frameworks[].executors[].id string".
void addShape(const json& value, const std::string& path, std::set<std::string>& into) {
  if (value.is_object()) {
    into.insert(path + " object");
    for (const auto& [name, member] : value.items()) addShape(member, path + "." + name, into);
  } else if (value.is_array()) {
    into.insert(path + " array");
    for (const json& member : value) addShape(member, path + "[]", into);
  } else {
    into.insert(path + (value.is_number() ? " number" : " " + std::string(value.type_name())));
  }
}

class Stateful : public Served {
 protected:
  Stateful() : Served(withTasks(&snapshot_, &facts_)) {
    snapshot_.frameworks = {framework()};
    snapshot_.frameworks[0].active = {taskWith(json::object(), tasks::TaskState::Running)};
    launch("c1");
    launch("standalone");
    isolators::Usage usage;
    usage.cpusUserTimeSecs = 0.12;
    usage.cpusSoftLimit = 0.1;
    usage.memLimitBytes = 64U << 20U;
    manager_.usageOfAll = usage;
  }

  static Settings withTasks(const tasks::Snapshot* snapshot, const AgentFacts* facts) {
    Settings made = settings();
    made.tasks = [snapshot] { return *snapshot; };
    made.facts = [facts] { return *facts; };
    made.taskCounters = [] {
      tasks::TaskCounters counters;
      counters.ended[tasks::TaskState::Failed] = 3;
      counters.validStatusUpdates = 7;
      return counters;
    };
    made.moreMetrics = [] { return std::map<std::string, double>{{"containerizer/fetcher/task_fetches_failed", 1}}; };
    made.externalLogFile = "/nowhere/agent.log";
    made.disabledPaths = {"/slave(1)/containerizer/debug"};
    return made;
  }

  json getJson(const std::string& target) {
    const auto response = get(target);
    EXPECT_EQ(response.status, 200) << response.body;
    return json::parse(response.body);
  }
  json callJson(const std::string& type) {
    const auto response = call("{\"type\":\"" + type + "\"}");
    EXPECT_EQ(response.status, 200) << response.body;
    return json::parse(response.body);
  }

  // What mesos-agent's answer has and `ours` has not, but for what begins with one of `except`.
  static std::vector<std::string> lacking(const std::string& recorded, const json& ours,
                                          const std::vector<std::string>& except = {}) {
    std::ifstream file(std::string(RECORDED) + "/" + recorded + ".json");
    std::set<std::string> theirShape;
    addShape(json::parse(file), "", theirShape);
    std::set<std::string> ourShape;
    addShape(ours, "", ourShape);
    std::vector<std::string> missing;
    for (const std::string& one : theirShape) {
      const bool isExcepted = std::ranges::any_of(except, [&](const auto& start) { return one.starts_with(start); });
      if (!isExcepted && !ourShape.contains(one)) missing.push_back(one);
    }
    return missing;
  }

  using Nothing = std::vector<std::string>;
  tasks::Snapshot snapshot_;
  AgentFacts facts_ = agentFacts();
};

TEST_F(Stateful, StateHasAllThatMesosAgentTells) {
  const json state = getJson("/slave(1)/state");
  EXPECT_EQ(getJson("/state.json")["frameworks"], state["frameworks"]);
  EXPECT_EQ(lacking("state", state), Nothing());
  EXPECT_EQ(state["resources"]["cpus"], 10);
  EXPECT_EQ(state["resources"]["ports"], "[31000-32000]");
  EXPECT_EQ(state["unreserved_resources"]["cpus"], 8);
  EXPECT_EQ(state["reserved_resources"]["prod"]["cpus"], 2);
  EXPECT_EQ(state["reserved_resources_full"]["prod"][0]["role"], "prod");
  EXPECT_EQ(state["unreserved_resources_allocated"]["mem"], 32);
  EXPECT_EQ(state["attributes"], (json{{"rack", "r1"}}));
  EXPECT_EQ(state["external_log_file"], "/nowhere/agent.log");
  const json executor = state["frameworks"][0]["executors"][0];
  EXPECT_EQ(executor["name"], "Command Executor (Task: t1) (Command: sh -c 'echo out; sl...')");
  EXPECT_EQ(executor["source"], "t1");
  EXPECT_EQ(executor["container"], "c1");
  EXPECT_EQ(executor["tasks"][0]["executor_id"], "");
  EXPECT_EQ(executor["tasks"][0]["statuses"].size(), 2U);
  EXPECT_FALSE(executor["tasks"][0]["statuses"][0]["container_status"].contains("executor_pid"));
}

TEST_F(Stateful, TasksAreShownWhereTheyStand) {
  snapshot_.frameworks[0].active = {taskWith(json::object(), tasks::TaskState::Staging),
                                    taskWith(json::object(), tasks::TaskState::Failed),
                                    taskWith({{"labels", {{"labels", {{{"key", "a"}, {"value", "b"}}}}}},
                                              {"limits", {{"cpus", {{"value", 2}}}, {"mem", {{"value", "Infinity"}}}}},
                                              {"discovery", {{"visibility", "CLUSTER"}}},
                                              {"command", {{"value", "sleep"}, {"shell", false}, {"user", "nobody"}}}},
                                             tasks::TaskState::Killing)};
  snapshot_.frameworks[0].completed = {taskWith(json::object(), tasks::TaskState::Finished)};
  snapshot_.completedFrameworks = {framework()};
  snapshot_.completedFrameworks[0].completed = {taskWith(json::object(), tasks::TaskState::Killed)};
  snapshot_.drain = tasks::DrainConfig{};
  snapshot_.drain->started = tasks::Clock::time_point(std::chrono::milliseconds(1795171468940));

  const json state = getJson("/state");
  const json executors = state["frameworks"][0]["executors"];
  EXPECT_EQ(executors[0]["queued_tasks"][0]["command"]["value"], "echo out; sleep 1000");
  EXPECT_EQ(executors[1]["completed_tasks"][0]["state"], "TASK_FAILED");
  const json killing = executors[2]["tasks"][0];
  EXPECT_EQ(killing["labels"], json::parse(R"([{"key":"a","value":"b"}])"));
  EXPECT_EQ(killing["limits"], (json{{"cpus", 2.0}, {"mem", "Infinity"}}));
  EXPECT_EQ(killing["discovery"]["visibility"], "CLUSTER");
  EXPECT_EQ(killing["user"], "nobody");
  EXPECT_EQ(executors[2]["name"], "Command Executor (Task: t1) (Command: [sleep])");
  EXPECT_EQ(state["frameworks"][0]["completed_executors"].size(), 1U);
  EXPECT_EQ(state["completed_frameworks"][0]["completed_executors"][0]["completed_tasks"][0]["state"], "TASK_KILLED");
  EXPECT_EQ(state["drain_config"], (json{{"mark_gone", false}}));
  EXPECT_EQ(state["estimated_drain_start_time_seconds"], 1795171468);

  const json tasksOf = callJson("GET_TASKS")["get_tasks"];
  EXPECT_EQ(tasksOf["queued_tasks"].size(), 1U);
  EXPECT_EQ(tasksOf["launched_tasks"].size(), 1U);
  EXPECT_EQ(tasksOf["terminated_tasks"].size(), 1U);
  EXPECT_EQ(tasksOf["completed_tasks"].size(), 2U);
  EXPECT_EQ(callJson("GET_EXECUTORS")["get_executors"]["completed_executors"].size(), 2U);
  EXPECT_EQ(callJson("GET_FRAMEWORKS")["get_frameworks"]["completed_frameworks"].size(), 1U);
  EXPECT_EQ(callJson("GET_AGENT")["get_agent"]["estimated_drain_start_time"]["nanoseconds"], 1795171468940000000);
}

TEST_F(Stateful, CallsHaveAllThatMesosAgentTells) {
  // Ours is the task's own command; theirs starts mesos-executor.
  EXPECT_EQ(lacking("get_state", callJson("GET_STATE"),
                    {".get_state.get_executors.executors[].executor_info.command.arguments"}),
            Nothing());
  EXPECT_EQ(lacking("get_agent", callJson("GET_AGENT")), Nothing());
  EXPECT_FALSE(callJson("GET_AGENT")["get_agent"]["agent_info"].contains("checkpoint"));
  EXPECT_EQ(
      lacking("get_containers", callJson("GET_CONTAINERS"), {".get_containers.containers[].resource_statistics."}),
      Nothing());
  EXPECT_EQ(call(R"({"type":"GET_OPERATIONS"})").body, R"({"type":"GET_OPERATIONS","get_operations":{}})");
  EXPECT_EQ(call(R"({"type":"GET_RESOURCE_PROVIDERS"})").body,
            R"({"type":"GET_RESOURCE_PROVIDERS","get_resource_providers":{}})");
  snapshot_ = {};
  EXPECT_EQ(call(R"({"type":"GET_TASKS"})").body,
            R"({"type":"GET_TASKS","get_tasks":{"pending_tasks":[],"queued_tasks":[],"launched_tasks":[],)"
            R"("terminated_tasks":[],"completed_tasks":[]}})");
}

TEST_F(Stateful, ContainersAreThoseOfExecutors) {
  EXPECT_EQ(lacking("containers", getJson("/containers"), {"[].statistics."}), Nothing());
  EXPECT_EQ(lacking("monitor", getJson("/monitor/statistics.json"), {"[].statistics."}), Nothing());
  EXPECT_EQ(getJson("/monitor/statistics")[0]["statistics"]["cpus_user_time_secs"], 0.12);
  EXPECT_EQ(getJson("/containers").size(), 1U);
  EXPECT_EQ(getJson("/containers?framework_id=F0&executor_id=t1").size(), 1U);
  EXPECT_EQ(getJson("/containers?framework_id=F1").size(), 0U);
  EXPECT_EQ(getJson("/containers?container_id=c1")[0]["executor_id"], "t1");
  EXPECT_EQ(get("/containers?executor_id=t1").status, 400);
  EXPECT_EQ(get("/containers?container_id=c1&framework_id=F0").status, 400);
  const auto both = call(R"({"type":"GET_CONTAINERS","get_containers":{"show_standalone":true}})");
  const json containers = json::parse(both.body)["get_containers"]["containers"];
  ASSERT_EQ(containers.size(), 2U);
  EXPECT_EQ(containers[0]["executor_id"]["value"], "t1");
  EXPECT_FALSE(containers[1].contains("executor_id"));
}

TEST_F(Stateful, MetricsHaveMesosNames) {
  const json metrics = getJson("/metrics/snapshot?timeout=10secs");
  EXPECT_EQ(lacking("metrics", metrics,
                    {".containerizer/fetcher/", ".containerizer/mesos/filesystem/",
                     ".containerizer/mesos/provisioner/bind/", ".slave/executor_directory_max_allowed_age_secs"}),
            Nothing());
  EXPECT_EQ(metrics["slave/tasks_running"], 1);
  EXPECT_EQ(metrics["slave/tasks_failed"], 3);
  EXPECT_EQ(metrics["slave/cpus_percent"], 0.01);
  EXPECT_EQ(metrics["slave/registered"], 1);
  EXPECT_EQ(metrics["containerizer/fetcher/task_fetches_failed"], 1);
  EXPECT_EQ(get("/metrics/snapshot?timeout=soon").status, 400);
  EXPECT_EQ(call(R"({"type":"GET_METRICS"})").body, "get_metrics: is required by this type of call");
  const auto response = call(R"({"type":"GET_METRICS","get_metrics":{"timeout":{"nanoseconds":5}}})");
  std::map<std::string, double> values;
  const json answer = json::parse(response.body);
  for (const json& metric : answer["get_metrics"]["metrics"]) {
    values[metric["name"].get<std::string>()] = metric["value"].get<double>();
  }
  EXPECT_EQ(values["slave/mem_total"], 16384);
}

TEST_F(Stateful, TheLogLevelIsRaisedByCall) {
  EXPECT_EQ(call(R"({"type":"GET_LOGGING_LEVEL"})").body,
            R"({"type":"GET_LOGGING_LEVEL","get_logging_level":{"level":0}})");
  const auto set =
      call(R"({"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":1,"duration":{"nanoseconds":3600000000000}}})");
  EXPECT_EQ(set.status, 200);
  EXPECT_EQ(set.body, "");
  EXPECT_EQ(callJson("GET_LOGGING_LEVEL")["get_logging_level"]["level"], 1);
  EXPECT_EQ(call(R"({"type":"SET_LOGGING_LEVEL","set_logging_level":{"level":1,"duration":{"nanoseconds":-1}}})").body,
            "set_logging_level.duration.nanoseconds: must not be negative");
}

TEST_F(Stateful, SandboxesOfTasksAreAttached) {
  const json attached = getJson("/files/debug");
  const std::string sandbox = "/w/slaves/S0/frameworks/F0/executors/t1/runs/c1";
  EXPECT_EQ(attached[sandbox], sandbox);
  EXPECT_EQ(attached["/w/slaves/S0/frameworks/F0/executors/t1/runs/latest"], sandbox);
  EXPECT_EQ(attached["/frameworks/F0/executors/t1/runs/latest"], sandbox);
  EXPECT_EQ(attached["/slave/log"], "/nowhere/agent.log");
  EXPECT_EQ(get("/files/browse?path=/slave/log").status, 404);
}

TEST_F(Stateful, DisabledEndpointsAreForbidden) {
  EXPECT_EQ(get("/containerizer/debug").body, "Endpoint '/containerizer/debug' is disabled");
  EXPECT_EQ(get("/slave(1)/containerizer/debug.json").status, 403);
  EXPECT_EQ(get("/state").status, 200);
}

TEST_F(Served, WithoutAMasterThereAreNoFrameworks) {
  const json state = json::parse(get("/state").body);
  EXPECT_EQ(state["frameworks"], json::array());
  EXPECT_EQ(state["id"], "");
  EXPECT_EQ(state["resources"]["cpus"], 0);
  EXPECT_EQ(get("/containers").body, "[]");
  EXPECT_EQ(get("/monitor/statistics").body, "[]");
  EXPECT_EQ(get("/containerizer/debug").body, R"({"pending":[]})");
  EXPECT_EQ(call(R"({"type":"PRUNE_IMAGES","prune_images":{}})").status, 200);
  EXPECT_EQ(call(R"({"type":"PRUNE_IMAGES","prune_images":{"excluded_images":[{"type":"APPC"}]}})").body,
            "prune_images.excluded_images[0].type: only DOCKER images are supported");
}

}  // namespace
}  // namespace gantry::agent::api
