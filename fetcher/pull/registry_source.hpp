// An image in a registry. The network is spoken to by an unprivileged child (registry_client.hpp):
//
//   fetcher ──▶ child   "manifest" or "blob", a number, a tag or digest; with the write end of a pipe
//   child   ──▶ fetcher "done", the number, the media type      or      "failed", the number, a code, a message
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "fetcher/pull/child.hpp"
#include "fetcher/pull/registry_client.hpp"
#include "fetcher/pull/source.hpp"

namespace gantry::fetcher {

class RegistrySource final : public ImageSource {
 public:
  static Result<std::unique_ptr<ImageSource>> open(RegistryClient::Access access, Limits limits);

  Result<Document> root() override;
  Result<Document> document(const oci::Descriptor& descriptor, Bytes limit) override;
  Result<BlobStream> layer(const oci::Descriptor& descriptor) override;
  std::optional<Error> whyLayerFailed(const oci::Descriptor& descriptor) override;
  bool knowsLayerDigests() const override { return true; }

 private:
  RegistrySource(RegistryReference where, Limits limits, Child child)
      : where_(std::move(where)), limits_(limits), child_(std::move(child)) {}

  struct Started {
    std::string id;
    kernel::Fd pipe;
  };
  Result<Started> start(std::string_view kind, const std::string& target);
  Result<Document> fetch(std::string_view kind, const std::string& target, Bytes limit);
  // Waits for what the child says about `id`: the media type, or the error.
  Result<std::string> outcome(const std::string& id);

  const RegistryReference where_;
  const Limits limits_;
  Child child_;
  int lastId_ = 0;
  std::map<std::string, Result<std::string>> outcomes_;
  // By digest, the latest transfer.
  std::map<std::string, std::string> layerIds_;
};

}  // namespace gantry::fetcher
