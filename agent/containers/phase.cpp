#include "agent/containers/phase.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace gantry::agent {
namespace {

// Every legal change. A launch that fails or is given up goes on to Stopping from wherever it was.
constexpr std::pair<Phase, Phase> kChanges[] = {
    {Phase::Starting, Phase::Provisioning},  {Phase::Starting, Phase::Stopping},
    {Phase::Provisioning, Phase::Preparing}, {Phase::Provisioning, Phase::Stopping},
    {Phase::Preparing, Phase::Creating},     {Phase::Preparing, Phase::Stopping},
    {Phase::Creating, Phase::Running},       {Phase::Creating, Phase::Stopping},
    {Phase::Running, Phase::Stopping},       {Phase::Stopping, Phase::Exited},
};

constexpr std::array kNames = {std::pair{Phase::Starting, "Starting"},   std::pair{Phase::Provisioning, "Provisioning"},
                               std::pair{Phase::Preparing, "Preparing"}, std::pair{Phase::Creating, "Creating"},
                               std::pair{Phase::Running, "Running"},     std::pair{Phase::Stopping, "Stopping"},
                               std::pair{Phase::Exited, "Exited"}};

}  // namespace

std::string_view toString(Phase phase) {
  for (const auto& [known, name] : kNames) {
    if (known == phase) return name;
  }
  ENSURE(false, "a phase without a name");
}

Result<Phase> parsePhase(std::string_view text) {
  for (const auto& [phase, name] : kNames) {
    if (text == name) return phase;
  }
  return Error(Code::InvalidArgument, fmt::format("'{}' is no phase", text));
}

bool mayFollow(Phase from, Phase to) {
  return std::ranges::find(kChanges, std::pair{from, to}) != std::end(kChanges);
}

}  // namespace gantry::agent
