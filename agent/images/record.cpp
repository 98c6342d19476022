#include "agent/images/record.hpp"

#include <sys/stat.h>

#include <cstdint>

#include <fmt/format.h>

#include "kernel/file.hpp"

namespace gantry::agent {
namespace {

// File names have at most 255 bytes.
constexpr std::size_t kMaxName = 200;
constexpr std::string_view kSuffix = ".json";

bool isPlain(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
}

// FNV-1a, which stays the same across versions of this program.
std::uint64_t hash(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325U;
  for (const char c : text) {
    value ^= static_cast<unsigned char>(c);
    value *= 0x100000001b3U;
  }
  return value;
}

Result<std::int64_t> pulledAt(const std::string& path) {
  constexpr std::int64_t kNanoseconds = 1'000'000'000;
  TRY(const struct stat status, kernel::statAt(kernel::workingDirectory(), path));
  return status.st_mtim.tv_sec * kNanoseconds + status.st_mtim.tv_nsec;
}

}  // namespace

std::string recordName(const std::string& reference) {
  std::string name;
  for (const char c : reference) {
    if (isPlain(c)) {
      name += c;
    } else {
      name += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  if (name.size() > kMaxName) name = fmt::format("{}-{:016x}", name.substr(0, kMaxName), hash(reference));
  return name.append(kSuffix);
}

Result<ImageStore::Entry> readRecord(const std::string& path) {
  TRY(const std::string json, kernel::readFile(path));
  ImageStore::Entry entry;
  TRY(entry.image, fetcher::parseImage(json));
  TRY(entry.pulled, pulledAt(path));
  return entry;
}

Result<ImageStore::Entry> writeRecord(const std::string& path, const fetcher::Image& image) {
  TRY_VOID(kernel::replaceFile(path, fetcher::imageToJson(image)));
  ImageStore::Entry entry;
  entry.image = image;
  TRY(entry.pulled, pulledAt(path));
  return entry;
}

}  // namespace gantry::agent
