#include "isolators/isolator.hpp"

#include "async/time.hpp"

namespace gantry::isolators {

Result<void> Isolator::check(const ContainerRequest& /*request*/) const {
  return {};
}

std::vector<KernelObject> Isolator::plan(const Container& /*container*/) const {
  return {};
}

bool Isolator::needsImage() const {
  return true;
}

async::Task<Result<void>> Isolator::attach(ContainerPtr /*container*/, pid_t /*init*/) {
  co_return Result<void>();
}

async::Task<Limitation> Isolator::watch(ContainerPtr /*container*/) {
  co_await async::never();
  co_return Limitation();
}

Result<void> Isolator::usage(const Container& /*container*/, Usage& /*into*/) {
  return {};
}

std::vector<NetworkStatus> Isolator::networks(const Container& /*container*/) const {
  return {};
}

std::vector<pid_t> Isolator::processes(const Container& /*container*/) const {
  return {};
}

async::Task<Result<void>> Isolator::recover(ContainerPtr /*container*/) {
  co_return Result<void>();
}

std::vector<std::string> Isolator::leftovers() const {
  return {};
}

}  // namespace gantry::isolators
