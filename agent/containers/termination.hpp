// Why a container ended, as one sentence: what its monitor saw, what an isolator found, and what we did ourselves.
#pragma once

#include <optional>
#include <string>

#include "agent/containers/manager.hpp"
#include "agent/containers/monitor_client.hpp"
#include "isolators/isolator.hpp"

namespace gantry::agent {

// `limitation`: why we stopped it, or what an isolator says killed it; wins over everything else. `signal`: the last
// one that somebody asked us to send.
Termination explainEnd(const ExitRecord& exit, const std::optional<isolators::Limitation>& limitation,
                       std::optional<int> signal);

// A container whose program never ran, or of which nobody knows how it ended.
Termination failedBecause(std::string reason, std::string message);

// "SIGTERM", or "signal 99" for one without a name.
std::string signalName(int number);

}  // namespace gantry::agent
