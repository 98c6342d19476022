#include <nlohmann/json.hpp>

#include "tests/agent/api/served.hpp"

namespace gantry::agent::api {
namespace {

using nlohmann::json;

class OurContainers : public Served {};

TEST_F(OurContainers, AreLaunchedWithWhatMesosCannotExpress) {
  const auto response = post("/gantry/v1/containers", R"({
      "launch_container":{"container_id":{"value":"web"},"command":{"value":"cat"}},
      "options":{"open_stdin":true,"labels":{"a":"b"}}})");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_TRUE(manager_.container("web")->status.container->request.openStdin);
  const auto refused = post("/gantry/v1/containers", R"({"launch_container":{"container_id":{"value":"x"}}})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.body, "launch_container.command: is missing, and there is no image to take one from");
}

TEST_F(OurContainers, AreListedWhenTheyRunOrAll) {
  launch("one");
  launch("two");
  manager_.end("two", 256);
  const json running = json::parse(get("/gantry/v1/containers").body)["containers"];
  ASSERT_EQ(running.size(), 1U);
  EXPECT_EQ(running[0]["id"], "one");
  EXPECT_EQ(running[0]["command"], json::array({"/bin/sh", "-c", "sleep 100"}));
  EXPECT_EQ(running[0]["pid"], 4711);
  const json all = json::parse(get("/gantry/v1/containers?all=true").body)["containers"];
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1]["exit"]["code"], 1);
  EXPECT_EQ(get("/gantry/v1/containers?all=maybe").body, "all: must be true or false");
}

TEST_F(OurContainers, ShowStatisticsWhenAsked) {
  launch("one");
  manager_.usageOfAll = isolators::Usage{};
  manager_.usageOfAll->memTotalBytes = 7;
  EXPECT_FALSE(json::parse(get("/gantry/v1/containers").body)["containers"][0].contains("statistics"));
  const json listed = json::parse(get("/gantry/v1/containers?statistics=true").body)["containers"];
  EXPECT_EQ(listed[0]["statistics"]["mem_total_bytes"], 7);
}

TEST_F(OurContainers, AreInspected) {
  launch("web");
  const json seen = json::parse(get("/gantry/v1/containers/web").body);
  EXPECT_EQ(seen["id"], "web");
  EXPECT_EQ(seen["request"]["command"]["value"], "sleep 100");
  EXPECT_EQ(seen["container_status"]["container_id"]["value"], "web");
  EXPECT_EQ(seen["sandbox"], directory_ + "/web");
  EXPECT_EQ(get("/gantry/v1/containers/nobody").status, 404);
  EXPECT_EQ(get("/gantry/v1/containers/a%20b").status, 400);
}

TEST_F(OurContainers, AreRemovedOnceEndedOrByForce) {
  launch("web");
  const auto remove = [this](const std::string& target) { return send({.method = "DELETE", .target = target}); };
  const auto busy = remove("/gantry/v1/containers/web");
  EXPECT_EQ(busy.status, 409);
  EXPECT_EQ(busy.body, "container 'web' is running");
  EXPECT_EQ(remove("/gantry/v1/containers/web?force=true").status, 200);
  EXPECT_FALSE(manager_.knows("web"));
  EXPECT_EQ(remove("/gantry/v1/containers/web").status, 404);
  EXPECT_EQ(remove("/gantry/v1/containers/web?force=true").status, 404);

  launch("slow")->status.phase = Phase::Provisioning;
  EXPECT_EQ(remove("/gantry/v1/containers/slow?force=true").status, 200) << "its launch is given up";
  EXPECT_FALSE(manager_.knows("slow"));
}

TEST_F(OurContainers, HaveSessionsOfTheirOwnOnly) {
  launch("web");
  launch("other");
  const auto response = post("/gantry/v1/containers/other/sessions", R"({"launch_nested_container_session":{
      "container_id":{"value":"s","parent":{"value":"web"}},"command":{"value":"sh"}}})");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body,
            "launch_nested_container_session.container_id.parent: must be 'other', the container of this path");
}

}  // namespace
}  // namespace gantry::agent::api
