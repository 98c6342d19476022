#include "network/iptables.hpp"

#include <chrono>
#include <vector>

#include <fmt/format.h>

#include "async/process.hpp"
#include "base/log.hpp"
#include "kernel/file.hpp"

namespace gantry::network {
namespace {

constexpr const char* kSearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::chrono::seconds kPatience{10};

// The programs that the plug-ins look up.
constexpr const char* kPrograms[] = {"iptables",  "iptables-save",  "iptables-restore",
                                     "ip6tables", "ip6tables-save", "ip6tables-restore"};

std::string find(const std::string& name) {
  for (const char* directory : {"/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"}) {
    std::string path = fmt::format("{}/{}", directory, name);
    if (kernel::exists(path)) return path;
  }
  return "";
}

async::Task<Result<std::string>> call(std::string program, std::vector<std::string> arguments, std::string input) {
  if (program.empty()) co_return Error(Code::NotFound, "it is not installed");
  kernel::Command command;
  command.arguments = std::move(arguments);
  command.environment.push_back(std::string("PATH=") + kSearchPath);
  async::RunOptions options;
  options.input = std::move(input);
  options.deadline = kPatience;
  const std::string name = program;
  command.program = std::move(program);
  auto output = co_await async::run(std::move(command), std::move(options));
  if (!output) co_return std::move(output).error().under(name);
  if (!output->succeeded()) {
    const std::string words = output->err.substr(0, output->err.find('\n'));
    co_return Error(Code::Unavailable, fmt::format("{}: {}", name, words));
  }
  co_return std::move(output->out);
}

// Whether `program` can list a NAT chain on this kernel.
async::Task<Result<void>> tryOut(std::string program) {
  std::vector<std::string> arguments = {"--wait", "5", "-t", "nat", "-S", "POSTROUTING"};
  std::string nothing;
  const auto listed = co_await call(std::move(program), std::move(arguments), std::move(nothing));
  if (!listed) co_return listed.error();
  co_return Result<void>();
}

// "iptables-legacy-save" for "iptables-save".
std::string legacyName(const std::string& name) {
  const std::size_t dash = name.find('-');
  return name.substr(0, dash) + "-legacy" + (dash == std::string::npos ? "" : name.substr(dash));
}

Result<void> linkLegacy(const std::string& directory) {
  TRY_VOID(kernel::removeTree(directory));
  TRY_VOID(kernel::makeDirectories(directory, 0711));
  for (const char* name : kPrograms) {
    const std::string target = find(legacyName(name));
    if (target.empty()) continue;
    TRY_VOID(kernel::symlinkAt(target, kernel::workingDirectory(), fmt::format("{}/{}", directory, name)));
  }
  return {};
}

// One jump from a chain of the system's to one of ours.
struct Jump {
  const char* table;
  const char* from;
  std::string to;
  // Before the operator's own rules, or behind them.
  bool first;

  std::string rule() const { return fmt::format("-A {} -j {}", from, to); }
};

std::vector<Jump> jumpsOf(const std::string& interface) {
  return {{"nat", "POSTROUTING", "GANTRY-" + interface, false},
          {"filter", "FORWARD", "GANTRY-" + interface, false},
          {"filter", "INPUT", "GANTRY-IN-" + interface, true}};
}

// The lines of one table in the output of iptables-save, with a line end before and after each.
std::string tableOf(std::string_view saved, std::string_view table) {
  const std::size_t start = saved.find(fmt::format("*{}\n", table));
  if (start == std::string_view::npos) return "\n";
  const std::size_t end = saved.find("\nCOMMIT", start);
  return fmt::format("\n{}\n", saved.substr(start, end == std::string_view::npos ? end : end - start));
}

std::size_t countLines(const std::string& table, const std::string& line) {
  const std::string wanted = fmt::format("\n{}\n", line);
  std::size_t count = 0;
  for (std::size_t at = table.find(wanted); at != std::string::npos; at = table.find(wanted, at + wanted.size() - 1)) {
    ++count;
  }
  return count;
}

bool hasChain(const std::string& table, const std::string& chain) {
  return table.find(fmt::format("\n:{} ", chain)) != std::string::npos;
}

async::Task<Result<void>> apply(Iptables iptables, std::string text) {
  if (text.empty()) co_return Result<void>();
  std::vector<std::string> arguments = {"--noflush", "--wait", "5"};
  const auto done = co_await call(std::move(iptables.restore), std::move(arguments), std::move(text));
  if (!done) co_return done.error();
  co_return Result<void>();
}

async::Task<Result<std::string>> save(Iptables iptables) {
  std::vector<std::string> arguments;
  std::string nothing;
  co_return co_await call(std::move(iptables.save), std::move(arguments), std::move(nothing));
}

}  // namespace

async::Task<Result<Iptables>> findIptables(std::string directory) {
  const auto usual = co_await tryOut(find("iptables"));
  if (usual) co_return Iptables{find("iptables-save"), find("iptables-restore"), kSearchPath};
  const auto legacy = co_await tryOut(find("iptables-legacy"));
  if (!legacy) co_return usual.error().under("no iptables works on this host");
  CO_TRY_VOID(linkLegacy(directory));
  log::info("using iptables-legacy", {{"reason", usual.error()}});
  co_return Iptables{find("iptables-legacy-save"), find("iptables-legacy-restore"),
                     fmt::format("{}:{}", directory, kSearchPath)};
}

std::string bridgeRules(const Subnet& subnet, const std::string& interface, std::string_view saved) {
  std::string text;
  const std::vector<Jump> jumps = jumpsOf(interface);
  const auto addJumps = [&](const char* table) {
    const std::string now = tableOf(saved, table);
    for (const Jump& jump : jumps) {
      if (jump.table != std::string_view(table) || countLines(now, jump.rule()) > 0) continue;
      text += fmt::format("{} {} -j {}\n", jump.first ? "-I" : "-A", jump.from, jump.to);
    }
  };
  // With --noflush, naming a chain of one's own makes or empties it.
  text += fmt::format("*nat\n:GANTRY-{} - [0:0]\n", interface);
  text += fmt::format("-A GANTRY-{0} -s {1} ! -o {0} -j MASQUERADE\n", interface, toString(subnet));
  addJumps("nat");
  text += fmt::format("COMMIT\n*filter\n:GANTRY-{0} - [0:0]\n:GANTRY-IN-{0} - [0:0]\n", interface);
  text += fmt::format("-A GANTRY-{0} -i {0} -j ACCEPT\n", interface);
  text += fmt::format("-A GANTRY-{0} -o {0} -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT\n", interface);
  // Ports mapped on 127.0.0.1 need route_localnet on the bridge, which would open all of the host's loopback services
  // to the containers (CVE-2020-8558).
  text += fmt::format(
      "-A GANTRY-IN-{0} -i {0} -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP\n", interface);
  addJumps("filter");
  return text + "COMMIT\n";
}

std::string withoutBridgeRules(const std::string& interface, std::string_view saved) {
  std::string text;
  for (const char* table : {"nat", "filter"}) {
    const std::string now = tableOf(saved, table);
    std::string removals;
    std::string chains;
    for (const Jump& jump : jumpsOf(interface)) {
      if (jump.table != std::string_view(table)) continue;
      for (std::size_t count = countLines(now, jump.rule()); count > 0; --count) {
        removals += fmt::format("-D {} -j {}\n", jump.from, jump.to);
      }
      if (hasChain(now, jump.to)) chains += fmt::format("-F {0}\n-X {0}\n", jump.to);
    }
    if (!removals.empty() || !chains.empty()) text += fmt::format("*{}\n{}{}COMMIT\n", table, removals, chains);
  }
  return text;
}

async::Task<Result<void>> setBridgeRules(Iptables iptables, Subnet subnet, std::string interface) {
  CO_TRY(const std::string saved, co_await save(iptables));
  std::string text = bridgeRules(subnet, interface, saved);
  co_return co_await apply(std::move(iptables), std::move(text));
}

async::Task<Result<void>> removeBridgeRules(Iptables iptables, std::string interface) {
  CO_TRY(const std::string saved, co_await save(iptables));
  std::string text = withoutBridgeRules(interface, saved);
  co_return co_await apply(std::move(iptables), std::move(text));
}

}  // namespace gantry::network
