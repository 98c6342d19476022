#include "agent/master/messenger.hpp"

#include <arpa/inet.h>

#include <deque>

#include <fmt/format.h>

#include "async/event.hpp"
#include "async/socket.hpp"
#include "base/log.hpp"
#include "http/message.hpp"

namespace gantry::agent::master {

using async::Task;

namespace {

constexpr std::size_t kPiece = 64U << 10U;
constexpr std::string_view kAgentPrefix = "libprocess/";

Task<Result<async::StreamPtr>> connectPlainly(Address to, std::string) {
  co_return co_await async::connectTcp(to.host, to.port);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

// Whether the sender is a libprocess program, which takes answers for nothing but a nuisance.
bool isFromLibprocess(const http::Headers& headers) {
  const auto agent = headers.find("User-Agent");
  return agent && agent->find(kAgentPrefix) != std::string_view::npos;
}

Result<Upid> claimedSender(const http::Headers& headers) {
  if (const auto from = headers.find("Libprocess-From")) return parseUpid(trimmed(*from));
  const std::string_view agent = headers.find("User-Agent").value_or("");
  const std::size_t at = agent.find(kAgentPrefix);
  if (at == std::string_view::npos) return Error(Code::InvalidArgument, "the message does not say who sent it");
  return parseUpid(trimmed(agent.substr(at + kAgentPrefix.size())));
}

// libprocess prints IPv4 addresses; a name would have us ask a server of the sender's choice for it.
Result<Upid> senderOf(const http::Headers& headers) {
  TRY(Upid from, claimedSender(headers));
  in_addr address{};
  if (from.isEmpty() || ::inet_pton(AF_INET, from.address.host.c_str(), &address) == 1) return from;
  return Error(Code::InvalidArgument, fmt::format("the sender '{}' gives no IPv4 address", toString(from)));
}

struct Target {
  std::string id;
  std::string name;
};

// "/slave(1)/mesos.internal.PingSlaveMessage"; without an id "/mesos.internal.PingSlaveMessage".
Result<Target> parseTarget(std::string_view target) {
  target = target.substr(1, target.find('?') - 1);
  const std::size_t slash = target.find('/');
  if (slash == std::string_view::npos) return Target{"", std::string(target)};
  TRY(std::string id, http::percentDecode(target.substr(0, slash)));
  return Target{std::move(id), std::string(target.substr(slash + 1))};
}

// "10.0.0.1" of "10.0.0.1:40112".
std::string_view hostOf(const async::Peer& peer) {
  const std::string_view address = peer.address;
  return address.substr(0, address.rfind(':'));
}

}  // namespace

Connect plainConnect() {
  return connectPlainly;
}

std::string encodeMessage(const Upid& from, const Upid& to, std::string_view name, const std::string& body) {
  const std::string sender = toString(from);
  const std::string path = to.id.empty() ? fmt::format("/{}", name) : fmt::format("/{}/{}", to.id, name);
  std::string bytes = fmt::format(
      "POST {} HTTP/1.1\r\nUser-Agent: libprocess/{}\r\nLibprocess-From: {}\r\nConnection: Keep-Alive\r\nHost: {}\r\n",
      path, sender, sender, toString(to.address));
  // An empty body has no framing at all.
  if (body.empty()) return bytes + "\r\n";
  bytes += fmt::format("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.size());
  bytes.reserve(bytes.size() + body.size() + 7);
  bytes += body;
  bytes += "\r\n0\r\n\r\n";
  return bytes;
}

// A connection to one address and what waits for it. Held by its coroutines, and by State::outbound until it ends.
struct Messenger::Outbound {
  Outbound(const async::Executor& executor, Address where) : to(std::move(where)), changed(executor) {}

  Address to;
  std::deque<std::string> queue;
  std::size_t queued = 0;
  // By process id: whom to tell when it ends. Without any it ends once the queue is empty.
  std::map<std::string, std::function<void()>> links;
  bool overflowed = false;
  async::Notification changed;
  async::StreamPtr stream;
};

struct Messenger::State {
  State(async::Executor on, MessengerOptions what) : executor(on), options(std::move(what)), scope(std::move(on)) {}

  using OutboundPtr = std::shared_ptr<Outbound>;
  using StatePtr = std::shared_ptr<State>;

  OutboundPtr outboundTo(const StatePtr& self, const Address& to);
  static Task<> serve(StatePtr state, OutboundPtr outbound);
  static Task<Result<void>> connect(StatePtr state, OutboundPtr outbound);
  static Task<Result<void>> writeQueue(StatePtr state, OutboundPtr outbound);
  static Task<> writeUntilEnd(StatePtr state, OutboundPtr outbound, async::Scope* both);
  static Task<> readUntilEnd(OutboundPtr outbound, async::Scope* both);
  static Task<Result<void>> awaitClose(OutboundPtr outbound);

  async::Executor executor;
  MessengerOptions options;
  std::map<std::string, Handler> handlers;
  std::map<Address, OutboundPtr> outbound;
  std::map<Address, std::string> names;
  // The link to whoever we stop talking to is not broken, but given up.
  bool stopping = false;
  async::Scope scope;
};

Messenger::State::OutboundPtr Messenger::State::outboundTo(const StatePtr& self, const Address& to) {
  OutboundPtr& found = outbound[to];
  if (found == nullptr) {
    found = std::make_shared<Outbound>(executor, to);
    scope.spawn(serve(self, found));
  }
  return found;
}

Task<Result<void>> Messenger::State::connect(StatePtr state, OutboundPtr outbound) {
  const auto named = state->names.find(outbound->to);
  std::string name = named == state->names.end() ? std::string() : named->second;
  Task<Result<async::StreamPtr>> connecting = state->options.connect(outbound->to, std::move(name));
  CO_TRY(outbound->stream, co_await async::withTimeout(state->options.connectTimeout, std::move(connecting)));
  co_return Result<void>();
}

// Until the queue is empty and nobody is linked.
Task<Result<void>> Messenger::State::writeQueue(StatePtr state, OutboundPtr outbound) {
  while (true) {
    const std::uint64_t seen = outbound->changed.count();
    if (outbound->queue.empty()) {
      if (outbound->links.empty() || state->stopping) co_return Result<void>();
      CO_TRY_VOID(co_await outbound->changed.after(seen));
      continue;
    }
    std::string data = std::move(outbound->queue.front());
    outbound->queue.pop_front();
    outbound->queued -= data.size();
    CO_TRY_VOID(co_await outbound->stream->write(std::move(data)));
  }
}

Task<> Messenger::State::writeUntilEnd(StatePtr state, OutboundPtr outbound, async::Scope* both) {
  const auto written = co_await writeQueue(state, outbound);
  if (!written) {
    both->cancel();
    co_return;
  }
  // From here on whoever has something to say to this address begins a new connection.
  const auto known = state->outbound.find(outbound->to);
  if (known != state->outbound.end() && known->second == outbound) state->outbound.erase(known);
  outbound->stream->closeWrite();
  // The reader sees the other side close; until then what we wrote may still be on its way.
  const auto lingered = co_await async::sleep(state->options.linger);
  if (lingered) both->cancel();
}

// Answers mean nothing; only the end of the connection does.
Task<> Messenger::State::readUntilEnd(OutboundPtr outbound, async::Scope* both) {
  while (true) {
    const auto piece = co_await outbound->stream->read(kPiece);
    if (!piece || piece->empty()) break;
  }
  both->cancel();
}

Task<> Messenger::State::serve(StatePtr state, OutboundPtr outbound) {
  const auto connected = co_await connect(state, outbound);
  if (connected) {
    async::Scope both(state->executor);
    both.spawn(writeUntilEnd(state, outbound, &both));
    both.spawn(readUntilEnd(outbound, &both));
    co_await both.join();
    outbound->stream->close();
  } else if (connected.error().code() != Code::Cancelled) {
    log::warning("cannot deliver messages",
                 {{"to", toString(outbound->to)}, {"lost", outbound->queue.size()}, {"reason", connected.error()}});
  }
  const auto known = state->outbound.find(outbound->to);
  if (known != state->outbound.end() && known->second == outbound) state->outbound.erase(known);
  const bool cancelled = co_await async::isCancelled();
  if (cancelled || state->stopping) co_return;
  for (const auto& [id, broken] : std::exchange(outbound->links, {})) broken();
}

Messenger::Messenger(async::Executor executor, MessengerOptions options)
    : state_(std::make_shared<State>(std::move(executor), std::move(options))) {}

Messenger::~Messenger() = default;

Upid Messenger::own(std::string id) const {
  return {std::move(id), state_->options.self};
}

void Messenger::add(std::string id, Handler handler) {
  state_->handlers[std::move(id)] = std::move(handler);
}

void Messenger::remove(const std::string& id) {
  state_->handlers.erase(id);
}

void Messenger::send(const std::string& from, const Upid& to, std::string_view name, const std::string& body) {
  if (to.address.port == 0 || state_->scope.isCancelled()) return;
  const auto outbound = state_->outboundTo(state_, to.address);
  std::string data = encodeMessage(own(from), to, name, body);
  if (outbound->queued + data.size() > state_->options.queue) {
    if (!outbound->overflowed) {
      log::warning("dropping messages: too many wait already", {{"to", toString(to.address)}, {"name", name}});
    }
    outbound->overflowed = true;
    return;
  }
  outbound->overflowed = false;
  outbound->queued += data.size();
  outbound->queue.push_back(std::move(data));
  outbound->changed.notify();
}

void Messenger::link(const Upid& to, std::function<void()> broken) {
  if (to.address.port == 0 || state_->scope.isCancelled()) return;
  const auto outbound = state_->outboundTo(state_, to.address);
  outbound->links[to.id] = std::move(broken);
}

void Messenger::setName(const Address& to, std::string name) {
  if (name.empty()) {
    state_->names.erase(to);
  } else {
    state_->names[to] = std::move(name);
  }
}

Task<> Messenger::stop(async::Duration patience) {
  state_->stopping = true;
  for (const auto& [address, outbound] : state_->outbound) outbound->changed.notify();
  co_await state_->scope.joinWithin(patience);
  state_->handlers.clear();
}

bool Messenger::takes(const http::Headers& headers) const {
  return headers.has("Libprocess-From") || isFromLibprocess(headers);
}

std::optional<http::Response> Messenger::receive(http::Message message) {
  const auto from = senderOf(message.headers);
  if (!from) return http::textResponse(500, from.error().message());
  if (!message.target.starts_with('/')) return http::textResponse(400, "the request's target is not a path");
  auto target = parseTarget(message.target);
  if (!target) return http::textResponse(500, target.error().message());
  if (state_->options.requirePeerMatch && hostOf(message.peer) != from->address.host) {
    return http::textResponse(400, fmt::format("'{}' does not send from there", toString(*from)));
  }
  const bool wantsAnswer = !isFromLibprocess(message.headers);
  const auto found = state_->handlers.find(target->id);
  if (found == state_->handlers.end()) {
    log::debug("dropped a message to nobody",
               {{"from", toString(*from)}, {"process", target->id}, {"name", target->name}});
    if (!wantsAnswer) return std::nullopt;
    return http::textResponse(404, fmt::format("there is no process '{}'", target->id));
  }
  // A copy: the handler may remove itself.
  const Handler handler = found->second;
  handler(*from, target->name, message.body);
  if (!wantsAnswer) return std::nullopt;
  return http::Response(202);
}

}  // namespace gantry::agent::master
