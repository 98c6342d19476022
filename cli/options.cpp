#include "cli/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

namespace gantry::cli {
namespace {

// A subcommand that reads its own options only up to its first word; that word and all behind it are the user's
// command, whatever they look like: `gantry run -i IMAGE ls -i`.
struct Prefixed {
  CLI::App* app;

  // The words, without a "--" behind the first one.
  std::vector<std::string> words() const {
    auto words = app->remaining();
    if (words.size() > 1 && words[1] == "--") words.erase(words.begin() + 1);
    return words;
  }
};

class Parser {
 public:
  Parser() {
    app_.set_version_flag("--version", "gantry " GANTRY_VERSION);
    app_.require_subcommand(1);
    app_.add_option("--agent", invocation_.agent,
                    "Where the agent listens: unix:///path or http://host:port ($GANTRY_AGENT; default: its socket)");
    addFormat(app_);
    addRun();
    addPs();
    addLogs();
    addExec();
    addInspect();
    addStats();
    addStop();
    addKill();
    addRm();
    addPull();
    addImages();
  }

  Result<std::variant<Invocation, Help>> parse(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
      return std::variant<Invocation, Help>(Help{helpText()});
    } catch (const CLI::CallForAllHelp&) {
      return std::variant<Invocation, Help>(Help{helpText()});
    } catch (const CLI::CallForVersion& version) {
      return std::variant<Invocation, Help>(Help{std::string(version.what()) + "\n"});
    } catch (const CLI::RequiredError& error) {
      const auto words = app_.remaining();
      if (!app_.get_subcommands().empty() || words.empty()) return Error(Code::InvalidArgument, error.what());
      const std::string what = words.front().starts_with('-') ? "option" : "command";
      return Error(Code::InvalidArgument,
                   "there is no " + what + " '" + words.front() + "' (gantry --help lists them)");
    } catch (const CLI::ParseError& error) {
      return Error(Code::InvalidArgument, error.what());
    }
    invocation_.format = format_ == "json" ? Format::Json : Format::Table;
    TRY_VOID(takeCommand());
    return std::variant<Invocation, Help>(std::move(invocation_));
  }

 private:
  // A subcommand's own help when that was asked for, else the program's.
  std::string helpText() {
    const auto chosen = app_.get_subcommands();
    return chosen.empty() ? app_.help() : chosen.front()->help("gantry");
  }

  CLI::App* add(const std::string& name, const std::string& description) {
    CLI::App* command = app_.add_subcommand(name, description);
    addFormat(*command);
    return command;
  }

  void addFormat(CLI::App& command) {
    command.add_option("--format", format_, "How results are printed: table or json")
        ->check(CLI::IsMember({"table", "json"}));
  }

  static void addEnvironment(CLI::App& command, std::vector<std::string>& variables, std::vector<std::string>& files) {
    command.add_option("-e,--env", variables, "Variable: KEY=value, or KEY with the value it has here")
        ->allow_extra_args(false);
    command.add_option("--env-file", files, "File with a variable on each line")->allow_extra_args(false);
  }

  Prefixed addPrefixed(const std::string& name, const std::string& description, const std::string& words) {
    CLI::App* command = add(name, description);
    command->prefix_command();
    command->footer("Behind the options: " + words);
    return {command};
  }

  void addRun() {
    run_ = addPrefixed("run", "Run a program in a new container", "IMAGE [COMMAND...]");
    CLI::App& command = *run_.app;
    RunOptions& options = runOptions_;
    const auto list = [&command](const std::string& name, std::vector<std::string>& into, const std::string& text) {
      command.add_option(name, into, text)->allow_extra_args(false);
    };
    command.add_flag("-i,--interactive", options.interactive, "Keep standard input open");
    command.add_flag("-t,--tty", options.terminal, "Give the container a terminal");
    command.add_flag("-d,--detach", options.detach, "Print the container's id and leave it running");
    command.add_flag("--rm", options.remove, "Remove the container when it has ended");
    command.add_option("--name", options.name, "The container's id (default: a random one)");
    addEnvironment(command, options.environment, options.environmentFiles);
    list("-v,--volume", options.volumes, "Host directory: SOURCE:TARGET[:ro|rw,rslave|rshared]");
    list("-p,--publish", options.ports, "Host port: [HOST:]CONTAINER[/tcp|udp], also as ranges");
    list("--network", options.networks, "Network to join: bridge (default), host, none or a name");
    command.add_option("--cpus", options.cpus, "Share and ceiling of processors, e.g. 1.5");
    command.add_option("-m,--memory", options.memory, "Memory limit, e.g. 512m");
    command.add_option("--disk", options.disk, "Limit of what the container writes, e.g. 1g");
    command.add_option("--shm-size", options.shmSize, "Size of /dev/shm, e.g. 64m");
    command.add_option("--pids-limit", options.pidsLimit, "Limit of processes and threads")
        ->check(CLI::Range(1U, 4194304U));
    command.add_option("-u,--user", options.user, "User: name or uid, and :group or :gid");
    command.add_option("-w,--workdir", options.workdir, "Working directory in the container");
    command.add_option("--hostname", options.hostname, "Host name in the container");
    command.add_option("--entrypoint", options.entrypoint, "Program in place of the image's entrypoint");
    command.add_flag("--read-only", options.readOnly, "Make the root file system read-only");
    command.add_flag("--privileged", options.privileged, "Give up isolation: all capabilities and devices");
    list("--cap-add", options.capAdd, "Capability to add, or ALL");
    list("--cap-drop", options.capDrop, "Capability to take away, or ALL");
    list("--security-opt", options.securityOptions, "seccomp=unconfined");
    list("-l,--label", options.labels, "Label: KEY=value");
    list("--ulimit", options.ulimits, "Resource limit: NAME=SOFT[:HARD], e.g. nofile=1024");
    command.add_option("--pull", options.pull, "When to ask the registry: missing (default) or always")
        ->check(CLI::IsMember({"missing", "always"}));
  }

  void addPs() {
    ps_ = add("ps", "List containers");
    ps_->add_flag("-a,--all", psOptions_.all, "Those that have ended, too");
    ps_->add_flag("-q,--quiet", psOptions_.quiet, "Print ids only");
  }

  void addLogs() {
    logs_ = add("logs", "Print a container's output");
    logs_->add_flag("-f,--follow", logsOptions_.follow, "Go on until the container ends");
    logs_->add_option("-n,--tail", logsOptions_.tail, "Only the last lines");
    logs_->add_option("container", logsOptions_.container, "Container")->required();
  }

  void addExec() {
    exec_ = addPrefixed("exec", "Run a program in a running container", "CONTAINER COMMAND...");
    exec_.app->add_flag("-i,--interactive", execOptions_.interactive, "Keep standard input open");
    exec_.app->add_flag("-t,--tty", execOptions_.terminal, "Give the program a terminal");
    addEnvironment(*exec_.app, execOptions_.environment, execOptions_.environmentFiles);
    exec_.app->add_option("-u,--user", execOptions_.user, "User: name or uid, and :group or :gid");
    exec_.app->add_option("-w,--workdir", execOptions_.workdir, "Working directory in the container");
  }

  void addInspect() {
    inspect_ = add("inspect", "Print all there is to know about containers");
    inspect_->add_option("containers", inspectOptions_.containers, "Containers")->required();
  }

  void addStats() {
    stats_ = add("stats", "Show what containers use");
    stats_->add_flag("--no-stream", statsOptions_.noStream, "Print once and leave");
    stats_->add_option("containers", statsOptions_.containers, "Containers (default: all that run)");
  }

  void addStop() {
    stop_ = add("stop", "Stop containers: SIGTERM, then SIGKILL");
    stop_->add_option("-t,--time", grace_, "Seconds between the two (default 10)")->check(CLI::Range(0, 86400));
    stop_->add_option("containers", stopOptions_.containers, "Containers")->required();
  }

  void addKill() {
    kill_ = add("kill", "Send containers a signal");
    kill_->add_option("-s,--signal", killOptions_.signal, "Signal: name or number (default KILL)");
    kill_->add_option("containers", killOptions_.containers, "Containers")->required();
  }

  void addRm() {
    rm_ = add("rm", "Remove containers that have ended");
    rm_->add_flag("-f,--force", rmOptions_.force, "Kill those that run");
    rm_->add_option("containers", rmOptions_.containers, "Containers")->required();
  }

  void addPull() {
    pull_ = add("pull", "Bring an image here");
    pull_->add_flag("-q,--quiet", pullOptions_.quiet, "Show no progress");
    pull_->add_option("image", pullOptions_.image, "Image")->required();
  }

  void addImages() {
    images_ = add("images", "List the images that are here");
    images_->add_flag("-q,--quiet", imagesOptions_.quiet, "Print references only");
  }

  Result<void> takeCommand() {
    if (*run_.app) return takeRun();
    if (*exec_.app) return takeExec();
    if (*ps_) invocation_.command = psOptions_;
    if (*logs_) invocation_.command = logsOptions_;
    if (*inspect_) invocation_.command = inspectOptions_;
    if (*stats_) invocation_.command = statsOptions_;
    if (*kill_) invocation_.command = killOptions_;
    if (*rm_) invocation_.command = rmOptions_;
    if (*pull_) invocation_.command = pullOptions_;
    if (*images_) invocation_.command = imagesOptions_;
    if (*stop_) {
      stopOptions_.grace = std::chrono::seconds(grace_);
      invocation_.command = stopOptions_;
    }
    return {};
  }

  Result<void> takeRun() {
    auto words = run_.words();
    TRY_VOID(checkFirstWord(words, "run", "an image"));
    runOptions_.image = words.front();
    runOptions_.command.assign(words.begin() + 1, words.end());
    if (runOptions_.detach && runOptions_.remove) {
      return Error(Code::InvalidArgument, "--rm needs somebody who waits: it excludes --detach");
    }
    invocation_.command = runOptions_;
    return {};
  }

  Result<void> takeExec() {
    auto words = exec_.words();
    TRY_VOID(checkFirstWord(words, "exec", "a container"));
    if (words.size() < 2) return Error(Code::InvalidArgument, "exec: a command is required");
    execOptions_.container = words.front();
    execOptions_.command.assign(words.begin() + 1, words.end());
    invocation_.command = execOptions_;
    return {};
  }

  static Result<void> checkFirstWord(const std::vector<std::string>& words, const std::string& command,
                                     const std::string& what) {
    if (words.empty()) return Error(Code::InvalidArgument, command + ": " + what + " is required");
    if (words.front().starts_with('-')) {
      return Error(Code::InvalidArgument, command + ": there is no option '" + words.front() + "'");
    }
    return {};
  }

  CLI::App app_{"Runs and looks after containers on this host, through its gantry-agent.", "gantry"};
  Invocation invocation_;
  std::string format_ = "table";
  int grace_ = 10;
  RunOptions runOptions_;
  PsOptions psOptions_;
  LogsOptions logsOptions_;
  ExecOptions execOptions_;
  InspectOptions inspectOptions_;
  StatsOptions statsOptions_;
  StopOptions stopOptions_;
  KillOptions killOptions_;
  RmOptions rmOptions_;
  PullOptions pullOptions_;
  ImagesOptions imagesOptions_;
  Prefixed run_{};
  Prefixed exec_{};
  CLI::App* ps_ = nullptr;
  CLI::App* logs_ = nullptr;
  CLI::App* inspect_ = nullptr;
  CLI::App* stats_ = nullptr;
  CLI::App* stop_ = nullptr;
  CLI::App* kill_ = nullptr;
  CLI::App* rm_ = nullptr;
  CLI::App* pull_ = nullptr;
  CLI::App* images_ = nullptr;
};

}  // namespace

Result<std::variant<Invocation, Help>> parseArguments(std::vector<std::string> arguments) {
  return Parser().parse(std::move(arguments));
}

}  // namespace gantry::cli
