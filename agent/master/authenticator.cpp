#include "agent/master/authenticator.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <sstream>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <nlohmann/json.hpp>

#include "agent/wire/agent_messages.hpp"
#include "agent/wire/master_messages.hpp"
#include "async/channel.hpp"
#include "base/log.hpp"

namespace gantry::agent::master {

using async::Task;

namespace {

constexpr std::string_view kMechanism = "CRAM-MD5";
// A handshake has four messages for us; more at a time is somebody's mistake.
constexpr std::size_t kInbox = 16;

struct Letter {
  Upid from;
  std::string name;
  std::string body;
};

// The process that speaks for the agent during one attempt.
class Authenticatee {
 public:
  Authenticatee(async::Executor executor, Messenger& messenger, const Upid& master)
      : messenger_(messenger), id_(nextId()), inbox_(std::move(executor), kInbox) {
    messenger_.add(id_, [inbox = inbox_, address = master.address](const Upid& from, const std::string& name,
                                                                   const std::string& body) {
      if (from.address != address || !inbox.trySend({from, name, body})) {
        log::warning("dropped a message of no handshake of ours", {{"from", toString(from)}, {"name", name}});
      }
    });
  }
  Authenticatee(const Authenticatee&) = delete;
  Authenticatee& operator=(const Authenticatee&) = delete;
  ~Authenticatee() { messenger_.remove(id_); }

  void send(const Upid& to, std::string_view name, const std::string& body) { messenger_.send(id_, to, name, body); }
  async::Channel<Letter> inbox() const { return inbox_; }

 private:
  static std::string nextId() {
    static int number = 0;
    return fmt::format("crammd5-authenticatee({})", ++number);
  }

  Messenger& messenger_;
  std::string id_;
  async::Channel<Letter> inbox_;
};

// The next message that is one of the handshake.
Task<Result<Letter>> nextLetter(async::Channel<Letter> inbox) {
  CO_TRY(std::optional<Letter> letter, co_await inbox.receive());
  ENSURE(letter, "nobody closes this channel");
  if (letter->name == "mesos.internal.AuthenticationFailedMessage") {
    co_return Error(Code::PermissionDenied, "the master does not accept the credential");
  }
  if (letter->name == "mesos.internal.AuthenticationErrorMessage") {
    CO_TRY(const std::string sentence, wire::parseAuthenticationError(letter->body));
    co_return Error(Code::Unavailable, "the master cannot authenticate: " + sentence);
  }
  co_return std::move(*letter);
}

Error outOfTurn(const Letter& letter) {
  return Error(Code::InvalidArgument, fmt::format("'{}' came out of turn", letter.name));
}

// master ◀─ Authenticate ─ we; then its session: Mechanisms ─▶ Start, Step ─▶ Step, Completed.
Task<Result<void>> shakeHands(std::shared_ptr<Authenticatee> process, Upid master, std::string agent,
                              Credential credential) {
  process->send(master, "mesos.internal.AuthenticateMessage", wire::encodeAuthenticate(agent));

  CO_TRY(const Letter offer, co_await nextLetter(process->inbox()));
  if (offer.name != "mesos.internal.AuthenticationMechanismsMessage") co_return outOfTurn(offer);
  CO_TRY(const auto mechanisms, wire::parseAuthenticationMechanisms(offer.body));
  if (std::find(mechanisms.begin(), mechanisms.end(), kMechanism) == mechanisms.end()) {
    co_return Error(Code::Unsupported, "the master does not offer CRAM-MD5");
  }
  process->send(offer.from, "mesos.internal.AuthenticationStartMessage",
                wire::encodeAuthenticationStart(std::string(kMechanism)));

  CO_TRY(const Letter step, co_await nextLetter(process->inbox()));
  if (step.name != "mesos.internal.AuthenticationStepMessage") co_return outOfTurn(step);
  CO_TRY(const std::string challenge, wire::parseAuthenticationStep(step.body));
  process->send(step.from, "mesos.internal.AuthenticationStepMessage",
                wire::encodeAuthenticationStep(crammd5Response(credential, challenge)));

  CO_TRY(const Letter end, co_await nextLetter(process->inbox()));
  if (end.name != "mesos.internal.AuthenticationCompletedMessage") co_return outOfTurn(end);
  co_return Result<void>();
}

}  // namespace

Result<Credential> parseCredential(const std::string& text) {
  if (text.find('{') == std::string::npos) {
    std::istringstream words(text);
    Credential credential;
    std::string more;
    if (words >> credential.principal >> credential.secret && !(words >> more)) return credential;
    return Error(Code::InvalidArgument, "neither a JSON object nor a principal and a secret");
  }
  const auto json = nlohmann::json::parse(text, nullptr, false);
  const auto field = [&](const char* name) -> Result<std::string> {
    const auto found = json.is_object() ? json.find(name) : json.end();
    if (found == json.end() || !found->is_string() || found->get<std::string>().empty()) {
      return Error::invalid(name, "expected a string that is not empty");
    }
    return found->get<std::string>();
  };
  if (json.is_discarded()) return Error(Code::InvalidArgument, "not a JSON object");
  Credential credential;
  TRY(credential.principal, field("principal"));
  TRY(credential.secret, field("secret"));
  return credential;
}

std::string crammd5Response(const Credential& credential, const std::string& challenge) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  const auto* done =
      ::HMAC(EVP_md5(), credential.secret.data(), static_cast<int>(credential.secret.size()),
             reinterpret_cast<const unsigned char*>(challenge.data()), challenge.size(), digest.data(), &size);
  ENSURE(done != nullptr, "a keyed digest cannot be made");
  std::string response = credential.principal + " ";
  for (unsigned int i = 0; i < size; ++i) response += fmt::format("{:02x}", digest[i]);
  return response;
}

Task<Result<void>> authenticate(Messenger* messenger, Upid master, std::string agent, Credential credential,
                                AuthenticationTimes times, std::function<double()> random) {
  const async::Executor executor = co_await async::currentExecutor();
  const std::string pid = toString(messenger->own(std::move(agent)));
  async::Duration limit = std::min(times.shortest + 2 * times.backoff, times.longest);
  while (true) {
    const auto span = std::chrono::duration_cast<async::Duration>((limit - times.shortest) * random());
    const auto process = std::make_shared<Authenticatee>(executor, *messenger, master);
    Task<Result<void>> handshake = shakeHands(process, master, pid, credential);
    auto done = co_await async::withTimeout(times.shortest + span, std::move(handshake));
    if (done || done.error().code() == Code::PermissionDenied || done.error().code() == Code::Cancelled) {
      co_return done;
    }
    log::warning("not authenticated, trying again", {{"master", toString(master)}, {"reason", done.error()}});
    if (done.error().code() != Code::Timeout) {
      // A master that answers at once would be asked again at once, for ever.
      const auto pause = std::chrono::duration_cast<async::Duration>((limit - times.shortest) * random());
      CO_TRY_VOID(co_await async::sleep(pause));
    }
    limit = std::min(times.shortest + 2 * (limit - times.shortest), times.longest);
  }
}

}  // namespace gantry::agent::master
