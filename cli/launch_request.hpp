// What `run` and `exec` send to the agent: JSON bodies of POST /gantry/v1/containers and …/sessions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/options.hpp"

namespace gantry::cli {

// The part of an image's configuration that decides what runs.
struct ImageProgram {
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;

  bool operator==(const ImageProgram&) const = default;
};
// Reads a raw image configuration (image-spec, config.md).
ImageProgram parseImageProgram(const std::string& configJson);

// What runs, as docker decides: --entrypoint or the image's, and behind it the words given or (unless --entrypoint was
// given) the image's command. InvalidArgument when that is nothing.
Result<std::vector<std::string>> programOf(const RunOptions& options, const ImageProgram& image);

struct WindowSize {
  std::uint16_t rows = 0;
  std::uint16_t columns = 0;
};

// InvalidArgument for options that make no sense; their meaning is the agent's to check.
Result<std::string> launchBody(const RunOptions& options, const std::string& id, const ImageProgram& image,
                               WindowSize window);
Result<std::string> sessionBody(const ExecOptions& options, const std::string& sessionId, WindowSize window);

}  // namespace gantry::cli
