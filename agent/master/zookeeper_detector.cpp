#include "agent/master/zookeeper_detector.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

#include <fmt/format.h>

#include "agent/wire/master_info.hpp"
#include "agent/wire/media.hpp"
#include "async/descriptor.hpp"
#include "async/scope.hpp"
#include "base/log.hpp"

namespace gantry::agent::master {

using async::Task;
using Clock = std::chrono::steady_clock;

namespace {

// What stands before the number in the name of a contender's node, and so what its data is.
constexpr std::string_view kJson = "json.info_";
constexpr std::string_view kBinary = "info_";
constexpr std::string_view kText = "";

constexpr async::Duration kUntilToldOtherwise = std::chrono::hours(1);

struct Contender {
  std::string_view label;
  std::uint64_t number = 0;
};

std::optional<Contender> parseNode(std::string_view name) {
  for (const std::string_view label : {kJson, kBinary, kText}) {
    if (!name.starts_with(label)) continue;
    const std::string_view digits = name.substr(label.size());
    Contender contender{label, 0};
    const auto [stop, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), contender.number);
    if (!digits.empty() && failure == std::errc() && stop == digits.data() + digits.size()) return contender;
  }
  return std::nullopt;
}

Result<Master> fromMasterInfo(const wire::Master& info) {
  Master master;
  TRY(master.pid, parseUpid(info.pid));
  if (master.pid.address.port == 0) return Error(Code::InvalidArgument, "the master has no address");
  master.hostname = info.hostname;
  master.id = info.id;
  master.version = info.version;
  master.updatesAgents = info.updatesAgents;
  return master;
}

// On a worker's thread.
Result<std::optional<Master>> lookForLeader(ZooKeeperSession& session, const std::string& path) {
  auto names = session.children(path);
  if (!names && names.error().code() == Code::NotFound) {
    TRY_VOID(session.create(path));
    names = session.children(path);
  }
  if (!names) return std::move(names).error();
  const auto node = leadingNode(*names);
  if (!node) return std::optional<Master>();
  auto data = session.read(path + "/" + *node);
  // Gone since: the watch on the children tells.
  if (!data && data.error().code() == Code::NotFound) return std::optional<Master>();
  if (!data) return std::move(data).error();
  TRY(Master master, masterOfNode(*node, *data));
  return std::optional<Master>(std::move(master));
}

}  // namespace

std::optional<std::string> leadingNode(const std::vector<std::string>& children) {
  std::optional<std::string> leading;
  std::uint64_t lowest = 0;
  for (const std::string& name : children) {
    const auto contender = parseNode(name);
    if (!contender || (leading && contender->number >= lowest)) continue;
    leading = name;
    lowest = contender->number;
  }
  return leading;
}

Result<Master> masterOfNode(const std::string& name, const std::string& data) {
  const auto contender = parseNode(name);
  if (!contender) return Error(Code::InvalidArgument, fmt::format("node '{}' is none of a master", name));
  wire::Master info;
  if (contender->label == kText) {
    info.pid = data;
  } else {
    const wire::Media media = contender->label == kJson ? wire::Media::Json : wire::Media::Protobuf;
    auto parsed = wire::parseMaster(data, media);
    if (!parsed) return std::move(parsed).error().under(fmt::format("node '{}'", name));
    info = *std::move(parsed);
  }
  return fromMasterInfo(info).under(fmt::format("node '{}'", name));
}

struct ZooKeeperDetector::State {
  State(async::Executor on, ZooKeeperAddress where, ZooKeeperTimes what)
      : executor(std::move(on)), address(std::move(where)), times(what), pool(1) {}

  using StatePtr = std::shared_ptr<State>;

  static Task<Result<std::optional<Master>>> detect(StatePtr state, std::optional<Master> previous);
  static Task<async::Duration> refresh(StatePtr state);
  static Task<Result<void>> open(StatePtr state);
  static Task<> drop(StatePtr state);
  static Task<async::Duration> look(StatePtr state);
  static Task<Result<void>> changed(StatePtr state);

  void complain(const Error& error);

  async::Executor executor;
  ZooKeeperAddress address;
  ZooKeeperTimes times;
  async::WorkerPool pool;
  // The session writes to the other end, so that it must go first.
  async::Descriptor changes;
  std::shared_ptr<ZooKeeperSession> session;
  std::optional<Clock::time_point> silentSince;
  std::optional<Master> leader;
  std::string lastComplaint;
};

// Once for each kind: it comes again with every retry.
void ZooKeeperDetector::State::complain(const Error& error) {
  if (error.message() == lastComplaint) return;
  lastComplaint = error.message();
  log::warning("cannot find the leading master in ZooKeeper, trying again", {{"reason", error}});
}

Task<Result<void>> ZooKeeperDetector::State::open(StatePtr state) {
  auto opening = [address = state->address, timeout = state->times.session] {
    return ZooKeeperSession::open(address, timeout);
  };
  CO_TRY(std::shared_ptr<ZooKeeperSession> session, co_await state->pool.run(std::move(opening)));
  CO_TRY(state->changes, async::Descriptor::adopt(state->executor, session->takeChanges()));
  state->session = std::move(session);
  state->silentSince = Clock::now();
  co_return Result<void>();
}

Task<> ZooKeeperDetector::State::drop(StatePtr state) {
  auto closing = [session = std::move(state->session)]() mutable {
    session.reset();
    return true;
  };
  co_await state->pool.run(std::move(closing));
  state->changes.close();
  state->leader.reset();
}

// With a connection: who leads? Says when to ask again, should nothing change before.
Task<async::Duration> ZooKeeperDetector::State::look(StatePtr state) {
  state->silentSince.reset();
  auto looking = [session = state->session, path = state->address.path] { return lookForLeader(*session, path); };
  auto found = co_await state->pool.run(std::move(looking));
  if (found) {
    state->leader = *std::move(found);
    state->lastComplaint.clear();
    co_return kUntilToldOtherwise;
  }
  state->complain(found.error());
  // Whoever leads by a node that makes no sense cannot be spoken to.
  if (found.error().code() == Code::InvalidArgument) state->leader.reset();
  co_return state->times.retry;
}

// Brings `leader` up to date; says when to come again, should nothing change before.
Task<async::Duration> ZooKeeperDetector::State::refresh(StatePtr state) {
  if (state->session == nullptr) {
    const auto opened = co_await open(state);
    if (!opened) {
      state->complain(opened.error());
      co_return state->times.retry;
    }
  }
  ignore(state->changes.readNow(4096), "what it says is that something changed");
  const ZooKeeperSession::Condition condition = state->session->condition();
  if (condition == ZooKeeperSession::Condition::Connected) co_return co_await look(state);

  if (!state->silentSince) state->silentSince = Clock::now();
  const auto left = *state->silentSince + state->times.session - Clock::now();
  if (condition == ZooKeeperSession::Condition::Connecting && left > Clock::duration::zero()) co_return left;
  // The ensemble has forgotten us, or soon will: what it last told is worth nothing any more.
  state->complain(Error(Code::Unavailable, fmt::format("no session with '{}'", state->address.servers)));
  co_await drop(state);
  co_return state->times.retry;
}

Task<Result<void>> ZooKeeperDetector::State::changed(StatePtr state) {
  if (state->session == nullptr) co_await async::never();
  co_return co_await state->changes.readable();
}

Task<Result<std::optional<Master>>> ZooKeeperDetector::State::detect(StatePtr state, std::optional<Master> previous) {
  while (true) {
    const async::Duration pause = co_await refresh(state);
    if (state->leader != previous) co_return state->leader;
    Task<Result<void>> change = changed(state);
    const auto woken = co_await async::withTimeout(pause, std::move(change));
    if (!woken && woken.error().code() == Code::Cancelled) {
      const bool cancelled = co_await async::isCancelled();
      if (cancelled) co_return woken.error();
    }
  }
}

ZooKeeperDetector::ZooKeeperDetector(const async::Executor& executor, ZooKeeperAddress address, ZooKeeperTimes times)
    : state_(std::make_shared<State>(executor, std::move(address), times)) {}

ZooKeeperDetector::~ZooKeeperDetector() = default;

Task<Result<std::optional<Master>>> ZooKeeperDetector::detect(std::optional<Master> previous) {
  return State::detect(state_, std::move(previous));
}

}  // namespace gantry::agent::master
