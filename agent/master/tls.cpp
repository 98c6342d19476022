#include "agent/master/tls.hpp"

#include <array>
#include <charconv>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "async/event.hpp"
#include "async/scope.hpp"
#include "async/socket.hpp"
#include "base/log.hpp"

namespace gantry::agent::master {

using async::Task;

namespace {

constexpr std::size_t kPiece = 64U << 10U;
// The first byte of a TLS record that begins a handshake; no HTTP request begins so.
constexpr char kHandshake = 0x16;
// How long a peer that may not speak TLS has to show that it does: one that does not may wait for more of a request.
constexpr async::Duration kPatience = std::chrono::seconds(5);

// What OpenSSL has to say of the last thing that failed, and forgets with that.
std::string lastReason() {
  const unsigned long code = ::ERR_peek_last_error();
  ::ERR_clear_error();
  if (code == 0) return "no reason given";
  const char* const reason = ::ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("error {}", code);
}

Result<bool> parseFlag(const std::string& name, const std::string& text) {
  if (text == "true" || text == "1") return true;
  if (text == "false" || text == "0") return false;
  return Error::invalid(name, "must be true or false");
}

}  // namespace

Result<TlsSettings> readTlsSettings(const std::function<std::optional<std::string>(const std::string& name)>& get) {
  const auto find = [&](const std::string& name) {
    auto value = get("LIBPROCESS_SSL_" + name);
    return value ? value : get("SSL_" + name);
  };
  const auto flag = [&](const std::string& name, bool& into) -> Result<void> {
    const auto text = find(name);
    if (!text) return {};
    TRY(into, parseFlag("LIBPROCESS_SSL_" + name, *text));
    return {};
  };
  const auto text = [&](const std::string& name, std::string& into) {
    if (auto value = find(name)) into = *std::move(value);
  };
  TlsSettings settings;
  TRY_VOID(flag("ENABLED", settings.enabled));
  // Whoever has TLS off may have the rest as he likes; SSL_CERT_FILE above all belongs to others.
  if (!settings.enabled) return settings;
  TRY_VOID(flag("SUPPORT_DOWNGRADE", settings.supportDowngrade));
  TRY_VOID(flag("VERIFY_CERT", settings.verifyServer));
  TRY_VOID(flag("VERIFY_SERVER_CERT", settings.verifyServer));
  TRY_VOID(flag("REQUIRE_CERT", settings.requireClient));
  TRY_VOID(flag("REQUIRE_CLIENT_CERT", settings.requireClient));
  TRY_VOID(flag("VERIFY_IPADD", settings.verifyAddress));
  TRY_VOID(flag("ENABLE_TLS_V1_0", settings.tls10));
  TRY_VOID(flag("ENABLE_TLS_V1_1", settings.tls11));
  TRY_VOID(flag("ENABLE_TLS_V1_2", settings.tls12));
  TRY_VOID(flag("ENABLE_TLS_V1_3", settings.tls13));
  text("CERT_FILE", settings.certificateFile);
  text("KEY_FILE", settings.keyFile);
  text("CA_DIR", settings.caDirectory);
  text("CA_FILE", settings.caFile);
  text("CIPHERS", settings.ciphers);
  text("ECDH_CURVES", settings.curves);
  if (const auto depth = find("VERIFICATION_DEPTH")) {
    const auto [stop, failure] =
        std::from_chars(depth->data(), depth->data() + depth->size(), settings.verificationDepth);
    if (failure != std::errc() || stop != depth->data() + depth->size() || settings.verificationDepth < 0) {
      return Error::invalid("LIBPROCESS_SSL_VERIFICATION_DEPTH", "must be a number");
    }
  }
  if (const auto scheme = find("HOSTNAME_VALIDATION_SCHEME")) {
    if (*scheme != "legacy" && *scheme != "openssl") {
      return Error::invalid("LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME", "must be legacy or openssl");
    }
    settings.validation = *scheme == "openssl" ? TlsSettings::Validation::OpenSsl : TlsSettings::Validation::Legacy;
  }
  if (settings.certificateFile.empty()) return Error::invalid("LIBPROCESS_SSL_CERT_FILE", "must be set for TLS");
  if (settings.keyFile.empty()) return Error::invalid("LIBPROCESS_SSL_KEY_FILE", "must be set for TLS");
  if (settings.requireClient) settings.verifyServer = true;
  return settings;
}

struct Tls::State {
  ~State() { ::SSL_CTX_free(context); }

  TlsSettings settings;
  ::SSL_CTX* context = nullptr;
};

namespace {

Result<void> chooseProtocols(::SSL_CTX* context, const TlsSettings& settings) {
  std::uint64_t without = SSL_OP_NO_SSLv3 | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION;
  if (!settings.tls10) without |= SSL_OP_NO_TLSv1;
  if (!settings.tls11) without |= SSL_OP_NO_TLSv1_1;
  if (!settings.tls12) without |= SSL_OP_NO_TLSv1_2;
  if (!settings.tls13) without |= SSL_OP_NO_TLSv1_3;
  // OpenSSL has a minimum of its own, and takes the oldest ones only where nothing is asked of their security.
  ::SSL_CTX_set_min_proto_version(context, 0);
  if (settings.tls10 || settings.tls11) ::SSL_CTX_set_security_level(context, 0);
  ::SSL_CTX_set_options(context, without | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  ::SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (::SSL_CTX_set_cipher_list(context, settings.ciphers.c_str()) != 1) {
    return Error::invalid("LIBPROCESS_SSL_CIPHERS", lastReason());
  }
  if (settings.curves != "auto" && ::SSL_CTX_set1_curves_list(context, settings.curves.c_str()) != 1) {
    return Error::invalid("LIBPROCESS_SSL_ECDH_CURVES", lastReason());
  }
  return {};
}

Result<void> loadOwn(::SSL_CTX* context, const TlsSettings& settings) {
  if (::SSL_CTX_use_certificate_chain_file(context, settings.certificateFile.c_str()) != 1) {
    return Error::invalid("LIBPROCESS_SSL_CERT_FILE", fmt::format("'{}': {}", settings.certificateFile, lastReason()));
  }
  if (::SSL_CTX_use_PrivateKey_file(context, settings.keyFile.c_str(), SSL_FILETYPE_PEM) != 1 ||
      ::SSL_CTX_check_private_key(context) != 1) {
    return Error::invalid("LIBPROCESS_SSL_KEY_FILE", fmt::format("'{}': {}", settings.keyFile, lastReason()));
  }
  return {};
}

Result<void> loadTrusted(::SSL_CTX* context, const TlsSettings& settings) {
  ::SSL_CTX_set_verify_depth(context, settings.verificationDepth);
  if (settings.caFile.empty() && settings.caDirectory.empty()) {
    ::SSL_CTX_set_default_verify_paths(context);
    return {};
  }
  const char* const file = settings.caFile.empty() ? nullptr : settings.caFile.c_str();
  const char* const directory = settings.caDirectory.empty() ? nullptr : settings.caDirectory.c_str();
  if (::SSL_CTX_load_verify_locations(context, file, directory) == 1) return {};
  return Error::invalid(file != nullptr ? "LIBPROCESS_SSL_CA_FILE" : "LIBPROCESS_SSL_CA_DIR", lastReason());
}

// One TLS connection, over one in plain. OpenSSL only ever sees memory: what came in is put there, what it has to say
// is taken out and written.
struct Session {
  Session(const async::Executor& executor, ::SSL_CTX* context, async::StreamPtr over)
      : plain(std::move(over)),
        ssl(::SSL_new(context)),
        in(::BIO_new(::BIO_s_mem())),
        out(::BIO_new(::BIO_s_mem())),
        changed(executor) {
    ENSURE(ssl != nullptr && in != nullptr && out != nullptr, "OpenSSL has no memory");
    // Empty is "nothing yet", not the end.
    BIO_set_mem_eof_return(in, -1);
    ::SSL_set_bio(ssl, in, out);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { ::SSL_free(ssl); }

  async::StreamPtr plain;
  ::SSL* ssl;
  ::BIO* in;
  ::BIO* out;
  bool inEnded = false;
  bool outEnded = false;
  // The reader may have to write (alerts), and the writer, too; one after the other.
  bool writing = false;
  async::Notification changed;
};
using SessionPtr = std::shared_ptr<Session>;

// Writes all that OpenSSL has to say.
Task<Result<void>> flush(SessionPtr session) {
  while (session->writing) {
    const std::uint64_t seen = session->changed.count();
    CO_TRY_VOID(co_await session->changed.after(seen));
  }
  session->writing = true;
  Result<void> written;
  while (written && BIO_ctrl_pending(session->out) > 0) {
    std::string data(BIO_ctrl_pending(session->out), '\0');
    const int size = ::BIO_read(session->out, data.data(), static_cast<int>(data.size()));
    data.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    written = co_await session->plain->write(std::move(data));
  }
  session->writing = false;
  session->changed.notify();
  co_return written;
}

void feed(Session& session, const std::string& data) {
  std::size_t done = 0;
  while (done < data.size()) {
    const int taken = ::BIO_write(session.in, data.data() + done, static_cast<int>(data.size() - done));
    ENSURE(taken > 0, "memory takes what is written to it");
    done += static_cast<std::size_t>(taken);
  }
}

// Reads more for OpenSSL. False at the end.
Task<Result<bool>> readMore(SessionPtr session) {
  CO_TRY_VOID(co_await flush(session));
  CO_TRY(const std::string piece, co_await session->plain->read(kPiece));
  if (piece.empty()) {
    session->inEnded = true;
    co_return false;
  }
  feed(*session, piece);
  co_return true;
}

Error refusal(const Session& session) {
  const long verdict = ::SSL_get_verify_result(session.ssl);
  if (verdict != X509_V_OK) {
    ::ERR_clear_error();
    return Error(Code::PermissionDenied,
                 fmt::format("the peer's certificate: {}", ::X509_verify_cert_error_string(verdict)));
  }
  return Error(Code::InvalidArgument, fmt::format("TLS: {}", lastReason()));
}

Task<Result<void>> shakeHands(SessionPtr session) {
  while (true) {
    ::ERR_clear_error();
    const int done = ::SSL_do_handshake(session->ssl);
    if (done == 1) co_return co_await flush(session);
    const int why = ::SSL_get_error(session->ssl, done);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
      Error error = refusal(*session);
      ignore(co_await flush(session), "the alert is a courtesy");
      co_return error;
    }
    CO_TRY(const bool more, co_await readMore(session));
    if (!more) co_return Error(Code::Unavailable, "the peer closed the connection within the TLS handshake");
  }
}

Task<Result<std::string>> readPlain(SessionPtr session, std::size_t limit) {
  std::string data(std::min(limit, kPiece), '\0');
  while (true) {
    ::ERR_clear_error();
    const int size = ::SSL_read(session->ssl, data.data(), static_cast<int>(data.size()));
    if (size > 0) {
      data.resize(static_cast<std::size_t>(size));
      co_return data;
    }
    const int why = ::SSL_get_error(session->ssl, size);
    if (why == SSL_ERROR_ZERO_RETURN || session->inEnded) co_return std::string();
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
      co_return Error(Code::Unavailable, fmt::format("TLS: {}", lastReason()));
    }
    CO_TRY_VOID(co_await readMore(session));
  }
}

Task<Result<void>> writePlain(SessionPtr session, std::string data) {
  std::size_t done = 0;
  while (done < data.size()) {
    if (session->outEnded) co_return Error(Code::Unavailable, "TLS: the connection was closed for writing");
    ::ERR_clear_error();
    const int count = static_cast<int>(std::min(data.size() - done, kPiece));
    const int size = ::SSL_write(session->ssl, data.data() + done, count);
    if (size <= 0) co_return Error(Code::Unavailable, fmt::format("TLS: {}", lastReason()));
    done += static_cast<std::size_t>(size);
    CO_TRY_VOID(co_await flush(session));
  }
  co_return Result<void>();
}

class TlsStream final : public async::ByteStream {
 public:
  explicit TlsStream(SessionPtr session) : session_(std::move(session)) {}
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;
  ~TlsStream() override { TlsStream::close(); }

  Task<Result<std::string>> read(std::size_t limit) override { return readPlain(session_, limit); }
  Task<Result<void>> write(std::string data) override { return writePlain(session_, std::move(data)); }
  // TCP says it, where TLS would have to wait for room to say it first.
  void closeWrite() override {
    session_->outEnded = true;
    session_->plain->closeWrite();
  }
  void close() override { session_->plain->close(); }
  const async::Peer& peer() const override { return session_->plain->peer(); }

 private:
  SessionPtr session_;
};

// What was read of a connection before anybody knew what it speaks.
class Unread final : public async::ByteStream {
 public:
  Unread(async::StreamPtr rest, std::string first) : rest_(std::move(rest)), first_(std::move(first)) {}

  Task<Result<std::string>> read(std::size_t limit) override {
    if (first_.empty()) return rest_->read(limit);
    std::string piece = first_.substr(0, limit);
    first_.erase(0, piece.size());
    return give(std::move(piece));
  }
  Task<Result<void>> write(std::string data) override { return rest_->write(std::move(data)); }
  void closeWrite() override { rest_->closeWrite(); }
  void close() override { rest_->close(); }
  const async::Peer& peer() const override { return rest_->peer(); }

 private:
  static Task<Result<std::string>> give(std::string piece) { co_return piece; }

  async::StreamPtr rest_;
  std::string first_;
};

// "10.0.0.1" of "10.0.0.1:40112", "::1" of "[::1]:80".
std::string addressOf(const async::Peer& peer) {
  std::string host = peer.address.substr(0, peer.address.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

// Whether the peer's certificate is for `name`, or, where addresses count, for `address`.
Result<void> checkName(const Session& session, const std::string& name, const std::string& address, bool byAddress) {
  const std::unique_ptr<::X509, void (*)(::X509*)> certificate(::SSL_get1_peer_certificate(session.ssl), ::X509_free);
  if (certificate == nullptr) return Error(Code::PermissionDenied, "the peer has no certificate");
  if (::X509_check_host(certificate.get(), name.data(), name.size(), 0, nullptr) == 1) return {};
  if (byAddress && ::X509_check_ip_asc(certificate.get(), address.c_str(), 0) == 1) return {};
  return Error(Code::PermissionDenied, fmt::format("the peer's certificate is not for '{}'", name));
}

// The scheme "legacy": the name that name services give for the address.
Task<Result<void>> checkByAddress(SessionPtr session, bool byAddress) {
  const std::string address = addressOf(session->plain->peer());
  auto name = co_await async::lookUpName(address);
  if (!name && name.error().code() == Code::Cancelled) co_return name.error();
  co_return checkName(*session, name ? *name : address, address, byAddress);
}

// The scheme "openssl": OpenSSL looks during the handshake.
Result<void> expectName(Session& session, const std::string& host, bool byAddress) {
  ::X509_VERIFY_PARAM* const expected = ::SSL_get0_param(session.ssl);
  // Whatever parses as an address is one.
  if (::X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) == 1) {
    if (byAddress) return {};
    return Error(Code::PermissionDenied,
                 fmt::format("a certificate for the address {} needs LIBPROCESS_SSL_VERIFY_IPADD", host));
  }
  ::ERR_clear_error();
  ::X509_VERIFY_PARAM_set1_host(expected, host.c_str(), host.size());
  ::SSL_set_tlsext_host_name(session.ssl, host.c_str());
  return {};
}

using StatePtr = std::shared_ptr<const Tls::State>;

Task<Result<async::StreamPtr>> acceptOver(StatePtr state, async::StreamPtr plain) {
  const TlsSettings& settings = state->settings;
  const async::Executor executor = co_await async::currentExecutor();
  if (settings.supportDowngrade) {
    CO_TRY(std::string first, co_await plain->read(kPiece));
    const bool speaksTls = first.starts_with(kHandshake);
    plain = std::make_unique<Unread>(std::move(plain), std::move(first));
    if (!speaksTls) co_return plain;
  }
  const auto session = std::make_shared<Session>(executor, state->context, std::move(plain));
  ::SSL_set_accept_state(session->ssl);
  ::SSL_set_verify(session->ssl,
                   settings.requireClient ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE,
                   nullptr);
  CO_TRY_VOID(co_await shakeHands(session));
  if (settings.requireClient && settings.validation == TlsSettings::Validation::Legacy) {
    CO_TRY_VOID(co_await checkByAddress(session, settings.verifyAddress));
  }
  co_return async::StreamPtr(std::make_unique<TlsStream>(session));
}

Task<Result<async::StreamPtr>> connectOver(StatePtr state, Address to, std::string name) {
  const TlsSettings& settings = state->settings;
  const async::Executor executor = co_await async::currentExecutor();
  CO_TRY(async::StreamPtr plain, co_await async::connectTcp(to.host, to.port));
  const auto session = std::make_shared<Session>(executor, state->context, std::move(plain));
  const bool byName = settings.validation == TlsSettings::Validation::OpenSsl;
  ::SSL_set_connect_state(session->ssl);
  ::SSL_set_verify(session->ssl, settings.verifyServer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (settings.verifyServer && byName)
    CO_TRY_VOID(expectName(*session, name.empty() ? to.host : name, settings.verifyAddress));
  CO_TRY_VOID(co_await shakeHands(session));
  if (settings.verifyServer && !byName) CO_TRY_VOID(co_await checkByAddress(session, settings.verifyAddress));
  co_return async::StreamPtr(std::make_unique<TlsStream>(session));
}

Task<Result<async::StreamPtr>> connectOrDowngrade(StatePtr state, Address to, std::string name) {
  Task<Result<async::StreamPtr>> connecting = connectOver(state, to, std::move(name));
  if (!state->settings.supportDowngrade) co_return co_await std::move(connecting);
  auto secure = co_await async::withTimeout(kPatience, std::move(connecting));
  if (secure || secure.error().code() == Code::Cancelled) co_return secure;
  log::warning("speaking without TLS to a peer that does not", {{"to", toString(to)}, {"reason", secure.error()}});
  co_return co_await async::connectTcp(to.host, to.port);
}

}  // namespace

Result<Tls> Tls::make(TlsSettings settings) {
  const auto state = std::make_shared<State>();
  state->context = ::SSL_CTX_new(::TLS_method());
  ENSURE(state->context != nullptr, "OpenSSL has no memory");
  TRY_VOID(chooseProtocols(state->context, settings));
  TRY_VOID(loadOwn(state->context, settings));
  TRY_VOID(loadTrusted(state->context, settings));
  state->settings = std::move(settings);
  return Tls(state);
}

Task<Result<async::StreamPtr>> Tls::accept(async::StreamPtr plain) const {
  return acceptOver(state_, std::move(plain));
}

Task<Result<async::StreamPtr>> Tls::connect(Address to, std::string name) const {
  return connectOrDowngrade(state_, std::move(to), std::move(name));
}

}  // namespace gantry::agent::master
