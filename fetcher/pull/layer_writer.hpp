// Writes the entries of one layer into a directory, in the form in which overlayfs wants a lower layer: whiteouts
// become character devices 0:0, opaque directories get trusted.overlay.opaque (kernel, overlayfs.rst, "whiteouts and
// opaque directories"; image-spec, layer.md, "Whiteouts").
//
// Nothing an archive says leads out of the directory: names are checked, and every walk is an openat2 that stays
// beneath it. A symlink of the layer may be followed as long as it is relative and stays inside.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "fetcher/pull/layer_path.hpp"
#include "fetcher/pull/tar_reader.hpp"
#include "kernel/fd.hpp"

namespace gantry::fetcher {

// What one layer cannot know of the layers below it; LowerLayers::complete answers it.
struct LayerNeeds {
  // Directories that entries stand in but that the layer does not mention: they keep the owner and mode they have
  // below. A directory comes before what is in it.
  std::vector<std::string> directories;
  struct Link {
    std::string path;
    std::string target;
  };
  // Hard links to files of lower layers, in the order of the archive.
  std::vector<Link> links;

  bool isEmpty() const { return directories.empty() && links.empty(); }
};

// One writer per directory and thread; needs root, for owners, devices and trusted attributes.
class LayerWriter {
 public:
  struct Limits {
    Bytes unpacked;
    std::uint64_t entries = 0;
  };

  // `root` is an empty directory.
  LayerWriter(kernel::Fd root, Limits limits) : root_(std::move(root)), limits_(limits) {}

  // Applies the next entry; its content is taken from `content`. Errors begin with the entry's name. Exhausted names
  // the limit.
  Result<void> apply(const TarEntry& entry, TarReader& content);
  // After the last entry.
  Result<LayerNeeds> finish();

  Bytes written() const { return written_; }
  std::uint64_t entries() const { return entries_; }

 private:
  Result<void> applyChecked(const LayerPath& path, const TarEntry& entry, TarReader& content);
  Result<void> applyWhiteout(const LayerPath& path);
  Result<void> writeDirectory(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry);
  Result<void> writeFile(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry, TarReader& content);
  Result<void> writeContent(const kernel::Fd& file, const TarEntry& entry, TarReader& content);
  Result<void> writeHardLink(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry);
  Result<void> writeSymlink(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry);
  Result<void> writeNode(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry, mode_t type);
  Result<void> setAttributesByName(const std::string& name, const kernel::Fd& parent, const TarEntry& entry);
  Result<void> updateRoot(const TarEntry& entry);

  // The directory `path`, made with everything above it when missing. Valid until the next call.
  Result<const kernel::Fd*> openParent(const std::string& path);
  Result<kernel::Fd> makeParent(const std::string& path);
  // Removes what stands at `path`. True when that was a whiteout.
  Result<bool> makeRoom(const LayerPath& path, const kernel::Fd& parent);
  // The directory `path` is gone, with all in it.
  void forgetBelow(const std::string& path);

  kernel::Fd root_;
  Limits limits_;
  Bytes written_;
  std::uint64_t entries_ = 0;

  std::string lastParentPath_;
  kernel::Fd lastParent_;
  // Set at the end, since every new entry changes its directory's time.
  std::map<std::string, timespec> directoryTimes_;
  std::set<std::string> impliedDirectories_;
  std::vector<LayerNeeds::Link> lowerLinks_;
};

}  // namespace gantry::fetcher
