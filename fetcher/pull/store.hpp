// The image store's directory, as one pull sees it. Everything is made in a staging directory of the pull's own and
// moved into place when it is on the disk, so that a crash at any instant leaves whole things or nothing:
//
//   <store>/blobs/<algorithm>/<hex>     manifests and configurations
//   <store>/layers/<chain id's hex>/    unpacked layers
//   <store>/staging/<pid>-<n>/          locked by the pull that made it; without a lock it is rubbish, and swept
//   <store>/lock                        held shared by every pull, exclusively by who deletes layers
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"
#include "oci/digest.hpp"

namespace gantry::fetcher {

class Store {
 public:
  // Makes what is missing, sweeps what dead pulls left, and waits while layers are being deleted.
  static Result<Store> open(const std::string& path);
  Store(Store&&) noexcept = default;
  Store& operator=(Store&&) = delete;
  // Removes what was staged and not published.
  ~Store();

  // Absolute, whether it exists or not.
  std::string layerDirectory(const oci::Digest& chainId) const;
  bool hasLayer(const oci::Digest& chainId) const;
  // The layer's directory, staged or published.
  Result<kernel::Fd> openLayer(const oci::Digest& chainId) const;
  // A new, empty staged directory for it.
  Result<kernel::Fd> stageLayer(const oci::Digest& chainId);

  // What is kept of `digest`, verified; nothing when there is none, or a damaged one.
  std::optional<std::string> readBlob(const oci::Digest& digest, std::size_t limit) const;
  Result<void> stageBlob(const oci::Digest& digest, std::string_view content);

  // Brings all that was staged to the disk, then moves it into place. What another pull published meanwhile is kept.
  Result<void> publish();

 private:
  Store(std::string path, kernel::Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  Result<void> sweep();
  Result<void> makeStaging();

  std::string path_;
  kernel::Fd lock_;
  std::string stagingPath_;
  kernel::Fd staging_;
  std::vector<oci::Digest> layers_;
  std::vector<oci::Digest> blobs_;
};

}  // namespace gantry::fetcher
