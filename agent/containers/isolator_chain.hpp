// The agent's isolators in their order: the one place that calls them, times every call and logs it by name.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "async/scope.hpp"
#include "isolators/isolator.hpp"

namespace gantry::agent {

// By the isolator's place in the list, so that what was prepared side by side is still folded in list order.
using Contributions = std::map<std::size_t, isolators::Contribution>;

// Errors begin with the isolator's name, except those of check, which begin with a field's. Only used on the agent's
// thread.
class IsolatorChain {
 public:
  explicit IsolatorChain(std::vector<std::unique_ptr<isolators::Isolator>> isolators);

  // The first refusal in list order.
  Result<void> check(const isolators::ContainerRequest& request) const;
  std::vector<isolators::KernelObject> plan(const isolators::Container& container) const;

  // In list order, until one fails: those that need the image, or those that do not.
  async::Task<Result<Contributions>> prepare(isolators::ContainerPtr container, bool needsImage);
  async::Task<Result<void>> attach(isolators::ContainerPtr container, pid_t init);
  async::Task<Result<void>> recover(isolators::ContainerPtr container);
  // In reverse order, all of them even when some fail; the error then has every failure.
  async::Task<Result<void>> cleanup(isolators::ContainerPtr container);

  // Watches in `scope` until that is cancelled, and calls `report` with each limitation.
  void watch(async::Scope& scope, isolators::ContainerPtr container,
             std::function<void(isolators::Limitation)> report) const;

  // What could be measured; an isolator that fails leaves its part unset.
  isolators::Usage usage(const isolators::Container& container) const;
  std::vector<isolators::NetworkStatus> networks(const isolators::Container& container) const;
  std::vector<pid_t> processes(const isolators::Container& container) const;
  std::set<std::string> leftovers() const;

 private:
  std::vector<std::unique_ptr<isolators::Isolator>> isolators_;
};

}  // namespace gantry::agent
