// The command line of `gantry`: what the user asked for, as values.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace gantry::cli {

enum class Format { Table, Json };

struct RunOptions {
  std::string image;
  // Behind the image; empty: the image's own command.
  std::vector<std::string> command;
  bool interactive = false;
  bool terminal = false;
  bool detach = false;
  bool remove = false;
  std::string name;
  // As given: "KEY=value", "KEY"; files have lines of the same.
  std::vector<std::string> environment;
  std::vector<std::string> environmentFiles;
  // "source:target[:options]" and "[host:]container[/protocol]".
  std::vector<std::string> volumes;
  std::vector<std::string> ports;
  std::vector<std::string> networks;
  std::optional<double> cpus;
  std::string memory;
  std::string disk;
  std::string shmSize;
  std::optional<unsigned> pidsLimit;
  std::string user;
  std::string workdir;
  std::string hostname;
  std::optional<std::string> entrypoint;
  bool readOnly = false;
  bool privileged = false;
  std::vector<std::string> capAdd;
  std::vector<std::string> capDrop;
  std::vector<std::string> securityOptions;
  std::vector<std::string> labels;
  std::vector<std::string> ulimits;
  // "missing" or "always".
  std::string pull = "missing";
};

struct PsOptions {
  bool all = false;
  bool quiet = false;
};

struct LogsOptions {
  std::string container;
  bool follow = false;
  // The last lines only; unset: all of them.
  std::optional<unsigned> tail;
};

struct ExecOptions {
  std::string container;
  std::vector<std::string> command;
  bool interactive = false;
  bool terminal = false;
  std::vector<std::string> environment;
  std::vector<std::string> environmentFiles;
  std::string user;
  std::string workdir;
};

struct InspectOptions {
  std::vector<std::string> containers;
};

struct StatsOptions {
  // Empty: all that run.
  std::vector<std::string> containers;
  bool noStream = false;
};

struct StopOptions {
  std::vector<std::string> containers;
  std::chrono::seconds grace{10};
};

struct KillOptions {
  std::vector<std::string> containers;
  std::string signal = "KILL";
};

struct RmOptions {
  std::vector<std::string> containers;
  bool force = false;
};

struct PullOptions {
  std::string image;
  bool quiet = false;
};

struct ImagesOptions {
  bool quiet = false;
};

using Command = std::variant<RunOptions, PsOptions, LogsOptions, ExecOptions, InspectOptions, StatsOptions, StopOptions,
                             KillOptions, RmOptions, PullOptions, ImagesOptions>;

struct Invocation {
  // "unix:///path" or "http://host:port"; empty: $GANTRY_AGENT, else the agent's socket.
  std::string agent;
  Format format = Format::Table;
  Command command;
};

// A text to print before leaving with 0: help or version.
struct Help {
  std::string text;
};

// InvalidArgument holds a sentence for the user.
Result<std::variant<Invocation, Help>> parseArguments(std::vector<std::string> arguments);

}  // namespace gantry::cli
