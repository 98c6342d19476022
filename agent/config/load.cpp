#include "agent/config/load.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "agent/config/options.hpp"
#include "agent/config/toml.hpp"
#include "kernel/file.hpp"

namespace gantry::agent {
namespace {

constexpr std::string_view kOurPrefix = "GANTRY_";
constexpr std::string_view kMesosPrefix = "MESOS_";
constexpr std::string_view kFileScheme = "file://";

// Variables of our prefix that are other programs' business: the command line's, and the test suite's.
bool isForOthers(std::string_view variable) {
  return variable == "GANTRY_AGENT" || variable == "GANTRY_BUILD" || variable.starts_with("GANTRY_TEST_");
}

// A value with where it came from; nothing is known of its meaning yet.
struct Given {
  std::string value;
  std::string origin;
};
// By setting.
using GivenValues = std::map<std::string, Given, std::less<>>;

Error unknown(std::string_view origin, std::string_view nearest) {
  return Error(Code::InvalidArgument, fmt::format("{}: there is no such setting{}", origin,
                                                  nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest)));
}

// The value, or for "file:///path" (of JSON also "/path") the content of that file without the white space at its end.
Result<std::string> dereference(const Option& option, std::string value) {
  const bool isBarePath = option.kind == Kind::Json && value.starts_with('/');
  if (!isBarePath && !value.starts_with(kFileScheme)) return value;
  const std::string path = isBarePath ? value : value.substr(kFileScheme.size());
  if (option.isPath) return path;
  TRY(std::string content, kernel::readFile(path, 1U << 20U));
  content.erase(content.find_last_not_of(" \t\r\n") + 1);
  return content;
}

struct Flags {
  Loaded::Action action = Loaded::Action::Run;
  GivenValues values;
};

bool takesNoValue(const Option& option) {
  return option.kind == Kind::Boolean;
}

// --help and --version are looked for first: they are what somebody with a broken command line types next.
std::optional<Loaded::Action> wantsText(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    if (argument == "--help" || argument == "-h") return Loaded::Action::Help;
    if (argument == "--version") return Loaded::Action::Version;
  }
  return std::nullopt;
}

Result<Flags> readFlags(const std::vector<std::string>& arguments) {
  Flags flags;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!argument.starts_with("--") || argument.size() == 2) {
      return Error(Code::InvalidArgument, fmt::format("'{}' is not a flag; flags are --name=value", argument));
    }
    const std::size_t equals = argument.find('=');
    const std::string written = argument.substr(0, equals);
    std::string name = written.substr(2);
    std::ranges::replace(name, '-', '_');
    if (name == "print_config" && equals == std::string::npos) {
      flags.action = Loaded::Action::PrintConfig;
      continue;
    }
    const Option* option = findOption(name);
    const bool negated = option == nullptr && name.starts_with("no_");
    if (negated) option = findOption(name.substr(3));
    if (option == nullptr) {
      const std::string_view nearest = nearestOption(name);
      return unknown(written, nearest.empty() ? "" : fmt::format("--{}", nearest));
    }
    if (negated && (!takesNoValue(*option) || equals != std::string::npos)) {
      return Error(Code::InvalidArgument, fmt::format("{}: only a boolean without a value can be negated", written));
    }
    Given given{"", written};
    if (equals != std::string::npos) {
      given.value = argument.substr(equals + 1);
    } else if (takesNoValue(*option)) {
      given.value = negated ? "false" : "true";
    } else if (++i < arguments.size()) {
      given.value = arguments[i];
    } else {
      return Error(Code::InvalidArgument,
                   fmt::format("{}: needs a value, as {}={}", written, written, option->placeholder));
    }
    flags.values[option->name] = std::move(given);
  }
  return flags;
}

Result<GivenValues> readVariables(const std::vector<std::string>& environment, std::string_view prefix) {
  GivenValues values;
  for (const std::string& entry : environment) {
    const std::string variable = entry.substr(0, entry.find('='));
    if (!variable.starts_with(prefix) || isForOthers(variable)) continue;
    const auto found = std::ranges::find_if(
        options(), [&](const Option& option) { return variableName(prefix, option.name) == variable; });
    if (found != options().end()) {
      values[found->name] = {entry.substr(std::min(entry.size(), variable.size() + 1)), variable};
      continue;
    }
    if (prefix == kMesosPrefix) continue;
    std::string name = variable.substr(prefix.size());
    std::ranges::transform(name, name.begin(),
                           [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    const std::string_view nearest = nearestOption(name);
    return unknown(variable, nearest.empty() ? "" : variableName(prefix, nearest));
  }
  return values;
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
  auto value = dereference(option, given.value);
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
  TRY(const GivenValues ours, readVariables(environment, kOurPrefix));
  TRY(const GivenValues mesos, readVariables(environment, kMesosPrefix));
  loaded.action = flags.action;

  // Where the files are comes first, and not from Mesos' variables: mesos-agent has no such files.
  GivenValues files;
  for (const Option& option : options()) {
    if (option.inFiles) continue;
    TRY(const bool given, settle(loaded, option, {&flags.values, &ours}));
    if (option.name == "config") TRY_VOID(addFile(files, loaded.config.config.text, given));
    if (option.name == "config_dir") TRY_VOID(addDirectory(files, loaded.config.configDir.text, given));
  }
  for (const Option& option : options()) {
    if (option.inFiles) TRY_VOID(settle(loaded, option, {&flags.values, &ours, &mesos, &files}));
  }
  return loaded;
}

std::string helpText() {
  std::string text =
      "gantry-agent runs containers on this host.\n\n"
      "  gantry-agent [--name=value]...\n\n"
      "Every setting is a flag (--work_dir), a variable (GANTRY_WORK_DIR, then MESOS_WORK_DIR) and a key of the\n"
      "configuration files (work_dir), and the first of these that is there counts. A value file:///path stands for\n"
      "the content of that file. A boolean can be negated: --no-name.\n\n"
      "  --help            Prints this.\n"
      "  --version         Prints the version.\n"
      "  --print-config    Prints the effective value of every setting and where it comes from.\n";
  const Config defaults;
  for (const Option& option : options()) {
    const std::string value = option.get(defaults);
    text += takesNoValue(option) ? fmt::format("\n  --[no-]{}\n", option.name)
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
