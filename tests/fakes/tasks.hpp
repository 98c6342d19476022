// A task manager that writes down what it is told.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "agent/tasks/manager.hpp"

namespace gantry::fakes {

class FakeTasks : public agent::tasks::TaskManager {
 public:
  void registered(const std::string& agentId) override { told.push_back("registered " + agentId); }
  void run(agent::tasks::Framework framework, agent::tasks::TaskRequest request) override {
    told.push_back(fmt::format("run {} {}", framework.id, request.id));
  }
  void refuse(agent::tasks::Framework framework, std::string task, agent::tasks::TaskState state,
              agent::tasks::Reason reason, std::string /*message*/) override {
    told.push_back(fmt::format("refuse {} {} {} {}", framework.id, task, toString(state), toString(reason)));
  }
  void kill(const std::string& framework, const std::string& task,
            std::optional<agent::tasks::Duration> grace) override {
    told.push_back(fmt::format("kill {} {} {}", framework, task, grace ? grace->count() : -1));
  }
  void shutdownFramework(const std::string& framework) override { told.push_back("shutdownFramework " + framework); }
  void updateFramework(agent::tasks::Framework framework) override {
    told.push_back(fmt::format("updateFramework {} {}", framework.id, framework.pid));
  }
  void acknowledge(const std::string& framework, const std::string& task, const std::string& uuid) override {
    told.push_back(fmt::format("acknowledge {} {} {}", framework, task, uuid));
  }
  void reconcile(agent::tasks::Framework framework, const std::string& task) override {
    told.push_back(fmt::format("reconcile {} {}", framework.id, task));
  }
  void drain(agent::tasks::DrainConfig config) override { told.push_back(fmt::format("drain {}", config.markGone)); }
  void shutdown() override { told.emplace_back("shutdown"); }
  void connected(agent::tasks::UpdateSink& where) override {
    sink = &where;
    told.emplace_back("connected");
  }
  void disconnected() override {
    if (sink != nullptr) told.emplace_back("disconnected");
    sink = nullptr;
  }
  agent::tasks::Snapshot snapshot() const override { return now; }
  const agent::tasks::TaskCounters& counters() const override { return counted; }

  // In order, one line for each call; of disconnected() only those that change something.
  std::vector<std::string> told;
  agent::tasks::UpdateSink* sink = nullptr;
  agent::tasks::Snapshot now;
  agent::tasks::TaskCounters counted;
};

}  // namespace gantry::fakes
