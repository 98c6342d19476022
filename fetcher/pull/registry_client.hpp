// Speaks to one registry for one repository (distribution-spec, "Pull"). Runs in the unprivileged child: what it is
// asked for it writes into pipes it was given, as it comes.
//
// Where credentials and tokens go is decided here: to the registry itself, and to the token server that the registry
// itself named, over https (over http only where the operator allowed it). Redirects are followed without them, and
// never from https to http.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "fetcher/messages.hpp"
#include "fetcher/reference.hpp"
#include "kernel/fd.hpp"

namespace gantry::fetcher {

class RegistryClient {
 public:
  struct Access {
    RegistryReference where;
    std::vector<std::string> insecureHosts;
    std::optional<Credentials> credentials;
    // PEM certificates that are trusted beside the system's; may be empty.
    std::string certificates;
  };
  // How a transfer ended; `mediaType` is the Content-Type of a success.
  using Finished = std::function<void(const std::string& id, Result<std::string> mediaType)>;

  RegistryClient(Access access, Finished finished);
  ~RegistryClient();

  enum class Kind { Manifest, Blob };
  // Starts to fetch /v2/<repository>/<manifests|blobs>/<target> into the pipe `into`.
  void fetch(std::string id, Kind kind, std::string target, kernel::Fd into);
  // Moves all transfers on until `wake` can be read.
  Result<void> run(const kernel::Fd& wake);

 private:
  class Transport;
  std::unique_ptr<Transport> transport_;
};

}  // namespace gantry::fetcher
