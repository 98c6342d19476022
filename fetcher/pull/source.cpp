#include "fetcher/pull/source.hpp"

#include "fetcher/pull/docker_archive_source.hpp"
#include "fetcher/pull/layout_source.hpp"
#include "fetcher/pull/registry_source.hpp"
#include "fetcher/pull/trust.hpp"
#include "kernel/file.hpp"

namespace gantry::fetcher {

Result<std::unique_ptr<ImageSource>> openSource(const PullRequest& request, const Reference& reference) {
  if (const RegistryReference* registry = reference.registry()) {
    TRY(std::string certificates, readCertificates(request.caFile));
    return RegistrySource::open({*registry, request.insecureHosts, request.credentials, std::move(certificates)},
                                request.limits);
  }
  const LocalReference& local = *reference.local();
  TRY_VOID(kernel::makeDirectories(request.store, 0700).under("image store"));
  if (local.kind == LocalReference::Kind::DockerArchive) {
    return DockerArchiveSource::open(local, request.store, request.limits);
  }
  return LayoutSource::open(local, request.store, request.limits);
}

}  // namespace gantry::fetcher
