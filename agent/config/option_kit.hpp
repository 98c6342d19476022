// For agent/config only: what the tables of settings (options_*.cpp) are written with.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "agent/config/options.hpp"

namespace gantry::agent {

// The parts of the table, in the order of --help.
std::vector<Option> agentOptions();
std::vector<Option> masterOptions();
std::vector<Option> taskOptions();
std::vector<Option> containerOptions();

template <typename T>
Option option(std::string name, std::string placeholder, T Config::* field, std::string description) {
  Option made;
  made.name = std::move(name);
  made.placeholder = std::move(placeholder);
  made.description = std::move(description);
  made.kind = kindOf(T());
  made.isPath = std::is_same_v<T, Path> || std::is_same_v<T, std::optional<Path>>;
  made.set = [field](Config& config, std::string_view text) { return parseValue(text, config.*field); };
  made.get = [field](const Config& config) { return formatValue(config.*field); };
  return made;
}

// Fails with the reason alone.
using Check = std::function<Result<void>(std::string_view)>;
// The same option, whose value must also please `check`.
Option checked(Option made, Check check);

Check atMost(std::uint64_t most);
Check notLongerThan(async::Duration most);

}  // namespace gantry::agent
