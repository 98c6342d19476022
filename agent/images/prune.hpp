// Deletes what no image needs from an image store's directory.
#pragma once

#include <set>
#include <string>

#include "agent/images/store.hpp"
#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::agent {

struct Needed {
  std::set<std::string> layers;  // absolute directories
  std::set<std::string> blobs;   // file names
};

// Keeps fetchers out of the store for as long as the descriptor is open. Busy while one is in it.
Result<kernel::Fd> lockStore(const std::string& store);

// Blocks; for a worker thread. The caller has locked the store, before it looked what is needed: a layer that is pulled
// between the two would be deleted. What is deleted leaves its place in one step, so that a crash in the middle leaves
// no half layers.
Result<ImageStore::Pruned> pruneStore(const std::string& store, const Needed& needed);

}  // namespace gantry::agent
