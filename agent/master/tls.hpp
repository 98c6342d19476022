// TLS between libprocess programs: the same bytes, on the same port, inside. Set by LIBPROCESS_SSL_* in the environment
// as for every Mesos program. Reference: libprocess, 7.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/master/messenger.hpp"
#include "async/stream.hpp"
#include "async/task.hpp"

namespace gantry::agent::master {

// LIBPROCESS_SSL_NAME, or where that is not set SSL_NAME.
struct TlsSettings {
  bool enabled = false;  // ENABLED
  // Who comes without TLS is served, and who does not speak it is spoken to without.
  bool supportDowngrade = false;  // SUPPORT_DOWNGRADE
  std::string certificateFile;    // CERT_FILE: PEM, with the chain
  std::string keyFile;            // KEY_FILE
  bool verifyServer = false;      // VERIFY_SERVER_CERT, VERIFY_CERT
  bool requireClient = false;     // REQUIRE_CLIENT_CERT, REQUIRE_CERT: verifies servers, too
  // An address in a certificate counts as well as a name.
  bool verifyAddress = false;  // VERIFY_IPADD
  int verificationDepth = 4;   // VERIFICATION_DEPTH
  // Whom to trust; without both of them whom the system trusts.
  std::string caDirectory;  // CA_DIR
  std::string caFile;       // CA_FILE
  // Up to TLS 1.2. Mesos' own default has to be among them, and good ones before that.
  std::string ciphers =
      "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
      "ECDHE-RSA-AES256-GCM-SHA384:AES128-SHA:AES256-SHA:DHE-RSA-AES128-SHA:DHE-RSA-AES256-SHA";  // CIPHERS
  std::string curves = "auto";                                                                    // ECDH_CURVES
  // Against which name a certificate is held: in "legacy" the one that name services give for the peer's address, on
  // both sides; in "openssl" the one that was connected to, by clients.
  enum class Validation { Legacy, OpenSsl };
  Validation validation = Validation::Legacy;  // HOSTNAME_VALIDATION_SCHEME
  bool tls10 = false;                          // ENABLE_TLS_V1_0
  bool tls11 = false;                          // ENABLE_TLS_V1_1
  bool tls12 = true;                           // ENABLE_TLS_V1_2
  bool tls13 = false;                          // ENABLE_TLS_V1_3
};

// `get` is the environment. InvalidArgument names the variable.
Result<TlsSettings> readTlsSettings(const std::function<std::optional<std::string>(const std::string& name)>& get);

// Keys, certificates and whom to trust. Copies are the same one. Only used on the agent's thread.
class Tls {
 public:
  // InvalidArgument names the file or list that OpenSSL does not take.
  static Result<Tls> make(TlsSettings settings);

  // The server's side of a connection that was accepted. PermissionDenied when the client is not to be trusted.
  async::Task<Result<async::StreamPtr>> accept(async::StreamPtr plain) const;
  // Connects. `to.host` is the name or address that the certificate must be for. PermissionDenied when it is not, or is
  // not to be trusted.
  async::Task<Result<async::StreamPtr>> connect(Address to, std::string name) const;

  struct State;

 private:
  explicit Tls(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;
};

}  // namespace gantry::agent::master
