#include "tests/agent/api/served.hpp"

namespace gantry::agent::api {
namespace {

std::string on(const std::string& type, const std::string& part, const std::string& id, const std::string& more = "") {
  return R"({"type":")" + type + "\",\"" + part + R"(":{"container_id":{"value":")" + id + "\"}" + more + "}}";
}

TEST_F(Served, SaysHowItIs) {
  EXPECT_EQ(get("/health").status, 200);
  EXPECT_EQ(get("/health").body, "");
  EXPECT_EQ(get("/healthz").body, "ok");
  EXPECT_EQ(get("/readyz").body, "ok");
  EXPECT_EQ(get("/version").body,
            R"({"build_date":"2023-11-14 22:13:20","build_time":1700000000,"build_user":"bob","version":"1.2.3"})");
  EXPECT_EQ(get("/slave(1)/flags").body, R"({"flags":{"port":"5051"}})");
  EXPECT_EQ(get("/metrics").body, "gantry_up 1\n");
  EXPECT_EQ(call(R"({"type":"GET_HEALTH"})").body, R"({"type":"GET_HEALTH","get_health":{"healthy":true}})");
  EXPECT_EQ(call(R"({"type":"GET_VERSION"})").body,
            R"({"type":"GET_VERSION","get_version":{"version_info":{"version":"1.2.3",)"
            R"("build_date":"2023-11-14 22:13:20","build_time":1700000000.0,"build_user":"bob"}}})");
  EXPECT_EQ(call(R"({"type":"GET_FLAGS"})").body,
            R"({"type":"GET_FLAGS","get_flags":{"flags":[{"name":"port","value":"5051"}]}})");
}

TEST_F(Served, AnswersInProtobufWhenAsked) {
  const auto response = post("/slave(1)/api/v1", std::string("\x08\x01", 2),
                             {{"Content-Type", "application/x-protobuf"}, {"Accept", "application/x-protobuf"}});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.find("Content-Type"), "application/x-protobuf");
  EXPECT_EQ(response.body, std::string("\x08\x01\x12\x02\x08\x01", 6));
}

TEST_F(Served, RefusesBadInputWithASentence) {
  EXPECT_EQ(get("/api/v1").status, 405);
  EXPECT_EQ(get("/api/v1").headers.find("Allow"), "POST");
  EXPECT_EQ(get("/nowhere").status, 404);
  const auto refused = [this](const std::string& body) {
    const auto response = call(body);
    return std::to_string(response.status) + " " + response.body;
  };
  EXPECT_EQ(refused(R"({"type":"MAKE_COFFEE"})"), "400 type: 'MAKE_COFFEE' is not one of its values");
  EXPECT_EQ(refused(R"({"type":7})"), "400 type: is a number, not a name");
  EXPECT_EQ(refused("{}"), "400 type: is required");
  EXPECT_EQ(refused("not json").substr(0, 17), "400 body: is not ");
  EXPECT_EQ(refused(std::string(1000, '[')), "400 body: is nested more than 200 levels deep");
  EXPECT_EQ(refused(R"({"type":"MARK_RESOURCE_PROVIDER_GONE"})"),
            "501 type: MARK_RESOURCE_PROVIDER_GONE is not served by this agent");
  EXPECT_EQ(refused(R"({"type":"UNKNOWN"})"), "501 type: UNKNOWN is not served by this agent");
  EXPECT_EQ(refused(R"({"type":"ATTACH_CONTAINER_INPUT"})").substr(0, 3), "415");
  EXPECT_EQ(call(std::string(100'000, ' ')).status, 413);
  EXPECT_EQ(post("/api/v1", "{}", {}).status, 400);
  EXPECT_EQ(post("/api/v1", "{}", {{"Content-Type", "text/plain"}}).status, 415);
  EXPECT_EQ(post("/api/v1", R"({"type":"GET_HEALTH"})",
                 {{"Content-Type", "application/json"}, {"Accept", "application/recordio"}})
                .status,
            406);
}

TEST_F(Served, LaunchesOnce) {
  launch("web");
  EXPECT_EQ(manager_.container("web")->status.container->request.command.value, "sleep 100");
  const std::string again = R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"web"},)";
  EXPECT_EQ(call(again + R"("command":{"value":"sleep 100"}}})").status, 202);
  const auto other = call(again + R"("command":{"value":"other"}}})");
  EXPECT_EQ(other.status, 409);
  EXPECT_EQ(other.body, "container_id: 'web' exists with another request");
}

TEST_F(Served, SaysWhyALaunchFailed) {
  manager_.launchFailure = Error(Code::Unavailable, "image 'x': the registry does not answer");
  const auto response =
      call(R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"a"},"command":{"value":"x"}}})");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body, "image 'x': the registry does not answer");
}

TEST_F(Served, WaitsForTheEnd) {
  launch("web");
  async::Scope scope(loop_.get_executor());
  auto endLater = [](fakes::Manager* manager) -> async::Task<> {
    ignore(co_await async::sleep(20ms), "nobody cancels it");
    manager->end("web", 256);
  };
  scope.spawn(endLater(&manager_));
  EXPECT_EQ(call(on("WAIT_CONTAINER", "wait_container", "web")).body,
            R"({"type":"WAIT_CONTAINER","wait_container":{"exit_status":256,"message":"ended"}})");
  EXPECT_EQ(call(on("WAIT_NESTED_CONTAINER", "wait_nested_container", "web")).body,
            R"({"type":"WAIT_NESTED_CONTAINER","wait_nested_container":{"exit_status":256,"message":"ended"}})");
  EXPECT_EQ(call(on("WAIT_CONTAINER", "wait_container", "nobody")).status, 404);
  async::runUntilDone(loop_, scope.join());
}

TEST_F(Served, KillsAndRemoves) {
  const auto web = launch("web");
  EXPECT_EQ(call(on("REMOVE_CONTAINER", "remove_container", "web")).status, 500);
  EXPECT_EQ(call(on("KILL_CONTAINER", "kill_container", "web", R"(,"signal":1)")).status, 200);
  EXPECT_EQ(call(on("KILL_CONTAINER", "kill_container", "web")).status, 200);
  EXPECT_EQ(web->signals, (std::vector<int>{1, 9}));
  EXPECT_EQ(call(on("REMOVE_CONTAINER", "remove_container", "web")).status, 200);
  EXPECT_FALSE(manager_.knows("web"));
  EXPECT_EQ(call(on("REMOVE_CONTAINER", "remove_container", "web")).status, 200) << "it is gone, as asked";
  EXPECT_EQ(call(on("KILL_CONTAINER", "kill_container", "web")).status, 404);
}

TEST_F(Served, ListsContainersAsMesosDoes) {
  launch("web");
  manager_.usageOfAll = isolators::Usage{};
  manager_.usageOfAll->memRssBytes = 4096;
  EXPECT_EQ(call(R"({"type":"GET_CONTAINERS"})").body, R"({"type":"GET_CONTAINERS","get_containers":{}})");
  const std::string standalone = R"({"type":"GET_CONTAINERS","get_containers":{"show_standalone":true}})";
  const auto listed = call(standalone).body;
  EXPECT_NE(listed.find(R"("container_id":{"value":"web"},"container_status":{"executor_pid":4711)"), std::string::npos)
      << listed;
  EXPECT_NE(listed.find(R"("mem_rss_bytes":4096)"), std::string::npos) << listed;
  manager_.end("web", 0);
  EXPECT_EQ(call(standalone).body, R"({"type":"GET_CONTAINERS","get_containers":{}})");
}

TEST(Gate, IsShutUntilRecovery) {
  async::Loop loop;
  fakes::Manager manager(loop.get_executor(), "/tmp");
  fakes::Store store;
  Api api(loop.get_executor(), manager, store, {});
  const auto status = [&api](const std::string& path) {
    http::Request request;
    request.path = path;
    const auto refusal = api.gate(request);
    return refusal ? refusal->status : 200;
  };
  for (const char* path : {"/health", "/healthz", "/readyz", "/version", "/slave(1)/metrics"}) {
    EXPECT_EQ(status(path), 200) << path;
  }
  EXPECT_EQ(status("/api/v1"), 503);
  EXPECT_EQ(status("/gantry/v1/containers"), 503);
  api.recovered();
  EXPECT_EQ(status("/api/v1"), 200);
}

}  // namespace
}  // namespace gantry::agent::api
