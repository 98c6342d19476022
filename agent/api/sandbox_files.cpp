#include "agent/api/sandbox_files.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <map>

#include "kernel/file.hpp"
#include "kernel/io.hpp"

namespace gantry::agent::api {
namespace {

constexpr std::size_t kMaxEntries = 100'000;

std::string reopenPath(const kernel::Fd& fd) {
  return "/proc/self/fd/" + std::to_string(fd.raw());
}

// Where below what is attached a path is.
struct Place {
  std::string attached;
  std::string below;  // "." for what is attached itself
};

// One slash between two parts, and none at the end.
std::string normal(const std::string& path) {
  std::string text;
  for (const char letter : path) {
    if (letter != '/' || !text.ends_with('/')) text.push_back(letter);
  }
  if (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

Result<Place> locate(const Attachments& attachments, const std::string& given) {
  if (given.find('\0') != std::string::npos) return Error::invalid("path", "contains a NUL byte");
  const std::string path = normal(given);
  for (std::string_view name = path; !name.empty(); name = name.substr(0, name.rfind('/'))) {
    const auto found = attachments.find(name);
    if (found != attachments.end()) {
      return Place{found->second, name.size() == path.size() ? "." : path.substr(name.size() + 1)};
    }
    if (name.find('/') == std::string_view::npos) break;
  }
  return Error(Code::NotFound, "'" + given + "' is not in the sandbox of a container");
}

// What is attached itself was named by us or by who started us, so that symlinks on the way to it are followed.
Result<kernel::Fd> openPlace(const Place& place, unsigned type) {
  TRY(const auto attached, kernel::open(place.attached, O_PATH));
  TRY(const struct stat stat, kernel::statAt(attached, "", AT_EMPTY_PATH));
  if (place.below == "." && (stat.st_mode & S_IFMT) == type && S_ISREG(type)) {
    return kernel::open(reopenPath(attached), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  }
  if (!S_ISDIR(stat.st_mode)) return Error::invalid("path", "'" + place.attached + "' is not a directory");
  return openBelow(attached, place.below, type);
}

template <typename Entry, typename Id>
std::string nameOf(Id id, int (*lookUp)(Id, Entry*, char*, std::size_t, Entry**), char* Entry::* name) {
  std::array<char, 4096> buffer{};
  Entry entry{};
  Entry* found = nullptr;
  if (lookUp(id, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return std::to_string(id);
  return found->*name;
}

// Looked up once each: a look-up reads /etc/passwd, and a directory may have many entries.
class Names {
 public:
  const std::string& user(uid_t id) {
    return known(users_, id, [id] { return nameOf<passwd, uid_t>(id, ::getpwuid_r, &passwd::pw_name); });
  }
  const std::string& group(gid_t id) {
    return known(groups_, id, [id] { return nameOf<::group, gid_t>(id, ::getgrgid_r, &::group::gr_name); });
  }

 private:
  template <typename LookUp>
  static const std::string& known(std::map<id_t, std::string>& names, id_t id, LookUp lookUp) {
    const auto found = names.find(id);
    return found != names.end() ? found->second : names.emplace(id, lookUp()).first->second;
  }

  std::map<id_t, std::string> users_;
  std::map<id_t, std::string> groups_;
};

wire::FileInfo infoOf(std::string path, const struct stat& stat, Names& names) {
  wire::FileInfo info;
  info.path = std::move(path);
  info.links = static_cast<std::uint32_t>(stat.st_nlink);
  info.size = static_cast<std::uint64_t>(stat.st_size);
  info.modified = std::chrono::seconds(stat.st_mtim.tv_sec) + std::chrono::nanoseconds(stat.st_mtim.tv_nsec);
  info.mode = stat.st_mode;
  info.user = names.user(stat.st_uid);
  info.group = names.group(stat.st_gid);
  return info;
}

}  // namespace

http::Response fileFailure(const Error& error) {
  if (error.code() == Code::NotFound) return http::textResponse(404, error.message());
  return http::textResponse(error.code() == Code::Internal ? 500 : 400, error.message());
}

Result<kernel::Fd> openBelow(const kernel::Fd& directory, const std::string& path, unsigned type) {
  auto place = kernel::openAt2(directory, path, O_PATH, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
  if (!place) {
    const int number = place.error().number();
    if (number == EXDEV || number == ELOOP) return Error::invalid("path", "'" + path + "' leads out of the sandbox");
    return std::move(place).error();
  }
  TRY(const struct stat stat, kernel::statAt(*place, "", AT_EMPTY_PATH));
  if ((stat.st_mode & S_IFMT) != type) {
    return Error::invalid("path", "'" + path + "' is not a " + (type == S_IFDIR ? "directory" : "file"));
  }
  // The same inode again, now that we know that opening it has no side effects.
  return kernel::open(reopenPath(*place), O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

Result<std::vector<wire::FileInfo>> listFiles(const Attachments& attachments, const std::string& path) {
  TRY(const Place place, locate(attachments, path));
  TRY(const auto directory, openPlace(place, S_IFDIR));
  TRY(auto names, kernel::listDirectory(reopenPath(directory)));
  if (names.size() > kMaxEntries) {
    return Error(Code::Exhausted, "'" + path + "' has more than " + std::to_string(kMaxEntries) + " entries");
  }
  std::sort(names.begin(), names.end());
  std::string prefix = path;
  while (!prefix.empty() && prefix.back() == '/') prefix.pop_back();
  Names owners;
  std::vector<wire::FileInfo> files;
  for (const std::string& name : names) {
    const auto stat = kernel::statAt(directory, name, AT_SYMLINK_NOFOLLOW);
    if (stat) files.push_back(infoOf(prefix + "/" + name, *stat, owners));  // or it was just deleted
  }
  return files;
}

Result<kernel::Fd> openFile(const Attachments& attachments, const std::string& path) {
  TRY(const Place place, locate(attachments, path));
  return openPlace(place, S_IFREG);
}

Result<FileContent> readFileAt(const Attachments& attachments, const std::string& path, std::uint64_t offset,
                               std::optional<std::uint64_t> length) {
  TRY(const auto file, openFile(attachments, path));
  TRY(const struct stat stat, kernel::statAt(file, "", AT_EMPTY_PATH));
  FileContent content{static_cast<std::uint64_t>(stat.st_size), {}};
  if (offset >= content.size) return content;
  const std::uint64_t wanted = std::min<std::uint64_t>({length.value_or(kMaxRead), kMaxRead, content.size - offset});
  auto data = kernel::readFrom(file, offset, static_cast<std::size_t>(wanted));
  if (!data) return std::move(data).error().under("file '" + path + "'");
  content.data = *std::move(data);
  return content;
}

}  // namespace gantry::agent::api
