// Writes a task's files into its sandbox: whole files under their names, and the content of archives.
//
// A sandbox may have been prepared by a container, and archives come from anywhere. No name leads out: every walk is an
// openat2 that stays beneath the sandbox, names in archives are relative and without "..", hard links are made to what
// is in the sandbox only, and devices are refused. Symlinks may point anywhere, as in every archive of a program that
// expects its place in a system; they are followed only while they stay inside. (The process this runs in has no rights
// but those of the task's user and sees no other file system than the sandbox, sandbox_worker.hpp.)
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "fetcher/pull/layer_path.hpp"
#include "fetcher/pull/tar_reader.hpp"
#include "fetcher/uri_messages.hpp"
#include "fetcher/uris/target.hpp"
#include "kernel/fd.hpp"

namespace gantry::fetcher {

class SandboxWriter {
 public:
  // Called after each piece that was written, with the count of bytes so far.
  using Written = std::function<void(Bytes)>;

  SandboxWriter(kernel::Fd root, UriLimits limits, Written written)
      : root_(std::move(root)), limits_(limits), written_(std::move(written)) {}

  // Copies everything `from` has, a file or a pipe, into a file of its own that has no proper name yet. Returns its
  // size.
  Result<Bytes> store(const kernel::Fd& from);
  // Gives the stored file its name, in place of what has the name now (but for a directory), and its mode.
  Result<void> keep(const LayerPath& path, mode_t mode);
  // Removes the stored file, if there is one. Also what an interrupted fetch left.
  Result<void> drop();

  // Unpacks what was kept last.
  Result<void> unpackKept(Packing packing, const std::string& name);
  // Unpacks `file`, which can be read from the start, into the sandbox's top directory. `name` is how it is called;
  // a packed file gets it without the suffix. Errors begin with the entry's name. Archives' permissions lose what
  // others than the user might write with, and the set-id bits; owners are not looked at.
  Result<void> unpack(const kernel::Fd& file, Packing packing, const std::string& name);

 private:
  Result<void> unpackArchive(const kernel::Fd& file);
  Result<void> unpackFile(const kernel::Fd& file, const LayerPath& path);
  Result<void> apply(const TarEntry& entry, TarReader& content);
  Result<void> writeFile(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry, TarReader& content);
  Result<void> writeContent(const kernel::Fd& file, const TarEntry& entry, TarReader& content);
  Result<void> writeDirectory(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry);
  Result<void> writeSymlink(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry);
  Result<void> writeHardLink(const LayerPath& path, const kernel::Fd& parent, const TarEntry& entry);
  // Modes and times of directories, which every new entry would change or be hindered by.
  Result<void> finishDirectories();
  // A new file in place of what is at `path`.
  Result<kernel::Fd> makeFile(const LayerPath& path, const kernel::Fd& parent);

  // The directory `path`, made with everything above it when missing. Valid until the next call.
  Result<const kernel::Fd*> openParent(const LayerPath& path);
  Result<void> count(std::size_t bytes);

  struct DirectoryMetadata {
    mode_t mode;
    timespec modified;
  };

  kernel::Fd root_;
  const UriLimits limits_;
  const Written written_;
  kernel::Fd stored_;
  Bytes unpacked_;
  std::uint64_t entries_ = 0;
  std::string lastParentPath_;
  kernel::Fd lastParent_;
  std::map<std::string, DirectoryMetadata> directories_;
};

}  // namespace gantry::fetcher
