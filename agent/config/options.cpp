#include "agent/config/options.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>

#include "agent/config/option_kit.hpp"

namespace gantry::agent {
namespace {

std::vector<Option> makeOptions() {
  std::vector<Option> table;
  for (std::vector<Option> part : {agentOptions(), masterOptions(), taskOptions(), containerOptions()}) {
    std::ranges::move(part, std::back_inserter(table));
  }
  return table;
}

std::size_t editDistance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  for (std::size_t j = 0; j <= right.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (left[i - 1] == right[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[right.size()];
}

}  // namespace

IpAddress listenAddress(const Config& config) {
  if (config.ip) return *config.ip;
  return {config.master.empty() ? "127.0.0.1" : "0.0.0.0"};
}

const std::vector<Option>& options() {
  static const std::vector<Option> table = makeOptions();
  return table;
}

const Option* findOption(std::string_view name) {
  const auto found = std::ranges::find(options(), name, &Option::name);
  return found == options().end() ? nullptr : &*found;
}

std::string_view nearestOption(std::string_view name) {
  std::string_view best;
  std::size_t fewest = (name.size() + 1) / 2;
  for (const Option& candidate : options()) {
    const std::size_t distance = editDistance(name, candidate.name);
    if (distance >= fewest) continue;
    fewest = distance;
    best = candidate.name;
  }
  return best;
}

std::string variableName(std::string_view prefix, std::string_view option) {
  std::string name(prefix);
  for (const char letter : option) name.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(letter))));
  return name;
}

}  // namespace gantry::agent
