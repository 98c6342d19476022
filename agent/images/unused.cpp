#include "agent/images/unused.hpp"

#include "fetcher/reference.hpp"

namespace gantry::agent {

Result<void> forgetUnused(ImageStore& images, const std::set<std::string>& layersInUse,
                          const std::vector<std::string>& kept, std::string_view defaultRegistry) {
  std::set<std::string> spared;
  for (const std::string& text : kept) {
    TRY(const auto reference, fetcher::Reference::parse(text, defaultRegistry));
    spared.insert(reference.canonical());
  }
  for (const ImageStore::Entry& entry : images.list()) {
    const fetcher::Image& image = entry.image;
    const bool isUsed = !image.layers.empty() && layersInUse.contains(image.layers.back().directory);
    if (isUsed || spared.contains(image.reference)) continue;
    TRY_VOID(images.forget(image.reference));
  }
  return {};
}

}  // namespace gantry::agent
