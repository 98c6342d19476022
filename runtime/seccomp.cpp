#include "runtime/seccomp.hpp"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "kernel/descriptor_passing.hpp"
#include "kernel/file.hpp"
#include "kernel/seccomp.hpp"
#include "kernel/socket.hpp"
#include "runtime/seccomp_compile.hpp"

namespace gantry::runtime {
namespace {

// An entry: magic, key, flags, program, checksum of all before. Lengths go before what varies.
constexpr std::string_view kMagic = "gantry seccomp 1\n";
constexpr std::size_t kLargestEntry = 4U << 20U;
// More entries than any host has profiles: somebody generates them.
constexpr std::size_t kMostEntries = 512;

// FNV-1a. Guards against accidents; an entry is trusted because of who may write the directory, and found right because
// it holds its whole key.
std::uint64_t digest(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

// A text that two sections share only when they are equal: each part goes behind its length.
class Canonical {
 public:
  void add(std::string_view text) {
    add(text.size());
    text_.append(text);
  }
  void add(std::uint64_t number) { text_.append(reinterpret_cast<const char*>(&number), sizeof number); }
  void add(const std::optional<std::uint32_t>& number) { add(number ? std::uint64_t{*number} : ~std::uint64_t{0}); }
  void add(const std::vector<std::string>& all) {
    add(all.size());
    for (const std::string& one : all) add(std::string_view(one));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string keyOf(const oci::Seccomp& section) {
  Canonical key;
  key.add(std::string_view(seccompCompilerVersion()));
  key.add(std::string_view(section.defaultAction));
  key.add(section.defaultErrnoRet);
  key.add(section.architectures);
  key.add(section.flags);
  key.add(std::uint64_t{section.listenerPath.empty() ? 0U : 1U});
  key.add(section.syscalls.size());
  for (const oci::SeccompSyscall& rule : section.syscalls) {
    key.add(rule.names);
    key.add(std::string_view(rule.action));
    key.add(rule.errnoRet);
    key.add(rule.args.size());
    for (const oci::SeccompArg& argument : rule.args) {
      key.add(std::uint64_t{argument.index});
      key.add(argument.value);
      key.add(argument.valueTwo);
      key.add(std::string_view(argument.op));
    }
  }
  return key.take();
}

void append(std::string& text, const void* data, std::size_t size) {
  text.append(static_cast<const char*>(data), size);
}

std::string encode(std::string_view key, const SeccompFilter& filter) {
  std::string text(kMagic);
  const std::uint64_t keySize = key.size();
  const std::uint64_t flags = filter.flags;
  const std::uint64_t count = filter.program.size();
  append(text, &keySize, sizeof keySize);
  text.append(key);
  append(text, &flags, sizeof flags);
  append(text, &count, sizeof count);
  append(text, filter.program.data(), filter.program.size() * sizeof(sock_filter));
  const std::uint64_t checksum = digest(text);
  append(text, &checksum, sizeof checksum);
  return text;
}

// Takes an object off the front of `text`; false when it is too short.
bool take(std::string_view& text, void* data, std::size_t size) {
  if (text.size() < size) return false;
  std::memcpy(data, text.data(), size);
  text.remove_prefix(size);
  return true;
}

std::optional<SeccompFilter> decode(std::string_view text, std::string_view key) {
  std::uint64_t checksum = 0;
  if (text.size() < kMagic.size() + sizeof checksum || text.substr(0, kMagic.size()) != kMagic) return std::nullopt;
  std::memcpy(&checksum, text.data() + text.size() - sizeof checksum, sizeof checksum);
  text.remove_suffix(sizeof checksum);
  if (digest(text) != checksum) return std::nullopt;
  text.remove_prefix(kMagic.size());

  std::uint64_t keySize = 0;
  std::uint64_t flags = 0;
  std::uint64_t count = 0;
  if (!take(text, &keySize, sizeof keySize) || text.substr(0, keySize) != key) return std::nullopt;
  text.remove_prefix(keySize);
  if (!take(text, &flags, sizeof flags) || !take(text, &count, sizeof count)) return std::nullopt;
  if (count == 0 || text.size() != count * sizeof(sock_filter)) return std::nullopt;
  SeccompFilter filter;
  filter.flags = static_cast<unsigned>(flags);
  filter.program.resize(count);
  std::memcpy(filter.program.data(), text.data(), text.size());
  return filter;
}

// Only what we alone can write counts.
bool isOurs(const struct stat& status) {
  return status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

Result<kernel::Fd> openCache(const std::string& directory) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  auto opened = kernel::open(directory, kFlags);
  if (!opened && opened.error().code() == Code::NotFound) {
    TRY_VOID(kernel::makeDirectories(directory, 0700));
    opened = kernel::open(directory, kFlags);
  }
  if (!opened) return opened;
  TRY(const struct stat status, kernel::statAt(*opened, "", AT_EMPTY_PATH));
  if (!isOurs(status)) return Error(Code::PermissionDenied, fmt::format("'{}' can be written by others", directory));
  return opened;
}

Result<std::string> readEntry(const kernel::Fd& cache, const std::string& name) {
  TRY(const kernel::Fd file, kernel::openAt(cache, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  TRY(const struct stat status, kernel::statAt(file, "", AT_EMPTY_PATH));
  if (!S_ISREG(status.st_mode) || !isOurs(status)) return Error(Code::PermissionDenied, "is not a file of ours");
  return kernel::readAll(file, kLargestEntry);
}

// Whole or not at all, also beside another process that writes the same entry. Not made durable: the checksum tells.
Result<void> writeEntry(const std::string& directory, const kernel::Fd& cache, const std::string& name,
                        std::string_view entry) {
  TRY(const auto names, kernel::listDirectory(directory));
  if (names.size() >= kMostEntries) {
    for (const std::string& old : names) ignore(kernel::unlinkAt(cache, old), "a cache may lose any entry");
  }
  const std::string temporary = fmt::format("{}.{}", name, ::getpid());
  {
    TRY(const kernel::Fd file, kernel::openAt(cache, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
    TRY_VOID(kernel::writeAll(file, entry));
  }
  return kernel::rename(fmt::format("{}/{}", directory, temporary), fmt::format("{}/{}", directory, name));
}

}  // namespace

bool SeccompFilter::wantsListener() const {
  return (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0;
}

Result<SeccompFilter> compileSeccomp(const oci::Seccomp& section, const std::string& cacheDirectory) {
  if (cacheDirectory.empty()) return compileSeccompNow(section);
  const std::string key = keyOf(section);
  const std::string name = fmt::format("{:016x}", digest(key));
  const auto cache = openCache(cacheDirectory);
  if (cache) {
    const auto entry = readEntry(*cache, name);
    if (entry) {
      if (auto filter = decode(*entry, key)) return *std::move(filter);
    }
  }
  TRY(SeccompFilter filter, compileSeccompNow(section));
  if (cache) ignore(writeEntry(cacheDirectory, *cache, name, encode(key, filter)), "the next start compiles again");
  return filter;
}

Result<kernel::Fd> loadSeccomp(const SeccompFilter& filter) {
  return kernel::installSeccompFilter(filter.program, filter.flags);
}

Result<void> sendSeccompListener(const std::string& listenerPath, const kernel::Fd& listener,
                                 std::string_view stateJson) {
  const std::string purpose = fmt::format("linux.seccomp.listenerPath: '{}'", listenerPath);
  TRY(const kernel::Fd socket, kernel::connectUnix(listenerPath, SOCK_STREAM).under(purpose));
  return kernel::sendWithDescriptor(socket, stateJson, listener).under(purpose);
}

}  // namespace gantry::runtime
