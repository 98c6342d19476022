// The container's root directory seen from outside, with names in it that cannot lead out of it.
//
// Everything below the root belongs to the tenant: symlinks may point anywhere and directories may be swapped while we
// look. Look-ups use openat2(RESOLVE_IN_ROOT); what is missing is made by walking one component at a time on
// descriptors.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::runtime {

class RootDirectory {
 public:
  explicit RootDirectory(kernel::Fd directory) : directory_(std::move(directory)) {}

  const kernel::Fd& fd() const { return directory_; }

  // What `path` names, as if this were the root: symlinks stay inside, magic links are refused. `flags` as for open(2);
  // NotFound when there is nothing.
  Result<kernel::Fd> open(const std::string& path, int flags) const;

  // The same with O_PATH, making what is missing: directories of mode 0755, and at the end a directory or an empty
  // file. A dangling symlink is followed and its target made, inside. InvalidArgument when something else is in the
  // way.
  Result<kernel::Fd> openOrMakeDirectory(const std::string& path) const;
  Result<kernel::Fd> openOrMakeFile(const std::string& path) const;

  // The directory that holds `path`, made when missing, and the last component: for making nodes and symlinks in it.
  struct Entry {
    kernel::Fd directory;
    std::string name;
  };
  Result<Entry> openParent(const std::string& path) const;

 private:
  kernel::Fd directory_;
};

}  // namespace gantry::runtime
