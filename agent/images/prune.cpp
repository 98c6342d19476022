#include "agent/images/prune.hpp"

#include <fcntl.h>

#include <fmt/format.h>

#include "kernel/file.hpp"
#include "kernel/node.hpp"

namespace gantry::agent {
namespace {

// The names in a directory that may be missing, in a store that no pull has made yet.
Result<std::vector<std::string>> namesIn(const std::string& directory) {
  auto names = kernel::listDirectory(directory);
  if (!names && names.error().code() == Code::NotFound) return std::vector<std::string>();
  return names;
}

}  // namespace

Result<kernel::Fd> lockStore(const std::string& store) {
  TRY(kernel::Fd lock, kernel::open(store + "/lock", O_RDWR | O_CREAT, 0600));
  TRY(const bool isMine, kernel::lockFile(lock, kernel::Lock::Exclusive, false));
  if (!isMine) return Error(Code::Busy, "an image is being pulled");
  return lock;
}

Result<ImageStore::Pruned> pruneStore(const std::string& store, const Needed& needed) {
  ImageStore::Pruned pruned;
  // A fetcher sweeps this, should we not come to it.
  const std::string rubbish = store + "/staging/pruned";
  TRY_VOID(kernel::removeTree(rubbish));
  TRY_VOID(kernel::makeDirectories(rubbish, 0700));
  TRY(const auto layers, namesIn(store + "/layers"));
  for (const std::string& name : layers) {
    const std::string directory = fmt::format("{}/layers/{}", store, name);
    if (needed.layers.contains(directory)) continue;
    TRY_VOID(kernel::rename(directory, fmt::format("{}/{}", rubbish, name)));
    ++pruned.layers;
  }
  for (const char* algorithm : {"sha256", "sha512"}) {
    const std::string directory = fmt::format("{}/blobs/{}", store, algorithm);
    TRY(const auto blobs, namesIn(directory));
    for (const std::string& name : blobs) {
      if (needed.blobs.contains(name)) continue;
      TRY_VOID(kernel::unlink(fmt::format("{}/{}", directory, name)));
      ++pruned.blobs;
    }
  }
  TRY_VOID(kernel::removeTree(rubbish));
  return pruned;
}

}  // namespace gantry::agent
