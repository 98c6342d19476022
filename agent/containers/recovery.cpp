// What the engine does once, after a restart of the agent or of the host.
#include <csignal>

#include <algorithm>
#include <chrono>
#include <functional>

#include <fmt/format.h>

#include "agent/containers/engine.hpp"
#include "agent/containers/phase.hpp"
#include "agent/containers/termination.hpp"
#include "base/log.hpp"
#include "fetcher/messages.hpp"
#include "kernel/file.hpp"

namespace gantry::agent {
namespace {

constexpr const char* kBootFact = "boot_id";

std::vector<std::string> namesIn(const std::string& directory) {
  auto names = kernel::listDirectory(directory);
  return names ? std::move(*names) : std::vector<std::string>();
}

// What a container is made of whose record cannot be read, but perhaps this part of it; unset when it cannot be.
std::optional<std::vector<std::string>> layersOf(const state::ContainerRecord& record) {
  std::vector<std::string> layers;
  if (record.image.empty()) return layers;
  const auto image = fetcher::parseImage(record.image);
  if (!image) return {};
  for (const fetcher::Layer& layer : image->layers) layers.push_back(layer.directory);
  return layers;
}

Termination cutLaunch() {
  return failedBecause("REASON_CONTAINER_LAUNCH_FAILED", "the agent was restarted while the container was launched");
}

Termination rebooted() {
  return failedBecause("REASON_AGENT_RESTARTED", "the host was rebooted while the container was running");
}

}  // namespace

async::Task<Result<void>> Engine::recover(state::Contents contents, bool rebuild) {
  CO_TRY_VOID(kernel::makeDirectories(parts_.settings.workDirectory + "/containers", 0711));
  CO_TRY_VOID(kernel::makeDirectories(parts_.settings.runtimeDirectory + "/containers", 0700));
  CO_TRY(const std::string boot, kernel::bootId());
  const auto known = contents.facts.find(kBootFact);
  const bool rebooted = known != contents.facts.end() && known->second != boot;
  std::vector<state::Change> changes;
  if (!rebooted) changes.emplace_back(state::PutFact{kBootFact, boot});
  if (rebuild) {
    contents.containers = recordsOfWhatRuns();
    for (const auto& record : contents.containers) changes.emplace_back(state::PutContainer{record});
  }
  CO_TRY_VOID(co_await parts_.store.commit(std::move(changes)));

  std::set<std::string> inLedger;
  for (const state::LedgerEntry& entry : contents.ledger) inLedger.insert(entry.container);
  std::vector<LifePtr> ran;
  for (const state::ContainerRecord& record : contents.containers) {
    auto life = ContainerLife::restore(parts_, counters_, record);
    if (!life) {
      log::error("a container's record cannot be read; the container is left as it is",
                 {{"container", record.id}, {"reason", life.error()}});
      unreadable_.emplace(record.id, layersOf(record));
      continue;
    }
    if ((*life)->phase() == Phase::Running) ran.push_back(*life);
    takeUp(std::move(*life), rebooted, inLedger.contains(record.id));
  }

  for (const std::string& name : strangers(contents)) {
    auto id = ContainerId::parse(name);
    if (!id) {
      log::warning("something that is no container's is left alone", {{"name", name}});
      continue;
    }
    const auto destroyed = co_await destroyStranger(*id, rebuild);
    if (destroyed) {
      ++counters_.orphansDestroyed;
      log::info("destroyed what belongs to no container", {{"container", name}});
    } else {
      log::error("cannot destroy what belongs to no container", {{"container", name}, {"reason", destroyed.error()}});
    }
  }
  if (!rebooted) co_return Result<void>();

  // Last: a start that is cut short before leaves the next one to see the reboot, and nothing was launched meanwhile
  // that it could take for a container from before.
  for (const LifePtr& life : ran) {
    const auto ended = co_await life->ended();
    if (!ended) co_return ended.error();
  }
  std::vector<state::Change> rebootKnown{state::PutFact{kBootFact, boot}};
  co_return co_await parts_.store.commit(std::move(rebootKnown));
}

void Engine::takeUp(LifePtr life, bool hostRebooted, bool inLedger) {
  containers_.emplace(life->container().id(), life);
  const Phase phase = life->phase();
  if (phase == Phase::Exited) {
    // The directory of one that ended as its agent did, recorded but not yet cleared away, is the last thing to go.
    const bool isLeft = inLedger || kernel::exists(life->container().runtimeDirectory);
    if (isLeft) scope_.spawn(life->cleanUpAgain());
  } else if (phase != Phase::Running) {
    scope_.spawn(life->giveUp(cutLaunch()));
  } else if (hostRebooted) {
    scope_.spawn(life->giveUp(rebooted()));
  } else {
    scope_.spawn(life->resume());
  }
}

// Each container writes its request, and the image's description, beside its bundle.
std::vector<state::ContainerRecord> Engine::recordsOfWhatRuns() const {
  std::vector<state::ContainerRecord> records;
  const std::string directory = parts_.settings.runtimeDirectory + "/containers";
  for (const std::string& name : namesIn(directory)) {
    const std::string own = fmt::format("{}/{}", directory, name);
    const auto init = readProcessFile(own + "/init");
    const auto request = kernel::readFile(own + "/request.json");
    if (!init || !request) continue;
    const auto image = kernel::readFile(own + "/image.json");
    const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
    records.push_back({.id = name,
                       .request = *request,
                       .image = image ? *image : "",
                       .phase = std::string(toString(Phase::Running)),
                       .created = now,
                       .pid = init->pid,
                       .startTime = init->startTime});
  }
  return records;
}

std::set<std::string> Engine::strangers(const state::Contents& contents) const {
  std::set<std::string> names = parts_.isolators.leftovers();
  for (const state::LedgerEntry& entry : contents.ledger) names.insert(entry.container);
  for (std::string& name : namesIn(parts_.settings.runtimeDirectory + "/containers")) names.insert(std::move(name));
  std::erase_if(names, [&](const std::string& name) {
    if (unreadable_.contains(name)) return true;
    const auto id = ContainerId::parse(name);
    return id && (containers_.contains(*id) || (id->isNested() && unreadable_.contains(id->parent()->text())));
  });
  return names;
}

async::Task<Result<void>> Engine::destroyStranger(ContainerId id, bool keepSandbox) {
  const auto container =
      std::make_shared<const isolators::Container>(containerOf(parts_.settings, isolators::ContainerRequest(id)));
  auto monitor = co_await parts_.monitors.find(container->runtimeDirectory);
  if (monitor) ignore((*monitor)->abandon(), "it has ended");
  killFirstProcess(container->runtimeDirectory);
  // A session has nothing but its process and its directory.
  if (!id.isNested()) {
    CO_TRY_VOID(co_await parts_.runtime.remove(id));
    CO_TRY_VOID(co_await parts_.isolators.cleanup(container));
  }
  CO_TRY_VOID(kernel::removeTree(container->runtimeDirectory));
  if (!id.isNested() && !keepSandbox) {
    std::function<Result<void>()> removeState = [directory = container->stateDirectory] {
      return kernel::removeTree(directory);
    };
    CO_TRY_VOID(co_await parts_.pool.run(std::move(removeState)));
  }
  std::vector<state::Change> changes;
  changes.emplace_back(state::StrikeAllFromLedger{id.text()});
  changes.emplace_back(state::DeleteContainer{id.text()});
  co_return co_await parts_.store.commit(std::move(changes));
}

}  // namespace gantry::agent
