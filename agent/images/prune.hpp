// Deletes what no image needs from an image store's directory.
#pragma once

#include <set>
#include <string>

#include "agent/images/store.hpp"
#include "base/result.hpp"

namespace gantry::agent {

struct Needed {
  std::set<std::string> layers;  // absolute directories
  std::set<std::string> blobs;   // file names
};

// Blocks; for a worker thread. Busy while a fetcher holds the store. What is deleted leaves its place in one step, so
// that a crash in the middle leaves no half layers.
Result<ImageStore::Pruned> pruneStore(const std::string& store, const Needed& needed);

}  // namespace gantry::agent
