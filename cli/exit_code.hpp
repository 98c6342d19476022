// From how things ended to the exit code of `gantry`.
#pragma once

#include <string>

#include "base/result.hpp"

namespace gantry::cli {

// Failures of our own and of the agent.
inline constexpr int kOwnFailure = 125;

// How a container ended, out of the answer to WAIT_CONTAINER or WAIT_NESTED_CONTAINER.
struct Ending {
  // Of the program: its own, or 128 and the signal that ended it; kOwnFailure when nobody knows.
  int code = kOwnFailure;
  // Set when somebody other than the program itself ended it: a sentence for the user.
  std::string message;
};
Result<Ending> parseEnding(const std::string& waitResponse);

// For a program that could not be started, as docker has it: 127 when there is no such file, 126 when it cannot be
// executed, kOwnFailure for everything else.
int launchFailureCode(const Error& error);

}  // namespace gantry::cli
