#include "agent/metrics/agent_metrics.hpp"

#include <gtest/gtest.h>

namespace gantry::agent {
namespace {

bool has(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

// Two containers, of which one runs and uses something.
class TwoContainers : public ContainerManager {
 public:
  async::Task<Result<LaunchOutcome>> launch(isolators::ContainerRequest) override { co_return refusal(); }
  async::Task<Result<void>> launchSession(SessionRequest) override { co_return refusal(); }
  async::Task<Result<Termination>> wait(ContainerId) override { co_return refusal(); }
  async::Task<Result<void>> kill(ContainerId, int) override { co_return refusal(); }
  async::Task<Result<void>> askToEnd(ContainerId) override { co_return refusal(); }
  async::Task<Result<void>> remove(ContainerId) override { co_return refusal(); }
  async::Task<Result<std::unique_ptr<Attachment>>> attach(ContainerId, Attachment::Ends) override {
    co_return refusal();
  }

  std::vector<ContainerStatus> list() const override { return {one("web", Phase::Running), one("db", Phase::Exited)}; }
  Result<ContainerStatus> status(const ContainerId&) const override { return refusal(); }
  Result<isolators::Usage> usage(const ContainerId& id) override {
    if (id.text() != "web") return refusal();
    ++measured;
    isolators::Usage usage;
    usage.cpusUserTimeSecs = 1.25;
    usage.memTotalBytes = 4096;
    return usage;
  }

  int measured = 0;

 private:
  static Error refusal() { return Error(Code::Unsupported, "not in this test"); }
  static ContainerStatus one(const char* name, Phase phase) {
    isolators::Container container{isolators::ContainerRequest(*ContainerId::root(name)), {}, {}, {}, {}, {}, {}};
    ContainerStatus status(std::make_shared<const isolators::Container>(std::move(container)));
    status.phase = phase;
    return status;
  }
};

TEST(AgentMetrics, CountContainersByPhaseAndMeasureTheRunningOnes) {
  TwoContainers containers;
  EngineCounters counters;
  counters.launches = 7;
  Registry registry;
  addEngineMetrics(registry, containers, counters);
  addUsageMetrics(registry, containers);
  const std::string text = registry.text();
  EXPECT_TRUE(has(text, "gantry_containers{phase=\"running\"} 1")) << text;
  EXPECT_TRUE(has(text, "gantry_containers{phase=\"exited\"} 1")) << text;
  EXPECT_TRUE(has(text, "gantry_containers{phase=\"starting\"} 0")) << text;
  EXPECT_TRUE(has(text, "gantry_launches_total 7")) << text;
  EXPECT_TRUE(has(text, "gantry_container_cpu_seconds_total{container=\"web\",mode=\"user\"} 1.25")) << text;
  EXPECT_TRUE(has(text, "gantry_container_memory_bytes{container=\"web\"} 4096")) << text;
  EXPECT_EQ(text.find("mode=\"system\""), std::string::npos) << "not measured, so not told";
  EXPECT_EQ(containers.measured, 1) << "once for all families";
}

TEST(AgentMetrics, CountRequestsWithoutLettingClientsMakeSeries) {
  Registry registry;
  const auto served = addHttpMetrics(registry);
  served({"GET", "/a", 200, std::chrono::milliseconds(500)});
  served({"GET", "/b", 200, std::chrono::milliseconds(250)});
  served({"BREW", "/", 405, {}});
  const std::string text = registry.text();
  EXPECT_TRUE(has(text, "gantry_http_requests_total{code=\"200\",method=\"GET\"} 2")) << text;
  EXPECT_TRUE(has(text, "gantry_http_requests_total{code=\"405\",method=\"other\"} 1")) << text;
  EXPECT_TRUE(has(text, "gantry_http_request_seconds_total{method=\"GET\"} 0.75")) << text;
}

TEST(AgentMetrics, TellAboutTheProcess) {
  Registry registry;
  addProcessMetrics(registry, "node1");
  const std::string text = registry.text();
  EXPECT_TRUE(has(text, "gantry_build_info{hostname=\"node1\",version=\"" GANTRY_VERSION "\"} 1")) << text;
  EXPECT_FALSE(has(text, "process_resident_memory_bytes 0")) << text;
  EXPECT_FALSE(has(text, "process_open_fds 0")) << text;
}

}  // namespace
}  // namespace gantry::agent
