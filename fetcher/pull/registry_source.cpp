#include "fetcher/pull/registry_source.hpp"

#include <csignal>

#include <fmt/format.h>

#include "base/log.hpp"
#include "fetcher/pull/confinement.hpp"
#include "kernel/file.hpp"
#include "kernel/node.hpp"

namespace gantry::fetcher {
namespace {

constexpr std::string_view kManifest = "manifest";
constexpr std::string_view kBlob = "blob";
constexpr std::string_view kDone = "done";
constexpr std::string_view kFailed = "failed";

void say(const kernel::Fd& connection, const std::vector<std::string>& fields) {
  ignore(kernel::sendWithDescriptor(connection, joinFields(fields), {}), "the fetcher has ended; so shall we");
}

// The child's whole life.
void serve(RegistryClient::Access access, const kernel::Fd& connection) {
  ::signal(SIGPIPE, SIG_IGN);
  if (const auto confined = becomeNobody(); !confined) {
    log::error("the downloader could not be confined", {{"error", confined.error()}});
    return;
  }
  RegistryClient client(std::move(access), [&](const std::string& id, const Result<std::string>& mediaType) {
    if (mediaType) {
      say(connection, {std::string(kDone), id, *mediaType});
      return;
    }
    auto fields = errorFields(mediaType.error());
    fields.insert(fields.begin(), {std::string(kFailed), id});
    say(connection, fields);
  });
  while (true) {
    if (const auto ran = client.run(connection); !ran) {
      log::error("the downloader gave up", {{"error", ran.error()}});
      return;
    }
    auto packet = kernel::receiveWithDescriptor(connection, kMaxPacket);
    if (!packet || packet->text.empty()) return;
    const auto fields = splitFields(packet->text);
    if (fields.size() != 3) return;
    const auto kind = fields[0] == kManifest ? RegistryClient::Kind::Manifest : RegistryClient::Kind::Blob;
    client.fetch(fields[1], kind, fields[2], std::move(packet->descriptor));
  }
}

}  // namespace

Result<std::unique_ptr<ImageSource>> RegistrySource::open(RegistryClient::Access access, Limits limits) {
  RegistryReference where = access.where;
  TRY(auto child, Child::start({}, [&](const kernel::Fd& connection) { serve(std::move(access), connection); }));
  return std::unique_ptr<ImageSource>(new RegistrySource(std::move(where), limits, std::move(child)));
}

Result<Document> RegistrySource::root() {
  return fetch(kManifest, where_.target(), limits_.manifest);
}

Result<Document> RegistrySource::document(const oci::Descriptor& descriptor, Bytes limit) {
  const bool isManifest =
      descriptor.mediaType != oci::media::kOciConfig && descriptor.mediaType != oci::media::kDockerConfig;
  return fetch(isManifest ? kManifest : kBlob, descriptor.digest.text(), limit);
}

Result<BlobStream> RegistrySource::layer(const oci::Descriptor& descriptor) {
  TRY(auto started, start(kBlob, descriptor.digest.text()));
  layerIds_[descriptor.digest.text()] = started.id;
  return BlobStream{std::move(started.pipe), {}};
}

std::optional<Error> RegistrySource::whyLayerFailed(const oci::Descriptor& descriptor) {
  const auto id = layerIds_.find(descriptor.digest.text());
  if (id == layerIds_.end()) return {};
  auto how = outcome(id->second);
  // Cancelled: the worker stopped reading, so the reason is the worker's.
  if (how || how.error().code() == Code::Cancelled) return {};
  return std::move(how).error();
}

Result<RegistrySource::Started> RegistrySource::start(std::string_view kind, const std::string& target) {
  TRY(auto pipe, kernel::pipe());
  kernel::growPipe(pipe.write);
  std::string id = std::to_string(++lastId_);
  TRY_VOID(child_.send({std::string(kind), id, target}, pipe.write).under("ask the downloader"));
  return Started{std::move(id), std::move(pipe.read)};
}

Result<Document> RegistrySource::fetch(std::string_view kind, const std::string& target, Bytes limit) {
  TRY(auto started, start(kind, target));
  auto bytes = kernel::readAll(started.pipe, limit.count);
  if (!bytes) return std::move(bytes).error().under(fmt::format("{} '{}'", kind, target));
  TRY(auto mediaType, outcome(started.id));
  return Document{*std::move(bytes), std::move(mediaType)};
}

Result<std::string> RegistrySource::outcome(const std::string& id) {
  while (!outcomes_.contains(id)) {
    TRY(const auto fields, child_.receive());
    if (fields.empty()) return Error(Code::Internal, "the downloader ended unexpectedly");
    if (fields.size() == 3 && fields[0] == kDone) {
      outcomes_.insert_or_assign(fields[1], fields[2]);
    } else if (fields.size() == 4 && fields[0] == kFailed) {
      outcomes_.insert_or_assign(fields[1], errorFromFields(fields, 2));
    } else {
      return Error(Code::Internal, "the downloader speaks nonsense");
    }
  }
  return outcomes_.at(id);
}

}  // namespace gantry::fetcher
