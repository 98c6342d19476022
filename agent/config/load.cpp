#include "agent/config/load.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "agent/config/mesos_flags.hpp"
#include "agent/config/options.hpp"
#include "agent/config/sources.hpp"
#include "agent/config/toml.hpp"
#include "kernel/file.hpp"

namespace gantry::agent {
namespace {

// --help and --version are looked for first: they are what somebody with a broken command line types next.
std::optional<Loaded::Action> wantsText(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    if (argument == "--help" || argument == "-h") return Loaded::Action::Help;
    if (argument == "--version") return Loaded::Action::Version;
  }
  return std::nullopt;
}

Result<void> addFile(GivenValues& values, const std::string& path, bool mustExist) {
  auto settings = readToml(path);
  if (!settings && settings.error().code() == Code::NotFound && !mustExist) return {};
  if (!settings) return std::move(settings).error().under("configuration");
  for (FileSetting& setting : *settings) values[setting.name] = {std::move(setting.value), std::move(setting.origin)};
  return {};
}

Result<void> addDirectory(GivenValues& values, const std::string& path, bool mustExist) {
  auto names = kernel::listDirectory(path);
  if (!names && names.error().code() == Code::NotFound && !mustExist) return {};
  if (!names) return std::move(names).error().under("configuration");
  std::ranges::sort(*names);
  for (const std::string& name : *names) {
    if (name.ends_with(".toml") && !name.starts_with('.')) TRY_VOID(addFile(values, path + "/" + name, true));
  }
  return {};
}

Result<void> apply(Config& config, const Option& option, const Given& given) {
  auto value = dereference(option.kind, option.isPath, given.value);
  if (!value) return std::move(value).error().under(given.origin);
  // A file's origin does not hold the name; a flag's and a variable's do.
  const bool named = given.origin.starts_with("--") || given.origin.find('/') == std::string::npos;
  return option.set(config, *value).under(named ? given.origin : fmt::format("{}: {}", given.origin, option.name));
}

const Given* strongest(const std::vector<const GivenValues*>& sources, const std::string& name) {
  for (const GivenValues* const source : sources) {
    const auto found = source->find(name);
    if (found != source->end()) return &found->second;
  }
  return nullptr;
}

// Sets one setting out of the strongest source that has it. True when any had.
Result<bool> settle(Loaded& loaded, const Option& option, const std::vector<const GivenValues*>& sources) {
  const Given* const given = strongest(sources, option.name);
  if (given != nullptr) TRY_VOID(apply(loaded.config, option, *given));
  loaded.settings.push_back({option.name, option.get(loaded.config), given == nullptr ? "default" : given->origin});
  return given != nullptr;
}

// What no setting can say by itself.
Result<void> checkTogether(const Config& config) {
  if (config.ip && !config.ipDiscoveryCommand.empty()) {
    return Error::invalid("ip_discovery_command", "cannot be given together with ip");
  }
  if (config.authenticationTimeoutMin > config.authenticationTimeoutMax) {
    return Error::invalid("authentication_timeout_min", "must not be longer than authentication_timeout_max");
  }
  return {};
}

// A flag of mesos-agent that is no setting: refused, noted as ignored, or fine.
Result<void> judge(Loaded& loaded, const MesosFlag& flag, const Given& given) {
  auto value = dereference(flag.kind, false, given.value);
  if (!value) return std::move(value).error().under(given.origin);
  if (flag.kind == Kind::Boolean) {
    bool isOn = false;
    TRY_VOID(parseValue(*value, isOn).under(given.origin));
    value = formatValue(isOn);
  }
  Verdict verdict = flag.judge(*value);
  if (verdict.kind == Verdict::Kind::Refused) {
    return Error(Code::Unsupported, fmt::format("{}={}: {}", given.origin, *value, verdict.reason));
  }
  if (verdict.kind == Verdict::Kind::Ignored) loaded.ignored.push_back({given.origin, std::move(verdict.reason)});
  loaded.mesosFlags[flag.name] = *std::move(value);
  return {};
}

// `text` in lines of at most 100 columns, each after `indent` spaces.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string lines;
  std::string line(indent, ' ');
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (line.size() > indent && line.size() + 1 + word.size() > 100) {
      lines += line + "\n";
      line.assign(indent, ' ');
    }
    if (line.size() > indent) line += ' ';
    line += word;
  }
  return lines + line + "\n";
}

}  // namespace

Result<Loaded> load(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
  Loaded loaded;
  if (const auto action = wantsText(arguments)) {
    loaded.action = *action;
    return loaded;
  }
  TRY(const Flags flags, readFlags(arguments));
  TRY(const GivenValues ours, readOurVariables(environment));
  const GivenValues mesos = readMesosVariables(environment);
  const GivenValues libprocess = readLibprocessVariables(environment);
  if (flags.printConfig) loaded.action = Loaded::Action::PrintConfig;

  // Where the files are comes first, and not from Mesos' variables: mesos-agent has no such files.
  GivenValues files;
  for (const Option& option : options()) {
    if (option.inFiles) continue;
    TRY(const bool given, settle(loaded, option, {&flags.values, &ours}));
    if (option.name == "config") TRY_VOID(addFile(files, loaded.config.config.text, given));
    if (option.name == "config_dir") TRY_VOID(addDirectory(files, loaded.config.configDir.text, given));
  }
  for (const Option& option : options()) {
    if (option.inFiles) TRY_VOID(settle(loaded, option, {&flags.values, &ours, &mesos, &libprocess, &files}));
  }
  for (const MesosFlag& flag : mesosFlags()) {
    const Given* const given = strongest({&flags.values, &mesos}, flag.name);
    if (given != nullptr) TRY_VOID(judge(loaded, flag, *given));
  }
  TRY_VOID(checkTogether(loaded.config));
  return loaded;
}

std::map<std::string, std::string> flagsInForce(const Loaded& loaded) {
  std::map<std::string, std::string> flags;
  for (const MesosFlag& flag : mesosFlags()) flags[flag.name] = flag.inForce;
  for (const auto& [name, value] : loaded.mesosFlags) flags[name] = value;
  for (const Setting& setting : loaded.settings) flags[setting.name] = setting.value;
  std::erase_if(flags, [](const auto& flag) { return flag.second.empty(); });
  return flags;
}

std::string helpText() {
  std::string text =
      "gantry-agent runs containers on this host.\n\n"
      "  gantry-agent [--name=value]...\n\n"
      "Every setting is a flag (--work_dir), a variable (GANTRY_WORK_DIR, then MESOS_WORK_DIR) and a key of the\n"
      "configuration files (work_dir), and the first of these that is there counts. A value file:///path stands for\n"
      "the content of that file. A boolean can be negated: --no-name. Flags of mesos-agent that are not listed are\n"
      "taken with a warning or refused with a reason; docs/mesos.md has them all.\n\n"
      "  --help            Prints this.\n"
      "  --version         Prints the version.\n"
      "  --print-config    Prints the effective value of every setting and where it comes from.\n";
  const Config defaults;
  for (const Option& option : options()) {
    const std::string value = option.get(defaults);
    text += option.kind == Kind::Boolean ? fmt::format("\n  --[no-]{}\n", option.name)
                                         : fmt::format("\n  --{}={}\n", option.name, option.placeholder);
    text += wrapped(option.description, 6);
    if (!value.empty()) text += fmt::format("      Default: {}\n", value);
  }
  return text;
}

std::string printedConfig(const Loaded& loaded) {
  std::string text;
  for (const Setting& setting : loaded.settings) {
    const Option* const option = findOption(setting.name);
    std::string value = tomlString(setting.value);
    if (option->kind == Kind::Integer || option->kind == Kind::Boolean) value = setting.value;
    if (option->kind == Kind::List) {
      std::vector<std::string> parts;
      ignore(parseValue(setting.value, parts), "a list is never refused");
      value.clear();
      for (const std::string& part : parts) value += (value.empty() ? "" : ", ") + tomlString(part);
      value = fmt::format("[{}]", value);
    }
    text += fmt::format("{}{} = {}  # {}\n", option->inFiles ? "" : "# ", setting.name, value, setting.origin);
  }
  return text;
}

}  // namespace gantry::agent
