#include "agent/wire/response.hpp"

#include <agent/wire/mesos_v1_agent.pb.h>
#include <gtest/gtest.h>

namespace gantry::agent::wire {
namespace {

ContainerStatus statusOf(const std::string& id) {
  isolators::Container container{isolators::ContainerRequest(*ContainerId::parse(id)), {}, {}, {}, {}, {}, {}};
  return ContainerStatus(std::make_shared<const isolators::Container>(std::move(container)));
}

TEST(Response, SpellsTheSmallAnswersAsMesosDoes) {
  EXPECT_EQ(encodeHealth(true, Media::Json), R"({"type":"GET_HEALTH","get_health":{"healthy":true}})");
  EXPECT_EQ(
      encodeVersion({"1.2.3", "1970-01-01 00:00:07", 7, ""}, Media::Json),
      R"({"type":"GET_VERSION","get_version":{"version_info":{"version":"1.2.3","build_date":"1970-01-01 00:00:07","build_time":7.0}}})");
  EXPECT_EQ(encodeFlags({{"port", "5051"}}, Media::Json),
            R"({"type":"GET_FLAGS","get_flags":{"flags":[{"name":"port","value":"5051"}]}})");
  EXPECT_EQ(encodeFileContent(10, "abc", Media::Json), R"({"type":"READ_FILE","read_file":{"size":10,"data":"YWJj"}})");
}

TEST(Response, SpellsFilesAsMesosDoes) {
  EXPECT_EQ(encodeFileList({{"/x/stdout", 1, 3, std::chrono::nanoseconds(7), 0100644, "root", "root"}}, Media::Json),
            R"({"type":"LIST_FILES","list_files":{"file_infos":[{"path":"/x/stdout","nlink":1,"size":3,)"
            R"("mtime":{"nanoseconds":7},"mode":33188,"uid":"root","gid":"root"}]}})");
  EXPECT_EQ(encodeFileList({}, Media::Json), R"({"type":"LIST_FILES","list_files":{}})");
}

TEST(Response, SpellsHowAContainerEndedAsMesosDoes) {
  Termination termination{256, {}, {}, "exited with status 1"};
  EXPECT_EQ(encodeTermination(termination, false, Media::Json),
            R"({"type":"WAIT_CONTAINER","wait_container":{"exit_status":256,"message":"exited with status 1"}})");
  termination = {9, "TASK_FAILED", "REASON_CONTAINER_LIMITATION_MEMORY", "too much"};
  EXPECT_EQ(encodeTermination(termination, true, Media::Json),
            R"({"type":"WAIT_NESTED_CONTAINER","wait_nested_container":{"exit_status":9,"state":"TASK_FAILED",)"
            R"("reason":"REASON_CONTAINER_LIMITATION_MEMORY","message":"too much"}})");
}

TEST(Response, SpellsContainersWithStatusAndStatistics) {
  ContainerEntry entry{.status = statusOf("web"),
                       .executor = {},
                       .usage = isolators::Usage{},
                       .measured = Clock::time_point(std::chrono::milliseconds(1500))};
  entry.status.pid = 42;
  entry.status.networks = {{"gantry", "eth0", {"10.1.0.2", "fd00::2"}, {{8080, 80}}}};
  entry.usage->memRssBytes = 4096;
  entry.usage->cpusUserTimeSecs = 0.25;
  EXPECT_EQ(encodeContainers({entry}, Media::Json),
            R"({"type":"GET_CONTAINERS","get_containers":{"containers":[{"container_id":{"value":"web"},)"
            R"("container_status":{"network_infos":[{"ip_addresses":[{"protocol":"IPv4","ip_address":"10.1.0.2"},)"
            R"({"protocol":"IPv6","ip_address":"fd00::2"}],"name":"gantry",)"
            R"("port_mappings":[{"host_port":8080,"container_port":80,"protocol":"tcp"}]}],)"
            R"("executor_pid":42,"container_id":{"value":"web"}},)"
            R"("resource_statistics":{"timestamp":1.5,"cpus_user_time_secs":0.25,"mem_rss_bytes":4096}}]}})");
  mesos::v1::agent::Response response;
  ASSERT_TRUE(response.ParseFromString(encodeContainers({entry}, Media::Protobuf)));
  EXPECT_EQ(response.get_containers().containers(0).resource_statistics().mem_rss_bytes(), 4096U);
}

TEST(Response, SpellsNestedIdsWithTheirParents) {
  const std::string json = containerStatusJson(statusOf("web.exec-1"));
  EXPECT_EQ(json, R"({"container_id":{"value":"exec-1","parent":{"value":"web"}}})");
}

}  // namespace
}  // namespace gantry::agent::wire
