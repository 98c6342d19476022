// One fetch: the URIs of a request, one after the other, into a sandbox.
//
//   server ──pipe──▶ ┌ nobody ┐ ──pipe──▶ ┌ the task's user, in the sandbox ┐ ──▶ file ──▶ what is in it
//   local file ─────▶ opened as the task's user ──▶ │
//                          └──▶ cache ──────────────┘
//
// The fetcher itself moves bytes from pipes into the cache, and looks into none of them.
#pragma once

#include <functional>

#include "base/result.hpp"
#include "fetcher/uri_messages.hpp"

namespace gantry::fetcher {

// Needs root. Single-threaded: it forks. Errors are as UriFetcher::fetch has them.
Result<FetchedUris> fetchUris(const UriRequest& request, const std::function<void(const UriProgress&)>& progress);

}  // namespace gantry::fetcher
