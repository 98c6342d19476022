// One pull, from a request to an image in the store. Everything is checked on the way: each document against the digest
// that named it, each layer against its digest, size and diff id.
//
//   reference ──▶ manifest or index ──▶ manifest of the platform ──▶ configuration
//                                                   └──▶ layers, those that the store does not have, side by side:
//                                                        source ──pipe──▶ worker (layer_worker.hpp) ──▶ staging
//   staging ──▶ completed with what lower layers know ──▶ on the disk ──▶ in place
#pragma once

#include <functional>

#include "base/result.hpp"
#include "fetcher/messages.hpp"

namespace gantry::fetcher {

// Needs root. Single-threaded: it forks.
Result<Image> pull(const PullRequest& request, const std::function<void(const Progress&)>& progress);

}  // namespace gantry::fetcher
