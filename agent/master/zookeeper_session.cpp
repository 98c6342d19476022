#include "agent/master/zookeeper_session.hpp"

#include <fcntl.h>
#include <unistd.h>

// Without it the library's blocking calls are not declared.
#define THREADED
#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

#include "base/log.hpp"
#include "kernel/io.hpp"

namespace gantry::agent::master {
namespace {

constexpr std::string_view kScheme = "zk://";
// ZooKeeper's own bound on the data of a node (jute.maxbuffer).
constexpr int kDataLimit = 1 << 20;

Error explain(int code, std::string_view operation) {
  const auto named = [&](Code ours) { return Error(ours, fmt::format("{}: ZooKeeper: {}", operation, zerror(code))); };
  switch (code) {
    case ZNONODE:
      return named(Code::NotFound);
    case ZNODEEXISTS:
      return named(Code::AlreadyExists);
    case ZNOAUTH:
    case ZAUTHFAILED:
      return named(Code::PermissionDenied);
    case ZBADARGUMENTS:
      return named(Code::InvalidArgument);
    default:
      return named(Code::Unavailable);
  }
}

// The library's lines come with a time and a level of their own; only its warnings and errors are asked for.
void logLine(const char* line) {
  log::debug("zookeeper", {{"line", line}});
}

}  // namespace

Result<ZooKeeperAddress> parseZooKeeperAddress(std::string_view text) {
  const auto wrong = [&](std::string_view reason) {
    return Error(Code::InvalidArgument, fmt::format("{} in 'zk://[user:password@]host:port,…/path'", reason));
  };
  if (!text.starts_with(kScheme)) return wrong("zk:// is missing");
  text.remove_prefix(kScheme.size());
  ZooKeeperAddress address;
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    address.credentials = text.substr(0, at);
    if (address.credentials.find(':') == std::string::npos) return wrong("the password is missing");
    text.remove_prefix(at + 1);
  }
  const std::size_t slash = text.find('/');
  address.servers = text.substr(0, slash);
  if (address.servers.empty()) return wrong("the servers are missing");
  if (slash == std::string_view::npos) return wrong("the path is missing");
  address.path = text.substr(slash);
  while (address.path.size() > 1 && address.path.ends_with('/')) address.path.pop_back();
  if (address.path == "/") return wrong("the path may not be '/'");
  return address;
}

struct ZooKeeperSession::Handle {
  ~Handle() {
    if (client != nullptr) ::zookeeper_close(client);
  }

  // On a thread of the library.
  static void noticed(::zhandle_t* /*client*/, int /*type*/, int /*state*/, const char* /*path*/, void* context) {
    const auto* self = static_cast<const Handle*>(context);
    // A pipe that is full has enough to say already.
    ignore(kernel::writeSome(self->changes.write, "!"), "see above");
  }

  kernel::Pipe changes;
  bool hasCredentials = false;
  ::zhandle_t* client = nullptr;
};

ZooKeeperSession::ZooKeeperSession(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}

ZooKeeperSession::~ZooKeeperSession() = default;

Result<std::unique_ptr<ZooKeeperSession>> ZooKeeperSession::open(const ZooKeeperAddress& address,
                                                                 async::Duration timeout) {
  ::zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
  auto handle = std::make_unique<Handle>();
  TRY(handle->changes, kernel::pipe(O_NONBLOCK));
  constexpr std::int64_t kLongest = std::numeric_limits<int>::max();
  const auto milliseconds = std::min(std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count(), kLongest);
  handle->client = ::zookeeper_init2(address.servers.c_str(), Handle::noticed, static_cast<int>(milliseconds), nullptr,
                                     handle.get(), ZOO_NO_LOG_CLIENTENV, logLine);
  if (handle->client == nullptr) {
    return Error::fromErrno(errno, fmt::format("connect to ZooKeeper at '{}'", address.servers));
  }
  if (!address.credentials.empty()) {
    handle->hasCredentials = true;
    const int added = ::zoo_add_auth(handle->client, "digest", address.credentials.data(),
                                     static_cast<int>(address.credentials.size()), nullptr, nullptr);
    if (added != ZOK) return explain(added, "give the credentials");
  }
  return std::unique_ptr<ZooKeeperSession>(new ZooKeeperSession(std::move(handle)));
}

ZooKeeperSession::Condition ZooKeeperSession::condition() const {
  const int state = ::zoo_state(handle_->client);
  if (state == ZOO_CONNECTED_STATE || state == ZOO_READONLY_STATE) return Condition::Connected;
  if (state == ZOO_EXPIRED_SESSION_STATE || state == ZOO_AUTH_FAILED_STATE) return Condition::Over;
  return Condition::Connecting;
}

kernel::Fd ZooKeeperSession::takeChanges() {
  return std::move(handle_->changes.read);
}

Result<std::vector<std::string>> ZooKeeperSession::children(const std::string& path) {
  ::String_vector names{};
  const int code = ::zoo_get_children(handle_->client, path.c_str(), 1, &names);
  if (code != ZOK) return explain(code, fmt::format("list '{}'", path));
  std::vector<std::string> found(names.data, names.data + names.count);
  ::deallocate_String_vector(&names);
  return found;
}

Result<std::string> ZooKeeperSession::read(const std::string& path) {
  std::string data(kDataLimit, '\0');
  int size = kDataLimit;
  const int code = ::zoo_get(handle_->client, path.c_str(), 0, data.data(), &size, nullptr);
  if (code != ZOK) return explain(code, fmt::format("read '{}'", path));
  // A node without data at all has the length -1.
  data.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return data;
}

Result<void> ZooKeeperSession::create(const std::string& path) {
  // With credentials others may only look, as the masters do it.
  ::ACL entries[] = {{ZOO_PERM_READ, ZOO_ANYONE_ID_UNSAFE}, {ZOO_PERM_ALL, ZOO_AUTH_IDS}};
  const ::ACL_vector ours{2, entries};
  const ::ACL_vector* const access = handle_->hasCredentials ? &ours : &ZOO_OPEN_ACL_UNSAFE;
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const int code = ::zoo_create(handle_->client, part.c_str(), nullptr, -1, access, ZOO_PERSISTENT, nullptr, 0);
    if (code != ZOK && code != ZNODEEXISTS) return explain(code, fmt::format("create '{}'", part));
    if (slash == std::string::npos) return {};
  }
}

}  // namespace gantry::agent::master
