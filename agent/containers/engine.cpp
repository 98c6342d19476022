#include "agent/containers/engine.hpp"

#include <csignal>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "agent/containers/request_check.hpp"
#include "base/log.hpp"

namespace gantry::agent {
Engine::Engine(EngineParts parts) : parts_(std::move(parts)), scope_(parts_.executor) {}

Error Engine::unknown(const ContainerId& id) const {
  const std::string text = id.isNested() ? id.parent()->text() : id.text();
  if (unreadable_.contains(text)) {
    return Error(Code::Unavailable, fmt::format("container '{}' exists, but its record cannot be read", text));
  }
  return Error(Code::NotFound, fmt::format("container '{}' is not known", id.text()));
}

async::Task<> Engine::stop() {
  scope_.cancel();
  co_await scope_.join();
}

async::Task<Result<LaunchOutcome>> Engine::launch(isolators::ContainerRequest request) {
  ++counters_.launches;
  if (const LifePtr known = findContainer(request.id)) {
    if (known->container().request != request) {
      co_return Error(Code::AlreadyExists,
                      fmt::format("container_id: '{}' exists with another request", request.id.text()));
    }
    CO_TRY_VOID(co_await known->launched());
    co_return LaunchOutcome::AlreadyLaunched;
  }
  if (unreadable_.contains(request.id.text())) co_return unknown(request.id);
  auto checked = checkRequest(request);
  if (checked) checked = parts_.isolators.check(request);
  if (!checked) {
    ++counters_.refusals;
    co_return std::move(checked).error();
  }
  const LifePtr life = std::make_shared<ContainerLife>(parts_, counters_, std::move(request));
  containers_.emplace(life->container().id(), life);
  scope_.spawn(live(life));
  CO_TRY_VOID(co_await life->launched());
  co_return LaunchOutcome::Launched;
}

async::Task<> Engine::live(LifePtr life) {
  co_await life->run();
  if (life->isForgotten()) forget(life->container().id());
}

async::Task<Result<void>> Engine::launchSession(SessionRequest request) {
  CO_TRY_VOID(checkSession(request));
  const ContainerId id = request.id;
  const LifePtr parent = findContainer(*id.parent());
  if (!parent) co_return unknown(*id.parent());
  if (parent->phase() != Phase::Running) {
    co_return Error(Code::NotFound, fmt::format("container '{}' is not running", id.parent()->text()));
  }
  if (findSession(id)) {
    co_return Error(Code::AlreadyExists, fmt::format("container_id: session '{}' exists", id.text()));
  }
  ++counters_.sessions;
  forgetOldSessions(*id.parent());
  const SessionPtr session = std::make_shared<SessionLife>(parts_, parent->status().container, std::move(request));
  sessions_.emplace(id, session);
  parent->addSession(session);
  scope_.spawn(session->run());
  auto launched = co_await session->launched();
  if (launched) co_return launched;
  sessions_.erase(id);
  // The client left while it was started, and nobody else knows of it.
  if (!session->hasEnded()) scope_.spawn(session->stop());
  co_return launched;
}

async::Task<Result<Termination>> Engine::wait(ContainerId id) {
  if (const SessionPtr session = findSession(id)) co_return co_await session->ended();
  const LifePtr life = findContainer(id);
  if (!life) co_return unknown(id);
  co_return co_await life->ended();
}

async::Task<Result<void>> Engine::kill(ContainerId id, int signal) {
  if (signal < 1 || signal > SIGRTMAX) {
    co_return Error::invalid("signal", fmt::format("{} is not between 1 and {}", signal, SIGRTMAX));
  }
  if (const SessionPtr session = findSession(id)) co_return session->kill(signal);
  const LifePtr life = findContainer(id);
  if (!life) co_return unknown(id);
  co_return life->kill(signal);
}

async::Task<Result<void>> Engine::askToEnd(ContainerId id) {
  if (const SessionPtr session = findSession(id)) co_return session->kill(SIGTERM);
  const LifePtr life = findContainer(id);
  if (!life) co_return unknown(id);
  co_return life->askToEnd();
}

async::Task<Result<void>> Engine::remove(ContainerId id) {
  if (const SessionPtr session = findSession(id)) {
    if (!session->hasEnded()) co_return Error(Code::Busy, fmt::format("session '{}' is still running", id.text()));
    sessions_.erase(id);
    co_return Result<void>();
  }
  const LifePtr life = findContainer(id);
  if (!life) co_return unknown(id);
  CO_TRY_VOID(co_await life->remove());
  forget(id);
  co_return Result<void>();
}

async::Task<Result<std::unique_ptr<Attachment>>> Engine::attach(ContainerId id, Attachment::Ends ends) {
  if (const SessionPtr session = findSession(id)) co_return co_await session->attach(ends);
  const LifePtr life = findContainer(id);
  if (!life) co_return unknown(id);
  co_return co_await life->attach(ends);
}

std::vector<ContainerStatus> Engine::list() const {
  std::vector<ContainerStatus> all;
  for (const auto& [id, life] : containers_) all.push_back(life->status());
  for (const auto& [id, session] : sessions_) all.push_back(session->status());
  return all;
}

Result<ContainerStatus> Engine::status(const ContainerId& id) const {
  if (const SessionPtr session = findSession(id)) return session->status();
  if (const LifePtr life = findContainer(id)) return life->status();
  return unknown(id);
}

// A session's processes are in its container's cgroup.
Result<isolators::Usage> Engine::usage(const ContainerId& id) {
  if (findSession(id)) return isolators::Usage();
  const LifePtr life = findContainer(id);
  if (!life) return unknown(id);
  if (life->phase() != Phase::Running) return isolators::Usage();
  return parts_.isolators.usage(life->container());
}

Result<std::set<std::string>> Engine::layersInUse() const {
  std::set<std::string> layers;
  for (const auto& [id, life] : containers_) {
    const auto& own = life->container().layers;
    layers.insert(own.begin(), own.end());
  }
  for (const auto& [id, own] : unreadable_) {
    if (!own) return Error(Code::Unavailable, fmt::format("the layers of container '{}' are not known", id));
    layers.insert(own->begin(), own->end());
  }
  return layers;
}

Engine::LifePtr Engine::findContainer(const ContainerId& id) const {
  const auto found = containers_.find(id);
  return found == containers_.end() ? nullptr : found->second;
}

Engine::SessionPtr Engine::findSession(const ContainerId& id) const {
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second;
}

// A container and the sessions that were in it.
void Engine::forget(const ContainerId& id) {
  containers_.erase(id);
  std::erase_if(sessions_, [&](const auto& each) { return each.first.parent() == id; });
}

// A container may run for years with a health check every few seconds.
void Engine::forgetOldSessions(const ContainerId& container) {
  std::vector<std::pair<Clock::time_point, ContainerId>> ended;
  for (const auto& [id, session] : sessions_) {
    if (id.parent() == container && session->hasEnded()) ended.emplace_back(*session->status().finished, id);
  }
  if (ended.size() <= parts_.settings.keptSessions) return;
  std::ranges::sort(ended);
  ended.resize(ended.size() - parts_.settings.keptSessions, ended.front());
  for (const auto& [finished, id] : ended) sessions_.erase(id);
}

}  // namespace gantry::agent
