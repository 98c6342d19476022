#include "cli/specs.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "kernel/capability.hpp"
#include "kernel/file.hpp"
#include "kernel/signals.hpp"

namespace gantry::cli {
namespace {

Error malformed(std::string_view what, std::string_view text, std::string_view reason) {
  return Error(Code::InvalidArgument, fmt::format("{} '{}': {}", what, text, reason));
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string upper(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return result;
}

template <typename Number>
std::optional<Number> numberOf(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<void> addVariable(std::string_view text, std::map<std::string, std::string>& into) {
  const auto equals = text.find('=');
  const std::string name(text.substr(0, equals));
  if (name.empty()) return malformed("variable", text, "has no name");
  if (equals != std::string_view::npos) {
    into[name] = std::string(text.substr(equals + 1));
  } else if (const char* value = std::getenv(name.c_str())) {
    into[name] = value;
  }
  return {};
}

Result<void> addFile(const std::string& path, std::map<std::string, std::string>& into) {
  TRY(const std::string text, kernel::readFile(path, 1U << 20U));
  for (std::string_view line : split(text, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    TRY_VOID(addVariable(line, into).under(fmt::format("file '{}'", path)));
  }
  return {};
}

Result<std::string> absoluteSource(const std::string& spec, std::string_view source) {
  if (source.starts_with('/')) return std::string(source);
  if (source != "." && source != ".." && !source.starts_with("./") && !source.starts_with("../")) {
    return malformed("volume", spec, "the source must be a path (named volumes are not supported)");
  }
  std::array<char, 4096> directory{};
  if (::getcwd(directory.data(), directory.size()) == nullptr) return Error::fromErrno(errno, "getcwd");
  std::vector<std::string_view> parts = split(std::string_view(directory.data()).substr(1), '/');
  for (const std::string_view part : split(source, '/')) {
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  return fmt::format("/{}", fmt::join(parts, "/"));
}

struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
};

std::optional<PortRange> portRange(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = numberOf<std::uint16_t>(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : numberOf<std::uint16_t>(text.substr(dash + 1));
  if (!first || !last || *first == 0 || *last < *first) return std::nullopt;
  return PortRange{*first, *last};
}

// What a container has by default: Docker's fourteen.
constexpr std::array<std::string_view, 14> kDefaultCapabilities = {
    "CHOWN",   "DAC_OVERRIDE",     "FOWNER",  "FSETID",     "KILL",  "SETGID",      "SETUID",
    "SETPCAP", "NET_BIND_SERVICE", "NET_RAW", "SYS_CHROOT", "MKNOD", "AUDIT_WRITE", "SETFCAP"};

template <typename Names>
Result<kernel::CapabilitySet> capabilitySet(const Names& names) {
  kernel::CapabilitySet set = 0;
  for (const auto& text : names) {
    const std::string name = upper(text);
    if (name == "ALL" || name == "CAP_ALL") {
      set |= kernel::namedCapabilities();
      continue;
    }
    const auto number = kernel::capabilityNumber(name.starts_with("CAP_") ? name : "CAP_" + name);
    if (!number) return malformed("capability", text, "there is none of this name");
    set |= kernel::CapabilitySet{1} << *number;
  }
  return set;
}

}  // namespace

Result<std::map<std::string, std::string>> parseEnvironment(const std::vector<std::string>& files,
                                                            const std::vector<std::string>& variables) {
  std::map<std::string, std::string> environment;
  for (const std::string& file : files) TRY_VOID(addFile(file, environment));
  for (const std::string& variable : variables) TRY_VOID(addVariable(variable, environment));
  return environment;
}

Result<VolumeSpec> parseVolume(const std::string& text) {
  const auto parts = split(text, ':');
  if (parts.size() < 2 || parts.size() > 3) return malformed("volume", text, "must be SOURCE:TARGET[:OPTIONS]");
  VolumeSpec spec;
  TRY(spec.source, absoluteSource(text, parts[0]));
  spec.target = parts[1];
  if (!spec.target.starts_with('/')) return malformed("volume", text, "the target must be an absolute path");
  if (parts.size() == 2) return spec;
  for (const std::string_view option : split(parts[2], ',')) {
    if (option == "ro") {
      spec.readOnly = true;
    } else if (option == "rshared") {
      spec.bidirectional = true;
    } else if (option != "rw" && option != "rslave") {
      return malformed("volume", text, fmt::format("there is no option '{}' (ro, rw, rslave, rshared)", option));
    }
  }
  return spec;
}

Result<std::vector<PortSpec>> parsePorts(const std::string& text) {
  std::string_view ports = text;
  bool udp = false;
  if (const auto slash = ports.find('/'); slash != std::string_view::npos) {
    const std::string_view protocol = ports.substr(slash + 1);
    if (protocol != "tcp" && protocol != "udp") return malformed("port", text, "the protocol must be tcp or udp");
    udp = protocol == "udp";
    ports = ports.substr(0, slash);
  }
  const auto parts = split(ports, ':');
  if (parts.size() > 2) return malformed("port", text, "a host address cannot be chosen: [HOST:]CONTAINER[/PROTOCOL]");
  const auto container = portRange(parts.back());
  if (!container) return malformed("port", text, "must be [HOST:]CONTAINER[/PROTOCOL], ports from 1 to 65535");
  std::optional<PortRange> host;
  if (parts.size() == 2) {
    host = portRange(parts.front());
    if (!host) return malformed("port", text, "must be [HOST:]CONTAINER[/PROTOCOL], ports from 1 to 65535");
    if (host->last - host->first != container->last - container->first) {
      return malformed("port", text, "the ranges differ in length");
    }
  }
  std::vector<PortSpec> specs;
  for (int offset = 0; offset <= container->last - container->first; ++offset) {
    specs.push_back({static_cast<std::uint16_t>(host ? host->first + offset : 0),
                     static_cast<std::uint16_t>(container->first + offset), udp});
  }
  return specs;
}

std::pair<std::string, std::string> parseLabel(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) return {text, ""};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

Result<UlimitSpec> parseUlimit(const std::string& text) {
  constexpr std::array<std::string_view, 16> kTypes = {"AS",      "CORE",     "CPU",        "DATA",   "FSIZE", "LOCKS",
                                                       "MEMLOCK", "MSGQUEUE", "NICE",       "NOFILE", "NPROC", "RSS",
                                                       "RTPRIO",  "RTTIME",   "SIGPENDING", "STACK"};
  const auto equals = text.find('=');
  if (equals == std::string::npos) return malformed("ulimit", text, "must be NAME=SOFT[:HARD]");
  const std::string name = upper(std::string_view(text).substr(0, equals));
  if (std::find(kTypes.begin(), kTypes.end(), name) == kTypes.end()) {
    return malformed("ulimit", text, "there is no limit of this name");
  }
  UlimitSpec spec;
  spec.type = "RLMT_" + name;
  const auto values = split(std::string_view(text).substr(equals + 1), ':');
  if (values.size() == 1 && (values[0] == "unlimited" || values[0] == "-1")) return spec;
  spec.soft = numberOf<std::uint64_t>(values.front());
  spec.hard = numberOf<std::uint64_t>(values.back());
  if (values.size() > 2 || !spec.soft || !spec.hard) {
    return malformed("ulimit", text, "must be NAME=SOFT[:HARD] or NAME=unlimited");
  }
  return spec;
}

Result<int> parseSignal(const std::string& text) {
  if (const auto number = kernel::parseSignal(text)) return *number;
  return malformed("signal", text, "there is no such signal");
}

Result<std::optional<std::vector<std::string>>> parseCapabilities(const std::vector<std::string>& add,
                                                                  const std::vector<std::string>& drop) {
  using Names = std::optional<std::vector<std::string>>;
  TRY(const auto added, capabilitySet(add));
  TRY(const auto dropped, capabilitySet(drop));
  if (add.empty() && drop.empty()) return Names();
  TRY(const auto byDefault, capabilitySet(kDefaultCapabilities));
  // One that is named wins over ALL on the other side: "--cap-drop ALL --cap-add CHOWN" leaves one, "--cap-add ALL
  // --cap-drop CHOWN" all but one.
  const auto left = dropped == kernel::namedCapabilities() ? added : (byDefault | added) & ~dropped;
  std::vector<std::string> names = kernel::capabilityNames(left);
  for (std::string& name : names) name.erase(0, std::string_view("CAP_").size());
  return Names(std::move(names));
}

}  // namespace gantry::cli
