#include "agent/containers/user.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "kernel/file.hpp"

namespace gantry::agent {
namespace {

constexpr std::size_t kMaxFile = 1U << 20U;
constexpr std::uint32_t kMaxNumber = std::numeric_limits<std::int32_t>::max();

struct PasswdEntry {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string home;
};

struct GroupEntry {
  std::string name;
  std::uint32_t gid = 0;
  std::vector<std::string_view> members;
};

bool isDigits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// The number that `text`, all digits, spells; nothing when it is out of range.
std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || value > kMaxNumber) return {};
  return value;
}

// What useradd takes, and dots: nothing that reads like a number, a sign or white space.
bool isName(std::string_view text) {
  const auto isLetter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && isLetter(text.front()) && std::ranges::all_of(text, [&](char c) {
    return isLetter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '$';
  });
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// The text of a file below `rootfs`; "" when there is none. O_NONBLOCK so that a FIFO does not hang us.
Result<std::string> readInside(const kernel::Fd& rootfs, const std::string& path) {
  auto file = kernel::openAt2(rootfs, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  if (!file && (file.error().code() == Code::NotFound || file.error().number() == ENOTDIR)) return std::string();
  if (!file) return std::move(file).error();
  TRY(const struct stat status, kernel::statAt(*file, "", AT_EMPTY_PATH));
  if (!S_ISREG(status.st_mode)) return Error(Code::InvalidArgument, fmt::format("'/{}' is not a regular file", path));
  return kernel::readAll(*file, kMaxFile);
}

// Malformed lines are skipped, as the C library does.
template <typename Each>
void forEachPasswd(std::string_view text, Each each) {
  for (const std::string_view line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 7 || !isDigits(fields[2]) || !isDigits(fields[3])) continue;
    const auto uid = number(fields[2]);
    const auto gid = number(fields[3]);
    if (uid && gid) each(PasswdEntry{std::string(fields[0]), *uid, *gid, std::string(fields[5])});
  }
}

template <typename Each>
void forEachGroup(std::string_view text, Each each) {
  for (const std::string_view line : split(text, '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() < 4 || !isDigits(fields[2])) continue;
    if (const auto gid = number(fields[2])) each(GroupEntry{std::string(fields[0]), *gid, split(fields[3], ',')});
  }
}

template <typename Matches>
std::optional<PasswdEntry> findUser(std::string_view passwd, Matches matches) {
  std::optional<PasswdEntry> found;
  forEachPasswd(passwd, [&](PasswdEntry entry) {
    if (!found && matches(entry)) found = std::move(entry);
  });
  return found;
}

Error refused(std::string_view text, std::string_view reason) {
  return Error(Code::InvalidArgument, fmt::format("'{}' {}", text, reason));
}

// The user's own entry, or one without a name for a uid that has none.
Result<PasswdEntry> lookUpUser(std::string_view text, std::string_view passwd) {
  if (isDigits(text)) {
    const auto uid = number(text);
    if (!uid) return refused(text, fmt::format("is out of range: a uid is at most {}", kMaxNumber));
    const auto entry = findUser(passwd, [&](const PasswdEntry& each) { return each.uid == *uid; });
    return entry.value_or(PasswdEntry{.uid = *uid, .home = *uid == 0 ? "/root" : "/"});
  }
  if (!isName(text)) return refused(text, "is neither a uid nor a user's name");
  auto entry = findUser(passwd, [&](const PasswdEntry& each) { return each.name == text; });
  if (!entry) return Error(Code::NotFound, fmt::format("user '{}' is not in the container's /etc/passwd", text));
  return *entry;
}

Result<std::uint32_t> lookUpGroup(std::string_view text, std::string_view groups) {
  if (isDigits(text)) {
    const auto gid = number(text);
    if (!gid) return refused(text, fmt::format("is out of range: a gid is at most {}", kMaxNumber));
    return *gid;
  }
  if (!isName(text)) return refused(text, "is neither a gid nor a group's name");
  std::optional<std::uint32_t> found;
  forEachGroup(groups, [&](const GroupEntry& entry) {
    if (!found && entry.name == text) found = entry.gid;
  });
  if (!found) return Error(Code::NotFound, fmt::format("group '{}' is not in the container's /etc/group", text));
  return *found;
}

// The groups that list `name`, after `primary`, each once.
std::vector<std::uint32_t> groupsOf(std::string_view name, std::uint32_t primary, std::string_view groups) {
  std::vector<std::uint32_t> gids{primary};
  if (name.empty()) return gids;
  forEachGroup(groups, [&](const GroupEntry& entry) {
    const bool listed = std::ranges::find(entry.members, name) != entry.members.end();
    if (listed && std::ranges::find(gids, entry.gid) == gids.end()) gids.push_back(entry.gid);
  });
  return gids;
}

}  // namespace

Result<ResolvedUser> resolveUser(const kernel::Fd& rootfs, const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::string_view userPart = text.empty() ? "0" : std::string_view(text).substr(0, colon);
  TRY(const std::string passwd, readInside(rootfs, "etc/passwd"));
  TRY(const std::string groups, readInside(rootfs, "etc/group"));
  TRY(const PasswdEntry entry, lookUpUser(userPart, passwd));

  ResolvedUser resolved;
  resolved.user.uid = entry.uid;
  resolved.user.gid = entry.gid;
  resolved.home = entry.home.empty() ? "/" : entry.home;
  if (colon != std::string::npos) {
    TRY(resolved.user.gid, lookUpGroup(std::string_view(text).substr(colon + 1), groups));
    resolved.user.additionalGids = {resolved.user.gid};
  } else {
    resolved.user.additionalGids = groupsOf(entry.name, entry.gid, groups);
  }
  return resolved;
}

}  // namespace gantry::agent
