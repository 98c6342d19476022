// What the engine works with, in small: an image store, isolators, monitors and a runtime that note what is asked of
// them in one journal, and can be told to fail or to hang at any step. A container's first process is a real one.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "agent/containers/monitors.hpp"
#include "agent/containers/oci_runtime.hpp"
#include "agent/images/store.hpp"
#include "async/process.hpp"
#include "async/time.hpp"
#include "isolators/isolator.hpp"
#include "kernel/file.hpp"

namespace gantry::agent::fakes {

// What happens, in its order, and what is to go wrong. Steps are named "<what> <name>", as in the journal.
class Script {
 public:
  std::vector<std::string> journal;
  std::set<std::string> failing;
  std::set<std::string> hanging;

  // Notes the step; fails or hangs when the script says so.
  static async::Task<Result<void>> step(std::shared_ptr<Script> script, std::string name) {
    script->journal.push_back(name);
    if (script->hanging.contains(name)) {
      co_await async::never();
      co_return Error(Code::Cancelled, "cancelled");
    }
    if (script->failing.contains(name)) co_return Error(Code::Unavailable, name + " fails");
    co_return Result<void>();
  }
  bool noted(const std::string& name) const { return std::ranges::find(journal, name) != journal.end(); }
};
using ScriptPtr = std::shared_ptr<Script>;

class Isolator final : public isolators::Isolator {
 public:
  Isolator(ScriptPtr script, std::string name, bool needsImage)
      : script_(std::move(script)), name_(std::move(name)), needsImage_(needsImage) {}

  std::optional<std::string> rootfs;
  std::vector<std::string> found;  // leftovers
  std::shared_ptr<std::optional<isolators::Limitation>> limitation =
      std::make_shared<std::optional<isolators::Limitation>>();

  std::string_view name() const override { return name_; }
  bool needsImage() const override { return needsImage_; }
  Result<void> check(const isolators::ContainerRequest&) const override {
    if (script_->failing.contains("check " + name_)) return Error::invalid(name_, "is refused");
    return {};
  }
  std::vector<isolators::KernelObject> plan(const isolators::Container& container) const override {
    return {{.kind = name_, .name = container.id().text()}};
  }
  async::Task<Result<isolators::Contribution>> prepare(isolators::ContainerPtr) override {
    CO_TRY_VOID(co_await step("prepare"));
    isolators::Contribution contribution;
    contribution.rootfs = rootfs;
    contribution.environment["LAST"] = name_;
    co_return contribution;
  }
  async::Task<Result<void>> attach(isolators::ContainerPtr, pid_t) override { return step("attach"); }
  async::Task<isolators::Limitation> watch(isolators::ContainerPtr) override {
    const auto wanted = limitation;
    while (!*wanted) {
      const auto slept = co_await async::sleep(std::chrono::milliseconds(2));
      if (!slept) co_return isolators::Limitation();
    }
    co_return **wanted;
  }
  async::Task<Result<void>> cleanup(isolators::ContainerPtr) override { return step("cleanup"); }
  async::Task<Result<void>> recover(isolators::ContainerPtr) override { return step("recover"); }
  std::vector<std::string> leftovers() const override { return found; }

 private:
  async::Task<Result<void>> step(std::string call) { return Script::step(script_, call + " " + name_); }

  ScriptPtr script_;
  std::string name_;
  bool needsImage_;
};

class Runtime final : public OciRuntime {
 public:
  explicit Runtime(ScriptPtr script) : script_(std::move(script)) {}
  async::Task<Result<void>> start(ContainerId) override { return Script::step(script_, "runtime start"); }
  async::Task<Result<void>> remove(ContainerId) override { return Script::step(script_, "runtime remove"); }

 private:
  ScriptPtr script_;
};

// Runs `sleep` as every container's first process. Outlives engines, as monitors outlive agents.
class Monitors final : public agent::Monitors {
 public:
  explicit Monitors(ScriptPtr script) : script_(std::move(script)) {}
  ~Monitors() override {
    for (auto& [directory, process] : processes_) {
      if (process->child) ignore(process->child->signal(9), "it has ended");
      if (process->child && !process->reaped) ignore(process->child->wait(), "it has ended");
    }
  }

  async::Task<Result<std::unique_ptr<Monitor>>> start(MonitorCommand command) override {
    CO_TRY_VOID(co_await Script::step(script_, "monitor start"));
    const bool isSession = !command.process.empty();
    auto process = std::make_shared<FirstProcess>();
    kernel::Command sleep{.program = "/bin/sleep", .arguments = {"1000"}};
    CO_TRY(auto child, kernel::spawn(sleep));
    process->child = std::make_shared<kernel::Process>(std::move(child));
    processes_[command.directory] = process;
    commands.push_back(std::move(command));
    std::unique_ptr<Monitor> monitor =
        std::make_unique<FakeMonitor>(script_, process, isSession ? "session created" : "monitor created");
    co_return monitor;
  }
  async::Task<Result<std::unique_ptr<Monitor>>> find(std::string directory) override {
    if (unreachable > 0) {
      --unreachable;
      co_return Error(Code::Exhausted, "too many open files");
    }
    const auto found = processes_.find(directory);
    if (found == processes_.end()) co_return Error(Code::NotFound, "no monitor in " + directory);
    std::unique_ptr<Monitor> monitor = std::make_unique<FakeMonitor>(script_, found->second, "monitor created");
    co_return monitor;
  }
  async::Task<> lost(std::string) override {
    while (!lostOne) {
      const auto slept = co_await async::sleep(std::chrono::milliseconds(2));
      if (!slept) co_return;
    }
  }

  // First processes that nobody has ended.
  std::size_t running() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        processes_, [](const auto& each) { return !each.second->abandoned && !each.second->reaped; }));
  }

  std::vector<MonitorCommand> commands;
  bool lostOne = false;
  // How many more times find() fails for want of descriptors.
  int unreachable = 0;

 private:
  struct FirstProcess {
    std::shared_ptr<kernel::Process> child;
    bool reaped = false;
    bool abandoned = false;
    std::optional<int> status;
  };

  class FakeMonitor final : public Monitor {
   public:
    FakeMonitor(ScriptPtr script, std::shared_ptr<FirstProcess> process, std::string step)
        : script_(std::move(script)), process_(std::move(process)), step_(std::move(step)) {}

    async::Task<Result<kernel::ProcessId>> created() override {
      if (script_->hanging.contains(step_)) co_return co_await neverCreated(script_, process_, step_);
      CO_TRY_VOID(co_await Script::step(script_, step_));
      co_return kernel::identify(process_->child->pid());
    }
    async::Task<Result<ExitRecord>> exited() override {
      const auto process = process_;
      if (!process->reaped) {
        CO_TRY(const int status, co_await async::exited(process->child));
        process->reaped = true;
        process->status = status;
      }
      co_return ExitRecord{.waitStatus = process->status, .time = Clock::now()};
    }
    async::Task<Result<std::unique_ptr<Attachment>>> attach(Attachment::Ends) override {
      co_return Error(Code::NotFound, "nothing to attach to");
    }
    Result<void> abandon() override {
      process_->abandoned = true;
      return process_->child->signal(9);
    }

   private:
    // A runtime that hangs does so until its monitor is killed.
    static async::Task<Result<kernel::ProcessId>> neverCreated(ScriptPtr script, std::shared_ptr<FirstProcess> process,
                                                               std::string step) {
      script->journal.push_back(step);
      while (script->hanging.contains(step) && !process->abandoned) {
        CO_TRY_VOID(co_await async::sleep(std::chrono::milliseconds(1)));
      }
      if (!process->abandoned) co_return kernel::identify(process->child->pid());
      co_return Error(Code::Unavailable, "the monitor was killed");
    }

    ScriptPtr script_;
    std::shared_ptr<FirstProcess> process_;
    std::string step_;
  };

  ScriptPtr script_;
  std::map<std::string, std::shared_ptr<FirstProcess>> processes_;
};

class Images final : public ImageStore {
 public:
  explicit Images(ScriptPtr script) : script_(std::move(script)) {}

  fetcher::Image image;

  async::Task<Result<fetcher::Image>> get(std::string reference, bool, fetcher::ProgressSink) override {
    CO_TRY_VOID(co_await Script::step(script_, "image get"));
    fetcher::Image found = image;
    found.reference = std::move(reference);
    co_return found;
  }
  std::vector<Entry> list() const override { return {}; }
  Result<void> forget(const std::string&) override { return {}; }
  async::Task<Result<Pruned>> prune(std::set<std::string>) override { co_return Pruned(); }

 private:
  ScriptPtr script_;
};

}  // namespace gantry::agent::fakes
