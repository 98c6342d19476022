// The unpacked layers below one layer, seen as overlayfs will see them, to complete that layer with what only they
// know.
#pragma once

#include <sys/stat.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "fetcher/pull/layer_path.hpp"
#include "fetcher/pull/layer_writer.hpp"
#include "kernel/fd.hpp"

namespace gantry::fetcher {

class LowerLayers {
 public:
  // Opened directories, bottom first. `left` is how much may still be written; what is written is taken from it.
  LowerLayers(std::vector<kernel::Fd> layers, Bytes& left) : layers_(std::move(layers)), left_(left) {}

  // Answers `needs` in `layer`: implied directories get the metadata they have below; where there is a symlink below,
  // what the layer has in its place moves to where it leads ("lib/x" over "lib -> usr/lib" is "usr/lib/x"); hard links
  // to lower files become copies, one for all links to the same. InvalidArgument when a link's target is nowhere,
  // Exhausted when the copies are too large. Paths come from a layer's unpacker and are not trusted: no walk of the
  // kernel's leaves a layer's directory or follows a symlink.
  Result<void> complete(const kernel::Fd& layer, const LayerNeeds& needs);

 private:
  struct Found {
    kernel::Fd parent;
    struct stat status;
  };

  Result<std::optional<Found>> find(const LayerPath& path) const;
  // `path` with the symlinks that lower layers have in it replaced by where they lead, as in a file system whose root
  // is the image's. Nothing when that is no directory.
  Result<std::optional<LayerPath>> resolveDirectory(const LayerPath& path, int links = 0) const;
  Result<void> completeDirectory(const kernel::Fd& layer, const LayerPath& path) const;
  Result<void> inheritMetadata(const kernel::Fd& layer, const LayerPath& path) const;
  Result<void> makeDirectories(const kernel::Fd& layer, const LayerPath& path) const;
  Result<void> materialise(const kernel::Fd& layer, const LayerPath& path, const LayerPath& target);

  std::vector<kernel::Fd> layers_;
  Bytes& left_;
  // In the layer that is being completed, by the path of the lower file.
  std::map<std::string, LayerPath> copies_;
};

}  // namespace gantry::fetcher
