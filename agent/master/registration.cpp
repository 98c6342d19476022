#include "agent/master/registration.hpp"

#include <algorithm>
#include <chrono>

#include "base/log.hpp"

namespace gantry::agent::master {

using async::Task;
using Clock = std::chrono::steady_clock;

namespace {

async::Duration scaled(async::Duration duration, double factor) {
  return std::chrono::duration_cast<async::Duration>(duration * factor);
}

}  // namespace

Random systemRandom() {
  return [engine = std::make_shared<std::mt19937_64>(std::random_device()())] {
    return std::uniform_real_distribution<double>(0.0, 1.0)(*engine);
  };
}

struct Registration::State {
  State(async::Executor on, Messenger& by, Detector& who, Registrant& whose, RegistrationSettings what)
      : executor(on),
        messenger(by),
        detector(who),
        registrant(whose),
        settings(std::move(what)),
        changed(std::move(on)) {}

  using StatePtr = std::shared_ptr<State>;

  static Task<> detect(StatePtr state);
  static Task<> registerWith(StatePtr state, Master master);
  static Task<> watchPings(StatePtr state);
  static Task<Result<void>> introduce(StatePtr state, Master master);
  static Task<Result<void>> ask(StatePtr state, Master master);
  static Task<Result<void>> follow(StatePtr state);

  void link(const Master& master);
  void takeLeader();
  void startOver(std::string_view reason);
  void resetPings();

  async::Executor executor;
  Messenger& messenger;
  Detector& detector;
  Registrant& registrant;
  RegistrationSettings settings;

  std::optional<Master> leader;
  bool running = false;
  async::Duration pingTimeout = settings.pingTimeout;
  std::optional<Clock::time_point> pingsDue;

  // What the coroutines of one round found; follow() looks at them after `changed`.
  async::Notification changed;
  std::optional<std::optional<Master>> detected;
  bool forgetLeader = false;
  std::optional<Error> failure;
};

// --- one round: detection, registration and the watch over pings, side by side

Task<> Registration::State::detect(StatePtr state) {
  std::optional<Master> previous = state->leader;
  const auto found = co_await state->detector.detect(std::move(previous));
  if (!found) co_return;
  state->detected = *found;
  state->changed.notify();
}

void Registration::State::link(const Master& master) {
  // Nothing follows from the end of a link: a new leader, a ping or their absence tell what to do.
  messenger.link(master.pid, [pid = toString(master.pid)] {
    log::warning("lost the connection to the master, waiting for it", {{"master", pid}});
  });
}

// Sends the registration until it is answered, at growing random distances.
Task<Result<void>> Registration::State::ask(StatePtr state, Master master) {
  async::Duration range = state->settings.backoff * 2;
  while (!state->running) {
    state->link(master);
    const Registrant::Request request = state->registrant.request();
    state->messenger.send(state->settings.process, master.pid, request.name, request.body);
    const auto pause = scaled(std::min(range, state->settings.longestBackoff), state->settings.random());
    CO_TRY_VOID(co_await async::sleep(pause));
    range = std::min(range * 2, state->settings.longestBackoff);
  }
  co_return Result<void>();
}

Task<Result<void>> Registration::State::introduce(StatePtr state, Master master) {
  const RegistrationSettings& settings = state->settings;
  const auto pause = scaled(settings.backoff, settings.random());
  CO_TRY_VOID(co_await async::sleep(pause));
  if (settings.credential) {
    state->link(master);
    CO_TRY_VOID(co_await authenticate(&state->messenger, master.pid, settings.process, *settings.credential,
                                      settings.authentication, settings.random));
    log::info("authenticated", {{"master", toString(master.pid)}});
  }
  co_return co_await ask(state, std::move(master));
}

Task<> Registration::State::registerWith(StatePtr state, Master master) {
  auto registered = co_await introduce(state, std::move(master));
  if (registered || registered.error().code() == Code::Cancelled) co_return;
  state->failure = std::move(registered).error();
  state->changed.notify();
}

Task<> Registration::State::watchPings(StatePtr state) {
  while (true) {
    if (!state->pingsDue) {
      const auto pinged = co_await state->changed.after(state->changed.count());
      if (!pinged) co_return;
      continue;
    }
    const auto left = *state->pingsDue - Clock::now();
    if (left <= Clock::duration::zero()) break;
    const auto slept = co_await async::sleep(left);
    if (!slept) co_return;
  }
  state->startOver("no pings from the master, registering again");
}

// --- between rounds

void Registration::State::startOver(std::string_view reason) {
  log::warning(reason, {{"master", leader ? toString(leader->pid) : "none"}});
  forgetLeader = true;
  changed.notify();
}

void Registration::State::takeLeader() {
  leader = std::move(*detected);
  detected.reset();
  if (leader) {
    messenger.setName(leader->pid.address, leader->name);
    log::info("a master leads", {{"master", toString(leader->pid)}, {"hostname", leader->hostname}});
  } else {
    log::warning("no master leads, waiting for one", {});
  }
  registrant.led(leader);
}

Task<Result<void>> Registration::State::follow(StatePtr state) {
  while (true) {
    async::Scope round(state->executor);
    const std::uint64_t seen = state->changed.count();
    round.spawn(detect(state));
    round.spawn(watchPings(state));
    if (state->leader) round.spawn(registerWith(state, *state->leader));
    auto woken = Result<std::uint64_t>(seen);
    while (woken && !state->detected && !state->forgetLeader && !state->failure) {
      woken = co_await state->changed.after(*woken);
    }
    round.cancel();
    co_await round.joinShielded();
    if (!woken) co_return woken.error();
    if (state->failure) co_return *std::exchange(state->failure, std::nullopt);

    state->pingsDue.reset();
    if (std::exchange(state->running, false)) state->registrant.lost();
    if (std::exchange(state->forgetLeader, false)) {
      // Detecting from nothing brings the same leader back, and the registration with it.
      state->leader.reset();
      state->detected.reset();
    } else {
      state->takeLeader();
    }
  }
}

void Registration::State::resetPings() {
  pingsDue = Clock::now() + pingTimeout;
  changed.notify();
}

// --- from outside

Registration::Registration(async::Executor executor, Messenger& messenger, Detector& detector, Registrant& registrant,
                           RegistrationSettings settings)
    : state_(std::make_shared<State>(std::move(executor), messenger, detector, registrant, std::move(settings))) {}

Registration::~Registration() = default;

Task<Result<void>> Registration::follow() {
  return State::follow(state_);
}

void Registration::accepted(std::optional<async::Duration> pingTimeout) {
  state_->running = true;
  state_->pingTimeout = pingTimeout.value_or(state_->settings.pingTimeout);
  state_->resetPings();
}

void Registration::pinged(bool connected) {
  // Before the registration they prove nothing.
  if (!state_->running) return;
  state_->resetPings();
  if (!connected) state_->startOver("the master lost its connection to us, registering again");
}

bool Registration::isRunning() const {
  return state_->running;
}

const std::optional<Master>& Registration::leader() const {
  return state_->leader;
}

}  // namespace gantry::agent::master
