// state, list, ps, kill, pause, resume, update: the commands that ask about a container or act on its processes.
#include <unistd.h>
#include <csignal>

#include <algorithm>

#include <fmt/format.h>

#include "kernel/file.hpp"
#include "kernel/signals.hpp"
#include "oci/json.hpp"
#include "oci/state.hpp"
#include "runtime/commands.hpp"
#include "runtime/create.hpp"
#include "runtime/flags.hpp"

namespace gantry::runtime {
namespace {

struct Listed {
  ContainerRecord record;
  Status status = Status::Stopped;
};

// Damaged or half-made ones are left out: `list` must work when one container is in trouble.
std::vector<Listed> listContainers(const StateStore& store, const std::vector<std::string>& ids) {
  std::vector<Listed> listed;
  for (const std::string& id : ids) {
    const auto directory = store.openUnlocked(id);
    if (!directory) continue;
    auto record = directory->load();
    if (!record) continue;
    const auto status = directory->status(*record);
    if (status) listed.push_back({*std::move(record), *status});
  }
  return listed;
}

// A static program has no user data base modules, so only /etc/passwd would answer; root is all that matters.
std::string ownerName(uid_t uid) {
  return uid == 0 ? "root" : fmt::format("#{}", uid);
}

std::string asTable(const std::vector<Listed>& containers) {
  std::size_t idWidth = 2;
  std::size_t bundleWidth = 6;
  for (const Listed& each : containers) {
    idWidth = std::max(idWidth, each.record.id.size());
    bundleWidth = std::max(bundleWidth, each.record.bundle.size());
  }
  std::string text = fmt::format("{:{}}  {:<10}  {:<8}  {:{}}  {:<30}  {}\n", "ID", idWidth, "PID", "STATUS", "BUNDLE",
                                 bundleWidth, "CREATED", "OWNER");
  for (const auto& [record, status] : containers) {
    text += fmt::format("{:{}}  {:<10}  {:<8}  {:{}}  {:<30}  {}\n", record.id, idWidth,
                        status == Status::Stopped ? 0 : record.init.pid, toString(status), record.bundle, bundleWidth,
                        record.created, ownerName(record.owner));
  }
  return text;
}

void writeContainer(oci::JsonWriter& json, const ContainerRecord& record, Status status) {
  json.open('{').member("ociVersion", oci::State().ociVersion).member("id", record.id);
  json.member("pid", status == Status::Stopped ? 0 : record.init.pid).member("status", toString(status));
  json.member("bundle", record.bundle).member("rootfs", record.rootfs).member("created", record.created);
  json.optional("annotations", record.annotations).member("owner", ownerName(record.owner)).close();
}

Result<std::vector<pid_t>> pidsOf(const ContainerRecord& record) {
  return Cgroup(record.cgroups).pids();
}

// Whether its first process is the first of a pid namespace, with which all others end.
Result<bool> hasOwnPids(const ContainerDirectory& directory) {
  TRY(const oci::Spec spec, directory.loadSpec());
  const auto& spaces = spec.linux->namespaces;
  return std::any_of(spaces.begin(), spaces.end(),
                     [](const oci::Namespace& space) { return space.type == "pid" && space.path.empty(); });
}

Result<void> expectAlive(const ContainerRecord& record, Status status, std::string_view what) {
  if (status == Status::Created || status == Status::Running || status == Status::Paused) return {};
  return Error(Code::InvalidArgument,
               fmt::format("cannot {} a container that is {}: '{}'", what, toString(status), record.id));
}

}  // namespace

Result<int> state(const Globals& globals, Words words) {
  TRY_VOID(parseFlagsAnywhere(words, {}));
  TRY_VOID(expectWords(words, 1, 1, "state ID"));
  TRY(const ContainerDirectory directory, globals.store().openUnlocked(words[0]));
  TRY(const ContainerRecord record, directory.load());
  TRY(const Status status, directory.status(record));
  oci::JsonWriter json(2);
  writeContainer(json, record, status);
  TRY_VOID(print(json.text() + "\n"));
  return 0;
}

Result<int> list(const Globals& globals, Words words) {
  std::string format = "table";
  bool quiet = false;
  TRY_VOID(parseFlagsAnywhere(words, {{"format,f", &format}, {"quiet,q", &quiet}}));
  TRY_VOID(expectWords(words, 0, 0, "list [--format table|json] [--quiet]"));
  TRY(const auto ids, globals.store().list());
  std::string text;
  if (quiet) {
    for (const std::string& id : ids) text += id + "\n";
  } else if (format == "json") {
    oci::JsonWriter json;
    json.open('[');
    for (const auto& [record, status] : listContainers(globals.store(), ids)) writeContainer(json, record, status);
    json.close();
    text = json.text() + "\n";
  } else if (format == "table") {
    text = asTable(listContainers(globals.store(), ids));
  } else {
    return Error(Code::InvalidArgument, fmt::format("--format: '{}' is neither table nor json", format));
  }
  TRY_VOID(print(text));
  return 0;
}

Result<int> ps(const Globals& globals, Words words) {
  std::string format = "table";
  TRY_VOID(parseFlagsAnywhere(words, {{"format,f", &format}}));
  TRY_VOID(expectWords(words, 1, 64, "ps [--format table|json] ID"));
  TRY(const ContainerDirectory directory, globals.store().openUnlocked(words[0]));
  TRY(const ContainerRecord record, directory.load());
  TRY(const auto pids, pidsOf(record));
  std::string text;
  if (format == "json") {
    oci::JsonWriter json;
    json.value(pids);
    text = json.text() + "\n";
  } else {
    text = "PID\n";
    for (const pid_t pid : pids) text += fmt::format("{}\n", pid);
  }
  TRY_VOID(print(text));
  return 0;
}

Result<int> kill(const Globals& globals, Words words) {
  bool all = false;
  TRY_VOID(parseFlagsAnywhere(words, {{"all,a", &all}}));
  TRY_VOID(expectWords(words, 1, 2, "kill [--all] ID [SIGNAL]"));
  const std::string name = words.size() > 1 ? words[1] : "SIGTERM";
  const auto number = kernel::parseSignal(name);
  if (!number) return Error(Code::InvalidArgument, fmt::format("unknown signal '{}'", name));
  TRY(const ContainerDirectory directory, globals.store().open(words[0]));
  TRY(const ContainerRecord record, directory.load());
  TRY(const Status status, directory.status(record));
  if (all) {
    // Processes may outlive the first one when there is no pid namespace.
    TRY_VOID(Cgroup(record.cgroups).signal(*number));
    return 0;
  }
  if (*number == SIGKILL && status != Status::Creating) {
    TRY(const bool endsWithInit, hasOwnPids(directory));
    TRY(const auto pids, endsWithInit ? Result<std::vector<pid_t>>(std::vector<pid_t>()) : pidsOf(record));
    // Nothing takes them along when the first process ends, or has ended (runc does the same).
    if (!pids.empty()) {
      TRY_VOID(Cgroup(record.cgroups).kill());
      return 0;
    }
  }
  if (status == Status::Stopped || status == Status::Creating) {
    // containerd and Docker know a finished container by this text.
    return Error(Code::NotFound, "container not running");
  }
  auto process = kernel::Process::open(record.init);
  if (!process) return Error(Code::NotFound, "container not running");
  TRY_VOID(process->signal(*number));
  if (status == Status::Paused && *number == SIGKILL) TRY_VOID(Cgroup(record.cgroups).thaw());
  return 0;
}

Result<int> pause(const Globals& globals, Words words) {
  TRY_VOID(parseFlagsAnywhere(words, {}));
  TRY_VOID(expectWords(words, 1, 1, "pause ID"));
  TRY(const ContainerDirectory directory, globals.store().open(words[0]));
  TRY(const ContainerRecord record, directory.load());
  TRY(const Status status, directory.status(record));
  TRY_VOID(expectAlive(record, status, "pause"));
  TRY_VOID(Cgroup(record.cgroups).freeze());
  return 0;
}

Result<int> resume(const Globals& globals, Words words) {
  TRY_VOID(parseFlagsAnywhere(words, {}));
  TRY_VOID(expectWords(words, 1, 1, "resume ID"));
  TRY(const ContainerDirectory directory, globals.store().open(words[0]));
  TRY(const ContainerRecord record, directory.load());
  TRY(const Status status, directory.status(record));
  if (status != Status::Paused) {
    return Error(Code::InvalidArgument, fmt::format("container not paused: '{}'", record.id));
  }
  TRY_VOID(Cgroup(record.cgroups).thaw());
  return 0;
}

Result<int> update(const Globals& globals, Words words) {
  std::string file;
  TRY_VOID(parseFlagsAnywhere(words, {{"resources,r", &file}}));
  TRY_VOID(expectWords(words, 1, 1, "update --resources FILE|- ID"));
  if (file.empty()) return Error(Code::InvalidArgument, "--resources is needed");
  TRY(const std::string text, kernel::readFile(file == "-" ? "/dev/stdin" : file));
  TRY(const oci::Resources resources, oci::parseResources(text).under(file));
  TRY(const ContainerDirectory directory, globals.store().open(words[0]));
  TRY(const ContainerRecord record, directory.load());
  TRY(const Status status, directory.status(record));
  TRY_VOID(expectAlive(record, status, "update"));
  TRY_VOID(Cgroup(record.cgroups).update(resources));
  return 0;
}

}  // namespace gantry::runtime
