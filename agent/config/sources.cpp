#include "agent/config/sources.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "agent/config/mesos_flags.hpp"
#include "agent/config/options.hpp"
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

std::optional<Named> findNamed(std::string_view name) {
  if (const Option* const option = findOption(name)) return Named{option->name, option->placeholder, option->kind};
  if (const MesosFlag* const flag = findMesosFlag(name)) return Named{flag->name, "VALUE", flag->kind};
  return std::nullopt;
}

Error unknown(std::string_view origin, std::string_view nearest) {
  return Error(Code::InvalidArgument, fmt::format("{}: there is no such setting{}", origin,
                                                  nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest)));
}

// "work_dir" for "GANTRY_WORK_DIR".
std::string settingName(std::string_view variable, std::string_view prefix) {
  std::string name(variable.substr(prefix.size()));
  std::ranges::transform(name, name.begin(),
                         [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return name;
}

struct Variable {
  std::string name;
  std::string value;
};

Variable split(const std::string& entry) {
  const std::string name = entry.substr(0, entry.find('='));
  return {name, entry.substr(std::min(entry.size(), name.size() + 1))};
}

}  // namespace

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
      flags.printConfig = true;
      continue;
    }
    auto named = findNamed(name);
    const bool negated = !named && name.starts_with("no_");
    if (negated) named = findNamed(name.substr(3));
    if (!named) {
      const std::string_view nearest = nearestOption(name);
      return unknown(written, nearest.empty() ? "" : fmt::format("--{}", nearest));
    }
    const bool takesNoValue = named->kind == Kind::Boolean;
    if (negated && (!takesNoValue || equals != std::string::npos)) {
      return Error(Code::InvalidArgument, fmt::format("{}: only a boolean without a value can be negated", written));
    }
    Given given{"", written};
    if (equals != std::string::npos) {
      given.value = argument.substr(equals + 1);
    } else if (takesNoValue) {
      given.value = negated ? "false" : "true";
    } else if (++i < arguments.size()) {
      given.value = arguments[i];
    } else {
      return Error(Code::InvalidArgument,
                   fmt::format("{}: needs a value, as {}={}", written, written, named->placeholder));
    }
    flags.values[named->name] = std::move(given);
  }
  return flags;
}

Result<GivenValues> readOurVariables(const std::vector<std::string>& environment) {
  GivenValues values;
  for (const std::string& entry : environment) {
    Variable variable = split(entry);
    if (!variable.name.starts_with(kOurPrefix) || isForOthers(variable.name)) continue;
    const std::string name = settingName(variable.name, kOurPrefix);
    const Option* const option = findOption(name);
    if (option == nullptr || variableName(kOurPrefix, name) != variable.name) {
      const std::string_view nearest = nearestOption(name);
      return unknown(variable.name, nearest.empty() ? "" : variableName(kOurPrefix, nearest));
    }
    values[name] = {std::move(variable.value), std::move(variable.name)};
  }
  return values;
}

GivenValues readMesosVariables(const std::vector<std::string>& environment) {
  GivenValues values;
  for (const std::string& entry : environment) {
    Variable variable = split(entry);
    if (!variable.name.starts_with(kMesosPrefix)) continue;
    const std::string name = settingName(variable.name, kMesosPrefix);
    if (!findNamed(name) || variableName(kMesosPrefix, name) != variable.name) continue;
    values[name] = {std::move(variable.value), std::move(variable.name)};
  }
  return values;
}

GivenValues readLibprocessVariables(const std::vector<std::string>& environment) {
  constexpr std::string_view kPrefix = "LIBPROCESS_";
  constexpr std::array<std::string_view, 3> kTaken{"ip", "advertise_ip", "advertise_port"};
  GivenValues values;
  for (const std::string& entry : environment) {
    Variable variable = split(entry);
    for (const std::string_view name : kTaken) {
      if (variable.name == variableName(kPrefix, name)) {
        values[std::string(name)] = {std::move(variable.value), std::move(variable.name)};
        break;
      }
    }
  }
  return values;
}

Result<std::string> dereference(Kind kind, bool isPath, const std::string& value) {
  const bool isBarePath = kind == Kind::Json && value.starts_with('/');
  if (!isBarePath && !value.starts_with(kFileScheme)) return value;
  const std::string path = isBarePath ? value : value.substr(kFileScheme.size());
  if (isPath) return path;
  TRY(std::string content, kernel::readFile(path, 1U << 20U));
  content.erase(content.find_last_not_of(" \t\r\n") + 1);
  return content;
}

}  // namespace gantry::agent
