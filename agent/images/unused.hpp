// Forgetting the images that nobody uses: PRUNE_IMAGES.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/images/store.hpp"

namespace gantry::agent {

// Forgets every image but those whose topmost layer is in `layersInUse` (directories) and those of `kept` (references
// as users write them, `defaultRegistry` as in fetcher::PullRequest). InvalidArgument when one of these is no
// reference; nothing is forgotten then. ImageStore::prune() deletes what they leave behind.
Result<void> forgetUnused(ImageStore& images, const std::set<std::string>& layersInUse,
                          const std::vector<std::string>& kept, std::string_view defaultRegistry);

}  // namespace gantry::agent
