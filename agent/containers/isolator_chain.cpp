#include "agent/containers/isolator_chain.hpp"

#include <chrono>
#include <ranges>

#include <fmt/format.h>

#include "base/log.hpp"

namespace gantry::agent {
namespace {

using isolators::Container;
using isolators::ContainerPtr;
using isolators::Isolator;
using isolators::Limitation;

using Stopwatch = std::chrono::steady_clock;

void logCall(const Isolator& isolator, std::string_view call, const Container& container, Stopwatch::time_point begin) {
  const auto taken = std::chrono::duration_cast<std::chrono::microseconds>(Stopwatch::now() - begin);
  log::debug("isolator called", {{"isolator", isolator.name()},
                                 {"call", call},
                                 {"container", container.id().text()},
                                 {"microseconds", taken.count()}});
}

template <typename T>
Result<T> named(Result<T> result, const Isolator& isolator) {
  return std::move(result).under(isolator.name());
}

async::Task<> watchOne(Isolator* isolator, ContainerPtr container, std::function<void(Limitation)> report) {
  Limitation limitation = co_await isolator->watch(container);
  // A cancelled watch comes back without having found anything.
  if (!limitation.reason.empty()) report(std::move(limitation));
}

}  // namespace

IsolatorChain::IsolatorChain(std::vector<std::unique_ptr<Isolator>> isolators) : isolators_(std::move(isolators)) {}

Result<void> IsolatorChain::check(const isolators::ContainerRequest& request) const {
  for (const auto& isolator : isolators_) TRY_VOID(isolator->check(request));
  return {};
}

std::vector<isolators::KernelObject> IsolatorChain::plan(const Container& container) const {
  std::vector<isolators::KernelObject> objects;
  for (const auto& isolator : isolators_) {
    for (auto& object : isolator->plan(container)) objects.push_back(std::move(object));
  }
  return objects;
}

async::Task<Result<Contributions>> IsolatorChain::prepare(ContainerPtr container, bool needsImage) {
  Contributions contributions;
  for (std::size_t i = 0; i < isolators_.size(); ++i) {
    Isolator& isolator = *isolators_[i];
    if (isolator.needsImage() != needsImage) continue;
    const auto begin = Stopwatch::now();
    auto contribution = co_await isolator.prepare(container);
    logCall(isolator, "prepare", *container, begin);
    if (!contribution) co_return std::move(contribution).error().under(isolator.name());
    contributions.emplace(i, std::move(*contribution));
  }
  co_return contributions;
}

async::Task<Result<void>> IsolatorChain::attach(ContainerPtr container, pid_t init) {
  for (const auto& isolator : isolators_) {
    const auto begin = Stopwatch::now();
    auto attached = co_await isolator->attach(container, init);
    logCall(*isolator, "attach", *container, begin);
    CO_TRY_VOID(named(std::move(attached), *isolator));
  }
  co_return Result<void>();
}

async::Task<Result<void>> IsolatorChain::recover(ContainerPtr container) {
  for (const auto& isolator : isolators_) {
    auto recovered = co_await isolator->recover(container);
    CO_TRY_VOID(named(std::move(recovered), *isolator));
  }
  co_return Result<void>();
}

async::Task<Result<void>> IsolatorChain::cleanup(ContainerPtr container) {
  std::string failures;
  for (const auto& isolator : isolators_ | std::views::reverse) {
    const auto begin = Stopwatch::now();
    auto cleaned = co_await isolator->cleanup(container);
    logCall(*isolator, "cleanup", *container, begin);
    if (cleaned) continue;
    failures += fmt::format("{}{}: {}", failures.empty() ? "" : "; ", isolator->name(), cleaned.error().message());
  }
  if (!failures.empty()) co_return Error(Code::Internal, std::move(failures));
  co_return Result<void>();
}

void IsolatorChain::watch(async::Scope& scope, ContainerPtr container, std::function<void(Limitation)> report) const {
  for (const auto& isolator : isolators_) scope.spawn(watchOne(isolator.get(), container, report));
}

isolators::Usage IsolatorChain::usage(const Container& container) const {
  isolators::Usage usage;
  for (const auto& isolator : isolators_) {
    const auto measured = isolator->usage(container, usage);
    if (measured) continue;
    log::debug("usage could not be measured",
               {{"isolator", isolator->name()}, {"container", container.id().text()}, {"reason", measured.error()}});
  }
  return usage;
}

std::vector<isolators::NetworkStatus> IsolatorChain::networks(const Container& container) const {
  std::vector<isolators::NetworkStatus> networks;
  for (const auto& isolator : isolators_) {
    for (auto& network : isolator->networks(container)) networks.push_back(std::move(network));
  }
  return networks;
}

std::vector<pid_t> IsolatorChain::processes(const Container& container) const {
  std::vector<pid_t> all;
  for (const auto& isolator : isolators_) {
    for (const pid_t pid : isolator->processes(container)) all.push_back(pid);
  }
  return all;
}

std::set<std::string> IsolatorChain::leftovers() const {
  std::set<std::string> ids;
  for (const auto& isolator : isolators_) {
    for (auto& id : isolator->leftovers()) ids.insert(std::move(id));
  }
  return ids;
}

}  // namespace gantry::agent
