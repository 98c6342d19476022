#include "agent/containers/bundle.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace gantry::agent {
namespace {

using isolators::Command;
using isolators::Container;
using isolators::Contribution;

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// What Docker and podman give every container.
std::vector<oci::Mount> defaultMounts(bool privileged) {
  const std::string access = privileged ? "rw" : "ro";
  return {
      {.destination = "/proc", .type = "proc", .source = "proc", .options = {"nosuid", "noexec", "nodev"}},
      {.destination = "/dev",
       .type = "tmpfs",
       .source = "tmpfs",
       .options = {"nosuid", "noexec", "strictatime", "mode=755", "size=65536k"}},
      {.destination = "/dev/pts",
       .type = "devpts",
       .source = "devpts",
       .options = {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
      {.destination = "/dev/shm",
       .type = "tmpfs",
       .source = "shm",
       .options = {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
      {.destination = "/dev/mqueue", .type = "mqueue", .source = "mqueue", .options = {"nosuid", "noexec", "nodev"}},
      {.destination = "/sys", .type = "sysfs", .source = "sysfs", .options = {"nosuid", "noexec", "nodev", access}},
      {.destination = "/sys/fs/cgroup",
       .type = "cgroup",
       .source = "cgroup",
       .options = {"nosuid", "noexec", "nodev", "relatime", access}},
  };
}

// "NAME=value" lines in the order in which the names first came up.
class Environment {
 public:
  void set(std::string_view name, std::string_view value) {
    const auto [known, isNew] = places_.try_emplace(std::string(name), lines_.size());
    if (isNew) lines_.emplace_back();
    lines_[known->second] = fmt::format("{}={}", name, value);
  }
  template <typename Map>
  void setAll(const Map& variables) {
    for (const auto& [name, value] : variables) set(name, value);
  }
  // Lines without '=' or a name set nothing, as in a shell.
  void setLines(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      const std::size_t equals = line.find('=');
      if (equals != std::string::npos && equals != 0) set(line.substr(0, equals), line.substr(equals + 1));
    }
  }
  std::vector<std::string> take() && { return std::move(lines_); }

 private:
  std::vector<std::string> lines_;
  // Where each name's line is: requests may bring as many as fit into a body.
  std::unordered_map<std::string, std::size_t> places_;
};

// Replaces the element of `list` with the same key as `value`, or appends.
template <typename T, typename Key>
void putByKey(std::vector<T>& list, T value, Key key) {
  const auto known = std::ranges::find_if(list, [&](const T& each) { return each.*key == value.*key; });
  if (known == list.end()) {
    list.push_back(std::move(value));
  } else {
    *known = std::move(value);
  }
}

template <typename T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

template <typename T>
void override(std::optional<T>& value, const std::optional<T>& with) {
  if (with) value = with;
}

void foldResources(std::optional<oci::Resources>& into, const oci::Resources& from) {
  if (!into) {
    into = from;
    return;
  }
  append(into->devices, from.devices);
  override(into->memory, from.memory);
  override(into->cpu, from.cpu);
  override(into->pidsLimit, from.pidsLimit);
  override(into->blockIo, from.blockIo);
  append(into->hugepageLimits, from.hugepageLimits);
  override(into->network, from.network);
  for (const auto& [device, limits] : from.rdma) into->rdma[device] = limits;
  for (const auto& [file, value] : from.unified) into->unified[file] = value;
}

void foldMount(std::vector<oci::Mount>& mounts, std::size_t defaults, const oci::Mount& mount) {
  const auto end = mounts.begin() + static_cast<std::ptrdiff_t>(defaults);
  const auto same = [&](const oci::Mount& each) { return each.destination == mount.destination; };
  const auto standard = std::find_if(mounts.begin(), end, same);
  if (standard == end) {
    mounts.push_back(mount);
  } else {
    *standard = mount;
  }
}

void fold(oci::Spec& spec, std::size_t defaultMountCount, const Contribution& from) {
  oci::Process& process = *spec.process;
  oci::Linux& linux = *spec.linux;
  if (from.rootfs) spec.root->path = *from.rootfs;
  if (from.readOnlyRootfs) spec.root->readonly = true;
  if (from.hostname) spec.hostname = *from.hostname;
  for (const oci::Mount& mount : from.mounts) foldMount(spec.mounts, defaultMountCount, mount);
  for (const oci::Rlimit& limit : from.rlimits) putByKey(process.rlimits, limit, &oci::Rlimit::type);
  override(process.capabilities, from.capabilities);
  if (from.noNewPrivileges) process.noNewPrivileges = *from.noNewPrivileges;
  override(process.oomScoreAdj, from.oomScoreAdj);
  for (const oci::Namespace& each : from.namespaces) putByKey(linux.namespaces, each, &oci::Namespace::type);
  for (const oci::Device& device : from.devices) putByKey(linux.devices, device, &oci::Device::path);
  append(linux.maskedPaths, from.maskedPaths);
  append(linux.readonlyPaths, from.readonlyPaths);
  for (const auto& [name, value] : from.sysctl) linux.sysctl[name] = value;
  if (from.resources) foldResources(linux.resources, *from.resources);
  override(linux.seccomp, from.seccomp);
  if (from.rootfsPropagation) linux.rootfsPropagation = *from.rootfsPropagation;
}

std::vector<std::string> environmentOf(const Container& container, const std::vector<Contribution>& contributions,
                                       const ResolvedUser& user, const std::string& hostname) {
  Environment environment;
  environment.set("PATH", kDefaultPath);
  environment.set("HOSTNAME", hostname);
  if (container.request.terminal) environment.set("TERM", "xterm");
  environment.set("HOME", user.home);
  environment.setLines(container.imageConfig.config.env);
  for (const Contribution& each : contributions) environment.setAll(each.environment);
  environment.setAll(container.request.command.environment);
  return std::move(environment).take();
}

std::string workingDirectoryOf(const Container& container, const std::string& sandbox) {
  if (container.request.command.workingDirectory) return *container.request.command.workingDirectory;
  const std::string& images = container.imageConfig.config.workingDir;
  if (images.empty()) return sandbox;
  return images.front() == '/' ? images : "/" + images;
}

// Strings end at a NUL in the kernel: what follows it would silently be lost.
Result<void> checkStrings(const oci::Process& process) {
  const auto hasNul = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  if (std::ranges::any_of(process.args, hasNul)) return Error::invalid("command.arguments", "hold a NUL character");
  if (std::ranges::any_of(process.env, hasNul)) return Error::invalid("command.environment", "holds a NUL character");
  if (hasNul(process.cwd)) return Error::invalid("command.working_directory", "holds a NUL character");
  return {};
}

void keepBoundingSetOnly(std::optional<oci::Capabilities>& capabilities) {
  if (!capabilities) return;
  oci::Capabilities bounding;
  bounding.bounding = std::move(capabilities->bounding);
  capabilities = std::move(bounding);
}

std::optional<oci::ConsoleSize> consoleSize(bool terminal, unsigned rows, unsigned columns) {
  if (!terminal || rows == 0 || columns == 0) return {};
  return oci::ConsoleSize{.height = rows, .width = columns};
}

std::string_view fileName(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// `value` with its arguments, whose first is argv[0]. An OCI process has one string for the program and for argv[0].
Result<std::vector<std::string>> program(const std::string& value, const std::vector<std::string>& arguments) {
  std::vector<std::string> line{value};
  if (arguments.empty()) return line;
  if (arguments[0] != value && arguments[0] != fileName(value)) {
    return Error::invalid(
        "command.arguments",
        fmt::format("begin with '{}', but an OCI runtime cannot run '{}' under another name", arguments[0], value));
  }
  line.insert(line.end(), arguments.begin() + 1, arguments.end());
  return line;
}

}  // namespace

Result<std::vector<std::string>> commandLine(const Command& command, const oci::ImageProcess& image) {
  if (command.shell) {
    if (!command.value) return Error::invalid("command.value", "must be set when command.shell is true");
    if (!command.arguments.empty())
      return Error::invalid("command.arguments", "are not used when command.shell is true");
    return std::vector<std::string>{"/bin/sh", "-c", *command.value};
  }
  if (command.value) {
    if (command.value->empty()) return Error::invalid("command.value", "is empty");
    return program(*command.value, command.arguments);
  }
  std::vector<std::string> line = image.entrypoint;
  if (command.argumentsReplaceCommand && !command.arguments.empty()) {
    append(line, command.arguments);
  } else if (!command.arguments.empty()) {
    if (line.empty() && !image.cmd.empty()) line.push_back(image.cmd.front());
    if (line.empty()) return Error::invalid("command.value", "must be set: the image has no entrypoint and no command");
    append(line, command.arguments);
  } else {
    append(line, image.cmd);
  }
  if (line.empty())
    return Error::invalid("command.value", "must be set: there is no image with an entrypoint or command");
  if (line.front().empty()) return Error::invalid("command.value", "must be set: the image's entrypoint is empty");
  return line;
}

Result<oci::Spec> buildBundle(const Container& container, const std::vector<Contribution>& contributions,
                              const ResolvedUser& user, const std::string& sandbox) {
  const isolators::ContainerRequest& request = container.request;
  oci::Spec spec;
  spec.ociVersion = "1.0.2";
  spec.root.emplace();
  spec.hostname = isolators::hostnameOf(request);
  spec.mounts = defaultMounts(request.security.privileged);
  spec.linux.emplace();
  spec.linux->cgroupsPath = container.cgroupPath;

  oci::Process& process = spec.process.emplace();
  // The agent may be shielded from the kernel's out-of-memory killer; its containers must not inherit that.
  process.oomScoreAdj = 0;
  process.terminal = request.terminal;
  process.consoleSize = consoleSize(request.terminal, request.terminalRows, request.terminalColumns);
  process.user = user.user;
  TRY(process.args, commandLine(request.command, container.imageConfig.config));
  process.cwd = workingDirectoryOf(container, sandbox);

  const std::size_t defaultMountCount = spec.mounts.size();
  for (const Contribution& each : contributions) fold(spec, defaultMountCount, each);
  for (const isolators::Rlimit& limit : request.rlimits) {
    putByKey(process.rlimits, oci::Rlimit{limit.type, limit.soft, limit.hard}, &oci::Rlimit::type);
  }
  process.env = environmentOf(container, contributions, user, spec.hostname);
  const bool keepsCapabilities = request.security.effectiveCapabilities && !request.security.onlyRootHasCapabilities;
  if (user.user.uid != 0 && !keepsCapabilities) keepBoundingSetOnly(process.capabilities);
  ENSURE(!spec.root->path.empty(), "no isolator contributed a root file system");
  TRY_VOID(checkStrings(process));
  return spec;
}

Result<oci::Process> buildSession(const oci::Spec& bundle, const SessionRequest& request,
                                  const std::optional<ResolvedUser>& user) {
  oci::Process process = *bundle.process;
  TRY(process.args, commandLine(request.command, {}));
  process.terminal = request.terminal;
  process.consoleSize = consoleSize(request.terminal, request.terminalRows, request.terminalColumns);
  if (request.command.workingDirectory) process.cwd = *request.command.workingDirectory;

  Environment environment;
  environment.setLines(process.env);
  if (request.terminal) environment.set("TERM", "xterm");
  if (user) {
    environment.set("HOME", user->home);
    const bool wasRoot = process.user.uid == 0;
    process.user = user->user;
    if (process.user.uid != 0) {
      keepBoundingSetOnly(process.capabilities);
    } else if (!wasRoot && process.capabilities) {
      process.capabilities->effective = process.capabilities->bounding;
      process.capabilities->permitted = process.capabilities->bounding;
    }
  }
  environment.setAll(request.command.environment);
  process.env = std::move(environment).take();
  TRY_VOID(checkStrings(process));
  return process;
}

}  // namespace gantry::agent
