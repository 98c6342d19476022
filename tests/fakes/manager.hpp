// A ContainerManager and an ImageStore in memory, for what stands above them: containers "run" until they are killed or
// the test ends them; output is what the test says, input is kept for it to see.
#pragma once

#include <sys/stat.h>

#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/containers/manager.hpp"
#include "agent/images/store.hpp"
#include "async/channel.hpp"
#include "async/event.hpp"

namespace gantry::agent::fakes {

class Manager final : public ContainerManager {
 public:
  struct Container {
    Container(const async::Executor& executor, isolators::ContainerPtr facts)
        : status(std::move(facts)), ended(executor), output(executor, 1000), inputChanged(executor) {}

    ContainerStatus status;
    async::Event ended;
    async::Channel<Attachment::Chunk> output;
    // What attached clients sent: data, "<closed>", "<24x80>".
    std::string input;
    async::Notification inputChanged;
    std::vector<int> signals;
    int asked = 0;
  };
  using ContainerPtr = std::shared_ptr<Container>;

  // Sandboxes are made below `directory`.
  Manager(async::Executor executor, std::string directory)
      : executor_(executor), directory_(std::move(directory)), released_(executor) {}

  std::optional<Error> launchFailure;
  // Launches stay at the creation until releaseLaunches().
  bool holdLaunches = false;
  // How many removals come too early.
  int busyRemovals = 0;
  // Containers that are asked to end do so.
  bool obeyAsking = true;
  std::optional<isolators::Usage> usageOfAll;

  ContainerPtr container(const std::string& id) const { return containers_.at(*ContainerId::parse(id)); }
  bool knows(const std::string& id) const { return containers_.contains(*ContainerId::parse(id)); }
  void end(const std::string& id, int waitStatus) { end(container(id), waitStatus); }
  void end(const std::string& id, Termination termination) { end(container(id), std::move(termination)); }
  // What an agent finds that starts after this one was killed: launches were cut, the rest is as it is.
  std::unique_ptr<Manager> asFoundByTheNextAgent() const {
    auto next = std::make_unique<Manager>(executor_, directory_);
    next->obeyAsking = obeyAsking;
    for (const auto& [id, container] : containers_) {
      auto copy = std::make_shared<Container>(executor_, container->status.container);
      copy->status = container->status;
      if (copy->status.phase == Phase::Creating) {
        copy->status.started.reset();
        end(copy, Termination{{}, "TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED", "the agent was restarted"});
      }
      if (copy->status.phase == Phase::Exited) copy->ended.set();
      next->containers_.emplace(id, std::move(copy));
    }
    return next;
  }
  std::size_t count() const { return containers_.size(); }
  void releaseLaunches() {
    holdLaunches = false;
    released_.notify();
  }

  async::Task<Result<LaunchOutcome>> launch(isolators::ContainerRequest request) override {
    if (launchFailure) co_return *launchFailure;
    if (const auto known = containers_.find(request.id); known != containers_.end()) {
      if (known->second->status.container->request == request) co_return LaunchOutcome::AlreadyLaunched;
      co_return Error(Code::AlreadyExists, "container_id: '" + request.id.text() + "' exists with another request");
    }
    const ContainerId id = request.id;
    add(std::move(request));
    while (holdLaunches) {
      containers_.at(id)->status.phase = Phase::Creating;
      CO_TRY_VOID(co_await released_.after(released_.count()));
      if (!containers_.contains(id)) co_return Error(Code::Cancelled, "the launch was given up");
    }
    containers_.at(id)->status.phase = Phase::Running;
    co_return LaunchOutcome::Launched;
  }
  async::Task<Result<void>> launchSession(SessionRequest request) override {
    if (launchFailure) co_return *launchFailure;
    if (!containers_.contains(*request.id.parent())) co_return unknown(*request.id.parent());
    isolators::ContainerRequest asContainer(request.id);
    asContainer.command = request.command;
    asContainer.terminal = request.terminal;
    add(std::move(asContainer));
    co_return Result<void>();
  }
  async::Task<Result<Termination>> wait(ContainerId id) override {
    CO_TRY(const ContainerPtr found, find(id));
    CO_TRY_VOID(co_await found->ended.wait());
    co_return *found->status.termination;
  }
  async::Task<Result<void>> kill(ContainerId id, int signal) override {
    CO_TRY(const ContainerPtr found, find(id));
    found->signals.push_back(signal);
    // Of a launch that is given up nothing stays.
    if (found->status.phase != Phase::Running && found->status.phase != Phase::Exited) {
      containers_.erase(id);
      released_.notify();
    }
    if (!found->ended.isSet() && (signal == SIGKILL || signal == SIGTERM)) end(found, signal);
    co_return Result<void>();
  }
  async::Task<Result<void>> askToEnd(ContainerId id) override {
    CO_TRY(const ContainerPtr found, find(id));
    ++found->asked;
    if (obeyAsking && !found->ended.isSet()) end(found, SIGTERM);
    co_return Result<void>();
  }
  async::Task<Result<void>> remove(ContainerId id) override {
    CO_TRY(const ContainerPtr found, find(id));
    if (!found->ended.isSet()) co_return Error(Code::Busy, "container '" + id.text() + "' is running");
    if (busyRemovals > 0) {
      --busyRemovals;
      co_return Error(Code::Busy, "container '" + id.text() + "' is being cleared away");
    }
    containers_.erase(id);
    co_return Result<void>();
  }
  async::Task<Result<std::unique_ptr<Attachment>>> attach(ContainerId id, Attachment::Ends ends) override {
    CO_TRY(const ContainerPtr found, find(id));
    std::unique_ptr<Attachment> attachment = std::make_unique<MemoryAttachment>(found, ends);
    co_return attachment;
  }

  std::vector<ContainerStatus> list() const override {
    std::vector<ContainerStatus> all;
    for (const auto& [id, found] : containers_) all.push_back(found->status);
    return all;
  }
  Result<ContainerStatus> status(const ContainerId& id) const override {
    TRY(const ContainerPtr found, find(id));
    return found->status;
  }
  Result<isolators::Usage> usage(const ContainerId& id) override {
    TRY(const ContainerPtr found, find(id));
    if (!usageOfAll) return Error(Code::Unavailable, "nothing is measured");
    return *usageOfAll;
  }

 private:
  class MemoryAttachment final : public Attachment {
   public:
    MemoryAttachment(ContainerPtr container, Ends ends) : container_(std::move(container)), ends_(ends) {}

    async::Task<Result<std::optional<Chunk>>> read() override {
      return ends_ == Ends::Both ? container_->output.receive() : untilEnded(container_);
    }
    async::Task<Result<void>> writeStdin(std::string data) override { return note(container_, std::move(data)); }
    async::Task<Result<void>> closeStdin() override { return note(container_, "<closed>"); }
    async::Task<Result<void>> resize(std::uint16_t rows, std::uint16_t columns) override {
      return note(container_, "<" + std::to_string(rows) + "x" + std::to_string(columns) + ">");
    }

   private:
    static async::Task<Result<std::optional<Chunk>>> untilEnded(ContainerPtr container) {
      CO_TRY_VOID(co_await container->ended.wait());
      co_return std::optional<Chunk>();
    }
    static async::Task<Result<void>> note(ContainerPtr container, std::string what) {
      container->input += what;
      container->inputChanged.notify();
      co_return Result<void>();
    }

    ContainerPtr container_;
    Ends ends_;
  };

  static Error unknown(const ContainerId& id) {
    return Error(Code::NotFound, "container '" + id.text() + "' is not known");
  }
  Result<ContainerPtr> find(const ContainerId& id) const {
    const auto found = containers_.find(id);
    if (found == containers_.end()) return unknown(id);
    return found->second;
  }
  void add(isolators::ContainerRequest request) {
    isolators::Container facts{.request = std::move(request)};
    facts.sandbox = facts.request.sandbox.value_or(directory_ + "/" + facts.request.id.text());
    ::mkdir(facts.sandbox.c_str(), 0755);
    const ContainerId id = facts.request.id;
    auto made = std::make_shared<Container>(executor_, std::make_shared<const isolators::Container>(std::move(facts)));
    made->status.phase = Phase::Running;
    made->status.created = Clock::now();
    made->status.started = made->status.created;
    made->status.pid = 4711;
    containers_.emplace(id, std::move(made));
  }
  static void end(const ContainerPtr& container, int waitStatus) {
    end(container, Termination{waitStatus, {}, {}, "ended"});
  }
  static void end(const ContainerPtr& container, Termination termination) {
    container->status.phase = Phase::Exited;
    container->status.finished = Clock::now();
    container->status.pid = 0;
    container->status.termination = std::move(termination);
    container->output.close();
    container->ended.set();
  }

  async::Executor executor_;
  std::string directory_;
  async::Notification released_;
  std::map<ContainerId, ContainerPtr> containers_;
};

// Knows the images that the test put there; pulls report one step of progress.
class Store final : public ImageStore {
 public:
  std::map<std::string, Entry> images;
  std::vector<bool> askedForCached;

  async::Task<Result<fetcher::Image>> get(std::string reference, bool useCached,
                                          fetcher::ProgressSink progress) override {
    askedForCached.push_back(useCached);
    const auto found = images.find(reference);
    if (found == images.end()) co_return Error(Code::NotFound, "there is no image '" + reference + "'");
    if (progress) {
      fetcher::Progress step{.digest = found->second.image.manifestDigest};
      step.done = Bytes{1};
      step.total = Bytes{2};
      progress(step);
    }
    co_return found->second.image;
  }
  std::vector<Entry> list() const override {
    std::vector<Entry> all;
    for (const auto& [reference, entry] : images) all.push_back(entry);
    return all;
  }
  Result<void> forget(const std::string& reference) override {
    images.erase(reference);
    return {};
  }
  async::Task<Result<Pruned>> prune(std::set<std::string>) override { co_return Pruned(); }
};

}  // namespace gantry::agent::fakes
