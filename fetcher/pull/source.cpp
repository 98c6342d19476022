#include "fetcher/pull/source.hpp"

#include "fetcher/pull/docker_archive_source.hpp"
#include "fetcher/pull/layout_source.hpp"
#include "fetcher/pull/registry_source.hpp"
#include "fetcher/pull/trust.hpp"

namespace gantry::fetcher {

Result<std::unique_ptr<ImageSource>> openSource(const PullRequest& request, const Reference& reference) {
  if (const RegistryReference* registry = reference.registry()) {
    TRY(std::string certificates, readCertificates(request.caFile));
    return RegistrySource::open({*registry, request.insecureHosts, request.credentials, std::move(certificates)},
                                request.limits);
  }
  const LocalReference& local = *reference.local();
  if (local.kind == LocalReference::Kind::DockerArchive) return DockerArchiveSource::open(local, request.limits);
  return LayoutSource::open(local, request.limits);
}

}  // namespace gantry::fetcher
