#include "fetcher/pull/store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "base/log.hpp"
#include "fetcher/pull/hash.hpp"
#include "kernel/file.hpp"
#include "kernel/node.hpp"

namespace gantry::fetcher {
namespace {

constexpr mode_t kPrivate = 0700;

std::string blobName(const oci::Digest& digest) {
  return fmt::format("{}-{}", digest.algorithmName(), digest.hex());
}

}  // namespace

Result<Store> Store::open(const std::string& path) {
  for (const char* part : {"blobs/sha256", "blobs/sha512", "layers", "staging"}) {
    TRY_VOID(kernel::makeDirectories(fmt::format("{}/{}", path, part), kPrivate));
  }
  TRY(kernel::Fd lock, kernel::open(path + "/lock", O_RDWR | O_CREAT, 0600));
  TRY(const bool locked, kernel::lockFile(lock, kernel::Lock::Shared, true));
  ENSURE(locked, "a lock that was waited for was not taken");
  Store store(path, std::move(lock));
  TRY_VOID(store.makeStaging());
  return store;
}

Result<void> Store::makeStaging() {
  const std::string all = path_ + "/staging";
  // Between the making of a directory and its lock nobody may take it for rubbish.
  TRY(const kernel::Fd gate, kernel::open(all, O_RDONLY | O_DIRECTORY));
  TRY_VOID(kernel::lockFile(gate, kernel::Lock::Exclusive, true));
  TRY_VOID(sweep());
  for (int number = 0;; ++number) {
    stagingPath_ = fmt::format("{}/{}-{}", all, ::getpid(), number);
    auto made = kernel::makeDirectoryAt(kernel::workingDirectory(), stagingPath_, kPrivate);
    if (made) break;
    if (made.error().code() != Code::AlreadyExists) return made;
  }
  TRY(staging_, kernel::open(stagingPath_, O_RDONLY | O_DIRECTORY));
  TRY_VOID(kernel::lockFile(staging_, kernel::Lock::Exclusive, false));
  return {};
}

Result<void> Store::sweep() {
  const std::string all = path_ + "/staging";
  TRY(const auto names, kernel::listDirectory(all));
  for (const std::string& name : names) {
    const std::string left = fmt::format("{}/{}", all, name);
    TRY(const kernel::Fd directory, kernel::open(left, O_RDONLY | O_NOFOLLOW));
    TRY(const bool isRubbish, kernel::lockFile(directory, kernel::Lock::Exclusive, false));
    if (!isRubbish) continue;
    log::info("removing what an interrupted pull left", {{"directory", left}});
    TRY_VOID(kernel::removeTree(left));
  }
  return {};
}

Store::~Store() {
  if (!staging_) return;
  const auto removed = kernel::removeTree(stagingPath_);
  if (!removed) log::warning("the next pull removes the staging directory", {{"error", removed.error()}});
}

std::string Store::layerDirectory(const oci::Digest& chainId) const {
  return fmt::format("{}/layers/{}", path_, chainId.hex());
}

bool Store::hasLayer(const oci::Digest& chainId) const {
  return kernel::exists(layerDirectory(chainId));
}

Result<kernel::Fd> Store::openLayer(const oci::Digest& chainId) const {
  if (std::ranges::count(layers_, chainId) > 0) {
    return kernel::openAt(staging_, std::string(chainId.hex()), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  }
  return kernel::open(layerDirectory(chainId), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<kernel::Fd> Store::stageLayer(const oci::Digest& chainId) {
  const std::string name(chainId.hex());
  TRY_VOID(kernel::makeDirectoryAt(staging_, name, 0755));
  layers_.push_back(chainId);
  return kernel::openAt(staging_, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

std::optional<std::string> Store::readBlob(const oci::Digest& digest, std::size_t limit) const {
  auto content = kernel::readFile(fmt::format("{}/blobs/{}/{}", path_, digest.algorithmName(), digest.hex()), limit);
  if (!content || digestOf(*content, digest.algorithm()) != digest) return {};
  return *std::move(content);
}

Result<void> Store::stageBlob(const oci::Digest& digest, std::string_view content) {
  if (std::ranges::count(blobs_, digest) > 0) return {};
  TRY(const kernel::Fd file, kernel::openAt(staging_, blobName(digest), O_WRONLY | O_CREAT | O_TRUNC, 0600));
  TRY_VOID(kernel::writeAll(file, content));
  blobs_.push_back(digest);
  return {};
}

Result<void> Store::publish() {
  if (layers_.empty() && blobs_.empty()) return {};
  TRY_VOID(kernel::syncFileSystem(staging_));
  for (const oci::Digest& digest : blobs_) {
    TRY_VOID(kernel::rename(fmt::format("{}/{}", stagingPath_, blobName(digest)),
                            fmt::format("{}/blobs/{}/{}", path_, digest.algorithmName(), digest.hex())));
  }
  TRY(const kernel::Fd layers, kernel::open(path_ + "/layers", O_RDONLY | O_DIRECTORY));
  for (const oci::Digest& chainId : layers_) {
    const std::string name(chainId.hex());
    auto moved = kernel::renameNoReplaceAt(staging_, name, layers, name);
    if (!moved && moved.error().code() != Code::AlreadyExists) return moved;
  }
  TRY_VOID(kernel::syncFile(layers));
  layers_.clear();
  blobs_.clear();
  return {};
}

}  // namespace gantry::fetcher
