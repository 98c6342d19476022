#include "fetcher/uris/target.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

namespace gantry::fetcher {
namespace {

constexpr std::array<std::string_view, 10> kArchives = {".tar",     ".tgz", ".tar.gz", ".tbz2", ".tar.bz2",
                                                        ".tar.zst", ".txz", ".tar.xz", ".tzst", ".zip"};
constexpr std::array<std::string_view, 2> kPackedFiles = {".gz", ".zst"};
constexpr std::size_t kMaxName = 255;
// Longer than any server takes.
constexpr std::size_t kMaxUri = 32U << 10U;

bool endsWithOneOf(std::string_view name, auto& suffixes) {
  return std::ranges::any_of(suffixes, [&](std::string_view suffix) { return name.ends_with(suffix); });
}

bool isControl(char c) {
  return std::iscntrl(static_cast<unsigned char>(c)) != 0;
}

Error invalid(std::string reason) {
  return {Code::InvalidArgument, std::move(reason)};
}

// As Mesos does it: space in front of a URI is dropped.
std::string_view trimmed(std::string_view value) {
  const auto begin = value.find_first_not_of(" \t\r\n");
  return begin == std::string_view::npos ? std::string_view() : value.substr(begin);
}

struct Split {
  // Lower case; empty for a path.
  std::string scheme;
  // What follows "://", or the path.
  std::string_view rest;
};

Split split(std::string_view value) {
  const auto end = value.find("://");
  const auto isSchemeCharacter = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '-' || c == '.';
  };
  if (end == std::string_view::npos || end == 0 || !std::ranges::all_of(value.substr(0, end), isSchemeCharacter)) {
    return {{}, value};
  }
  std::string scheme(value.substr(0, end));
  std::ranges::transform(scheme, scheme.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return {std::move(scheme), value.substr(end + 3)};
}

Result<std::string> localPath(const Split& parts, std::string_view frameworksHome) {
  std::string_view path = parts.rest;
  if (!parts.scheme.empty() && path.starts_with("localhost/")) path.remove_prefix(path.find('/'));
  if (path.starts_with('/')) return std::string(path);
  if (!parts.scheme.empty()) return invalid("a file:// URI names an absolute path on this host");
  if (frameworksHome.empty()) return invalid("the path is relative, and the agent has no frameworks_home");
  return fmt::format("{}/{}", frameworksHome, path);
}

// The last part of the path; of a URL with what follows it, the query, as Mesos does it.
Result<std::string> lastPart(Target::Source source, std::string_view rest) {
  if (source == Target::Source::Local) {
    while (rest.ends_with('/')) rest.remove_suffix(1);
  }
  const auto slash = rest.rfind('/');
  const bool isBareHost = source != Target::Source::Local && slash == std::string_view::npos;
  const auto name = slash == std::string_view::npos ? rest : rest.substr(slash + 1);
  if (isBareHost || name.empty() || name == "." || name == "..") {
    return invalid("names no file; 'output_file' can give one a name");
  }
  return std::string(name);
}

Result<LayerPath> outputPath(const Uri& uri, Target::Source source, std::string_view rest) {
  std::string name = uri.outputFile;
  if (name.empty()) {
    TRY(name, lastPart(source, rest));
  }
  if (std::ranges::any_of(name, isControl)) return invalid("the file's name has a control character in it");
  if (name.ends_with('/')) return invalid(fmt::format("output_file: {} names a directory", quoted(name)));
  TRY(LayerPath path, parseLayerPath(name).under(uri.outputFile.empty() ? "file name" : "output_file"));
  if (path.isRoot()) return invalid(fmt::format("output_file: {} names the sandbox itself", quoted(name)));
  for (const std::string& part : path.parts) {
    if (part.size() > kMaxName) {
      return invalid(fmt::format("the file's name is longer than {} bytes; 'output_file' can shorten it", kMaxName));
    }
  }
  return path;
}

}  // namespace

Packing packingOf(std::string_view name) {
  if (endsWithOneOf(name, kArchives)) return Packing::Archive;
  if (endsWithOneOf(name, kPackedFiles)) return Packing::File;
  return Packing::None;
}

std::string unpackedName(std::string_view name) {
  return std::string(name.substr(0, name.rfind('.')));
}

Result<Target> targetOf(const Uri& uri, std::string_view frameworksHome) {
  const std::string_view value = trimmed(uri.value);
  if (value.empty()) return invalid("the URI is empty");
  if (value.size() > kMaxUri) return invalid(fmt::format("the URI is longer than {} bytes", kMaxUri));
  if (std::ranges::any_of(value, isControl)) return invalid("has a control character in it");
  const Split parts = split(value);
  Target target;
  if (parts.scheme.empty() || parts.scheme == "file") {
    TRY(target.location, localPath(parts, frameworksHome));
  } else if (parts.scheme == "http" || parts.scheme == "https" || parts.scheme == "ftp" || parts.scheme == "ftps") {
    target.source = parts.scheme.starts_with("http") ? Target::Source::Http : Target::Source::Ftp;
    target.location = value;
  } else {
    return Error(Code::Unsupported,
                 fmt::format("the scheme '{}' is not supported; an absolute path, file, http, https, ftp and ftps are",
                             parts.scheme));
  }
  TRY(target.path, outputPath(uri, target.source, parts.rest));
  const std::string& name = target.path.leaf();
  if (!uri.executable && uri.extract && unpackedName(name) != "") target.packing = packingOf(name);
  return target;
}

}  // namespace gantry::fetcher
