#include "runtime/root_directory.hpp"

#include <fcntl.h>
#include <linux/openat2.h>

#include <deque>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "kernel/file.hpp"

namespace gantry::runtime {
namespace {

constexpr int kMaxSymlinks = 40;

void prependComponents(std::deque<std::string>& queue, std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (!part.empty() && part != ".") parts.emplace_back(part);
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  queue.insert(queue.begin(), parts.begin(), parts.end());
}

// Makes and opens it. Somebody else may make it at the same time, which is as good.
Result<kernel::Fd> makeDirectory(const kernel::Fd& parent, const std::string& name) {
  auto made = kernel::makeDirectoryAt(parent, name, 0755);
  if (!made && made.error().code() != Code::AlreadyExists) return std::move(made).error();
  return kernel::openAt(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
}

// Walks below a root on descriptors. The directories on the way are kept, so that ".." goes back to where we came from
// and never asks the file system, which may have been rearranged meanwhile.
class Walk {
 public:
  explicit Walk(const kernel::Fd& root) : root_(root) {}

  // After this, last() is the final component in directory(); it exists or not, but is no symlink.
  Result<void> to(const std::string& path) {
    prependComponents(queue_, path);
    while (!queue_.empty()) {
      std::string part = std::move(queue_.front());
      queue_.pop_front();
      if (part == "..") {
        if (!stack_.empty()) stack_.pop_back();
        continue;
      }
      TRY(const bool followed, followSymlink(part));
      if (followed) continue;
      if (queue_.empty()) {
        last_ = std::move(part);
        return {};
      }
      TRY_VOID(descend(part));
    }
    // The path was "/", or ended in ".." or a symlink to such a place.
    last_ = ".";
    return {};
  }

  const kernel::Fd& directory() const { return stack_.empty() ? root_ : stack_.back(); }
  const std::string& last() const { return last_; }

 private:
  Result<bool> followSymlink(const std::string& name) {
    const auto target = kernel::readLinkAt(directory(), name);
    if (!target) return false;
    if (++symlinks_ > kMaxSymlinks) return Error::fromErrno(ELOOP, fmt::format("follow '{}'", name));
    if (target->starts_with('/')) stack_.clear();
    prependComponents(queue_, *target);
    return true;
  }

  Result<void> descend(const std::string& name) {
    auto next = kernel::openAt(directory(), name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!next && next.error().code() == Code::NotFound) next = makeDirectory(directory(), name);
    TRY(kernel::Fd opened, std::move(next));
    stack_.push_back(std::move(opened));
    return {};
  }

  const kernel::Fd& root_;
  std::vector<kernel::Fd> stack_;
  std::deque<std::string> queue_;
  std::string last_;
  int symlinks_ = 0;
};

}  // namespace

Result<kernel::Fd> RootDirectory::open(const std::string& path, int flags) const {
  return kernel::openAt2(directory_, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

Result<kernel::Fd> RootDirectory::openOrMakeDirectory(const std::string& path) const {
  auto there = open(path, O_PATH | O_DIRECTORY);
  if (there || there.error().code() != Code::NotFound) return there;
  Walk walk(directory_);
  TRY_VOID(walk.to(path).under(fmt::format("make '{}'", path)));
  // What is there by now, or "." for a path that ends in "..", cannot be made.
  return makeDirectory(walk.directory(), walk.last()).under(fmt::format("make '{}'", path));
}

Result<kernel::Fd> RootDirectory::openOrMakeFile(const std::string& path) const {
  auto there = open(path, O_PATH);
  if (there || there.error().code() != Code::NotFound) return there;
  Walk walk(directory_);
  TRY_VOID(walk.to(path).under(fmt::format("make '{}'", path)));
  auto made = kernel::openAt(walk.directory(), walk.last(), O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
  // Somebody else has made it meanwhile, which is as good.
  if (!made && made.error().code() == Code::AlreadyExists) made = open(path, O_PATH);
  return std::move(made).under(fmt::format("make '{}'", path));
}

Result<RootDirectory::Entry> RootDirectory::openParent(const std::string& path) const {
  const auto slash = path.rfind('/');
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  if (name.empty() || name == "." || name == "..") {
    return Error(Code::InvalidArgument, fmt::format("'{}' does not name a file", path));
  }
  TRY(kernel::Fd parent, openOrMakeDirectory(slash == std::string::npos ? "/" : path.substr(0, slash + 1)));
  return Entry{std::move(parent), name};
}

}  // namespace gantry::runtime
