#include "network/bridge_keeper.hpp"

#include <string>

#include <fmt/format.h>

#include "kernel/file.hpp"
#include "kernel/net_namespace.hpp"

namespace gantry::network {
namespace {

std::string pathOf(const std::string& interface) {
  return fmt::format("/sys/class/net/{}", interface);
}

// An interface that is not there is success.
Result<bool> removeUnlessUsed(const std::string& interface) {
  const auto ports = kernel::listDirectory(pathOf(interface) + "/brif");
  if (!ports) return true;
  if (!ports->empty()) return false;
  TRY_VOID(kernel::removeBridge(interface));
  return true;
}

}  // namespace

BridgeKeeper::BridgeKeeper(async::Executor executor, async::WorkerPool& pool, BridgeOptions options)
    : pool_(pool),
      options_(std::move(options)),
      network_(defaultBridge(options_)),
      marker_(fmt::format("{}/{}.rules", options_.addressDirectory, options_.interface)),
      turnEnded_(std::move(executor)) {}

bool BridgeKeeper::isUp() const {
  return kernel::exists(marker_) || kernel::exists(pathOf(options_.interface));
}

async::Task<Result<void>> BridgeKeeper::takeTurn() {
  while (busy_) CO_TRY_VOID(co_await turnEnded_.after(turnEnded_.count()));
  busy_ = true;
  co_return Result<void>();
}

void BridgeKeeper::endTurn() {
  busy_ = false;
  turnEnded_.notify();
}

async::Task<Result<void>> BridgeKeeper::makeRules(Iptables iptables) {
  CO_TRY_VOID(kernel::replaceVolatileFile(marker_, ""));
  CO_TRY_VOID(co_await setBridgeRules(std::move(iptables), options_.subnet, options_.interface));
  raised_ = true;
  co_return Result<void>();
}

async::Task<Result<void>> BridgeKeeper::removeRules(Iptables iptables) {
  CO_TRY_VOID(co_await removeBridgeRules(std::move(iptables), options_.interface));
  raised_ = false;
  const auto unmarked = kernel::unlink(marker_);
  if (!unmarked && unmarked.error().code() != Code::NotFound) co_return unmarked.error();
  co_return Result<void>();
}

async::Task<Result<void>> BridgeKeeper::raise(std::optional<Iptables> iptables) {
  if (!iptables) co_return Error(Code::Unavailable, "the default network needs iptables, which does not work here");
  CO_TRY_VOID(co_await takeTurn());
  Result<void> done;
  if (!raised_) done = co_await makeRules(*iptables);
  endTurn();
  co_return done;
}

async::Task<Result<void>> BridgeKeeper::lower(std::optional<Iptables> iptables) {
  CO_TRY_VOID(co_await takeTurn());
  auto removing = [interface = options_.interface] { return removeUnlessUsed(interface); };
  const Result<bool> removed = co_await pool_.run(std::move(removing));
  Result<void> done;
  if (!removed) done = removed.error();
  if (removed && *removed && iptables) done = co_await removeRules(*iptables);
  endTurn();
  co_return done;
}

}  // namespace gantry::network
