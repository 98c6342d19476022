#include "agent/containers/monitor_client.hpp"

#include <fcntl.h>
#include <csignal>

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "agent/containers/oci_runtime.hpp"
#include "async/descriptor.hpp"
#include "async/process.hpp"
#include "async/socket.hpp"
#include "async/time.hpp"
#include "base/monitor_protocol.hpp"
#include "kernel/file.hpp"

namespace gantry::agent {
namespace {

namespace protocol = monitor_protocol;

// A monitor's own words end up here, beside its socket.
constexpr const char* kMonitorLog = "monitor.log";
constexpr std::size_t kMaxRecord = 128;
constexpr std::size_t kMaxLog = 256U << 10U;
// Between two tries at what failed for the host's sake.
constexpr async::Duration kPause = std::chrono::seconds(1);

// "<first> <second>", decimal, as records and messages spell their pairs.
template <typename First, typename Second>
std::optional<std::pair<First, Second>> parsePair(std::string_view text) {
  std::pair<First, Second> pair;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, pair.first);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ' ') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, pair.second);
  if (second.ec != std::errc() || (second.ptr != end && *second.ptr != '\n')) return std::nullopt;
  return pair;
}

std::optional<kernel::ProcessId> parseProcess(std::string_view text) {
  const auto pair = parsePair<pid_t, std::uint64_t>(text);
  if (!pair) return std::nullopt;
  return kernel::ProcessId{pair->first, pair->second};
}

std::optional<ExitRecord> parseExit(std::string_view text) {
  const auto pair = parsePair<int, std::int64_t>(text);
  if (!pair) return std::nullopt;
  const auto since =
      std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::nanoseconds(pair->second));
  return ExitRecord{pair->first, std::chrono::system_clock::time_point(since)};
}

// What a record holds; only NotFound says that there is none, and anything else passes.
async::Task<Result<std::string>> awaitRecord(std::string path) {
  while (true) {
    auto text = kernel::readFile(path, kMaxRecord);
    if (text || text.error().code() == Code::NotFound) co_return text;
    CO_TRY_VOID(co_await async::sleep(kPause));
  }
}

Result<kernel::ProcessId> processIn(const std::string& path, std::string_view text) {
  const auto id = parseProcess(text);
  if (!id) return Error(Code::NotFound, fmt::format("'{}' names no process", path));
  return *id;
}

std::string pathIn(const std::string& directory, const char* name) {
  return fmt::format("{}/{}", directory, name);
}

// The sentence in a log's last line, an OCI runtime's or the monitor's own.
std::string lastWords(const std::string& directory, const char* logName) {
  const auto log = kernel::readFile(pathIn(directory, logName), kMaxLog);
  return log ? runtimeSentence(*log, "") : "";
}

// --- streams

class SocketAttachment final : public Attachment {
 public:
  explicit SocketAttachment(async::PacketSocket socket) : socket_(std::move(socket)) {}

  async::Task<Result<std::optional<Chunk>>> read() override {
    while (true) {
      CO_TRY(std::string packet, co_await socket_.receive());
      if (packet.empty() || packet[0] == protocol::kEnded || packet[0] == protocol::kFailed) {
        co_return std::optional<Chunk>();
      }
      const char type = packet[0];
      packet.erase(0, 1);
      if (type == protocol::kStdout) co_return std::optional<Chunk>(Chunk{Stream::Stdout, std::move(packet)});
      if (type == protocol::kStderr) co_return std::optional<Chunk>(Chunk{Stream::Stderr, std::move(packet)});
      if (type == protocol::kGap) {
        std::string mark = fmt::format("\n[gantry: {} bytes were left out here, they came too fast]\n", packet);
        co_return std::optional<Chunk>(Chunk{Stream::Stderr, std::move(mark)});
      }
    }
  }

  async::Task<Result<void>> writeStdin(std::string data) override {
    for (std::size_t start = 0; start < data.size(); start += protocol::kMaxPayload) {
      std::string packet(1, protocol::kStdin);
      packet.append(data, start, protocol::kMaxPayload);
      CO_TRY_VOID(co_await socket_.send(std::move(packet)));
    }
    co_return Result<void>();
  }

  async::Task<Result<void>> closeStdin() override {
    std::string packet(1, protocol::kCloseStdin);
    co_return co_await socket_.send(std::move(packet));
  }

  async::Task<Result<void>> resize(std::uint16_t rows, std::uint16_t columns) override {
    std::string packet = fmt::format("{}{} {}", static_cast<char>(protocol::kWindow), rows, columns);
    co_return co_await socket_.send(std::move(packet));
  }

 private:
  async::PacketSocket socket_;
};

// --- the monitor

class SocketMonitor final : public Monitor {
 public:
  SocketMonitor(std::string directory, std::optional<async::PacketSocket> socket, kernel::Process child)
      : directory_(std::move(directory)), socket_(std::move(socket)), child_(std::move(child)) {}

  // A monitor that we started is our child. Once it has said how its container ended, it has nothing left to do for
  // us; otherwise it goes on without us.
  ~SocketMonitor() override {
    if (!child_ || !over_) return;
    ignore(child_.signal(SIGKILL), "it may have ended by itself");
    ignore(child_.wait(), "nothing is lost but a zombie");
  }

  async::Task<Result<kernel::ProcessId>> created() override {
    while (!init_ && !failure_ && socket_) CO_TRY_VOID(co_await step());
    if (!init_ && !failure_) {
      std::string record = pathIn(directory_, protocol::kInitRecord);
      const auto noted = co_await awaitProcessFile(std::move(record));
      if (!noted && noted.error().code() == Code::Cancelled) co_return noted.error();
      if (noted) init_ = *noted;
    }
    if (init_) co_return *init_;
    if (!failure_) failure_ = deathBeforeCreation();
    co_return *failure_;
  }

  async::Task<Result<ExitRecord>> exited() override {
    while (!exit_ && !failure_ && socket_) CO_TRY_VOID(co_await step());
    if (failure_) co_return *failure_;
    if (!exit_) {
      CO_TRY(exit_, co_await recordedExit());
    }
    if (!exit_) {
      // Either the monitor was killed, and its container goes on without one; or only the connection to it is lost.
      CO_TRY(const kernel::ProcessId init, co_await created());
      CO_TRY_VOID(co_await untilEnded(init));
      const auto time = std::chrono::system_clock::now();
      CO_TRY_VOID(co_await monitorEnded());
      CO_TRY(exit_, co_await recordedExit());
      if (!exit_) exit_ = ExitRecord{std::nullopt, time};
    }
    co_return *exit_;
  }

  async::Task<Result<std::unique_ptr<Attachment>>> attach(Attachment::Ends ends) override {
    const async::Executor executor = co_await async::currentExecutor();
    CO_TRY(async::PacketSocket socket, connect(executor, directory_));
    if (ends == Attachment::Ends::Both) {
      std::string packet(1, protocol::kAttach);
      CO_TRY_VOID(co_await socket.send(std::move(packet)));
    }
    co_return std::make_unique<SocketAttachment>(std::move(socket));
  }

  Result<void> abandon() override {
    over_ = true;
    if (child_) return child_.signal(SIGKILL);
    const auto killed = killNoted();
    // It is gone already, or never was.
    if (!killed && killed.error().code() == Code::NotFound) return {};
    return killed;
  }

  static Result<async::PacketSocket> connect(const async::Executor& executor, const std::string& directory) {
    auto socket = async::PacketSocket::connect(executor, pathIn(directory, protocol::kSocketName));
    // Nobody listens at a socket file that a killed monitor left.
    if (!socket && socket.error().code() == Code::Unavailable) return Error(Code::NotFound, socket.error().message());
    return socket;
  }

 private:
  // Takes in one message; at the end of the connection socket_ is no more.
  async::Task<Result<void>> step() {
    auto packet = co_await socket_->receive();
    if (!packet && packet.error().code() == Code::Cancelled) co_return std::move(packet).error();
    if (!packet || packet->empty()) {
      over_ = true;
      socket_.reset();
      co_return Result<void>();
    }
    const std::string payload = packet->substr(1);
    switch ((*packet)[0]) {
      case protocol::kCreated:
        init_ = parseProcess(payload);
        break;
      case protocol::kFailed:
        over_ = true;
        failure_ = creationFailure(payload);
        break;
      case protocol::kEnded:
        over_ = true;
        exit_ = parseExit(payload);
        break;
      default:  // of a later version, left running across an upgrade
        break;
    }
    co_return Result<void>();
  }

  // What the monitor left in its directory, if it did.
  async::Task<Result<std::optional<ExitRecord>>> recordedExit() const {
    std::string record = pathIn(directory_, protocol::kExitRecord);
    const auto text = co_await awaitRecord(std::move(record));
    if (text) co_return parseExit(*text);
    if (text.error().code() == Code::Cancelled) co_return text.error();
    co_return std::optional<ExitRecord>();
  }

  // Completes once the monitor is gone, and so has left what it is going to leave.
  async::Task<Result<void>> monitorEnded() const {
    std::string record = pathIn(directory_, protocol::kMonitorRecord);
    const auto id = co_await awaitProcessFile(std::move(record));
    if (id) co_return co_await untilEnded(*id);
    if (id.error().code() == Code::Cancelled) co_return id.error();
    co_return Result<void>();
  }

  Result<void> killNoted() const {
    TRY(const kernel::ProcessId id, readProcessFile(pathIn(directory_, protocol::kMonitorRecord)));
    TRY(const kernel::Process process, kernel::Process::open(id));
    return process.signal(SIGKILL);
  }

  Error creationFailure(const std::string& status) const {
    std::string sentence = lastWords(directory_, protocol::kRuntimeLog);
    if (sentence.empty()) {
      int number = 0;
      std::from_chars(status.data(), status.data() + status.size(), number);
      sentence = number == 0 ? "the runtime left no process id"
                             : fmt::format("the runtime {} without a word", kernel::describeWaitStatus(number));
    }
    return Error(Code::Internal, std::move(sentence));
  }

  Error deathBeforeCreation() const {
    std::string sentence = lastWords(directory_, protocol::kRuntimeLog);
    if (sentence.empty()) sentence = lastWords(directory_, kMonitorLog);
    if (sentence.empty()) sentence = "the container's monitor was killed before the container existed";
    return Error(Code::Unavailable, std::move(sentence));
  }

  std::string directory_;
  std::optional<async::PacketSocket> socket_;
  // Empty when an earlier agent started it.
  kernel::Process child_;
  bool over_ = false;
  std::optional<kernel::ProcessId> init_;
  std::optional<Error> failure_;
  std::optional<ExitRecord> exit_;
};

kernel::Command commandLine(const MonitorCommand& command) {
  kernel::Command line;
  line.program = command.program;
  line.newSession = true;
  line.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  auto& words = line.arguments;
  words = {"--directory",    command.directory,   "--runtime", command.runtime,
           "--runtime-root", command.runtimeRoot, "--id",      command.id};
  if (command.bundle.empty()) {
    words.insert(words.end(), {"--exec", command.process});
  } else {
    words.insert(words.end(), {"--bundle", command.bundle});
  }
  if (command.terminal) words.emplace_back("--terminal");
  if (command.openStdin) words.emplace_back("--stdin");
  if (command.logs) {
    words.insert(words.end(),
                 {"--stdout", command.logs->standardOutput, "--stderr", command.logs->standardError, "--log-size",
                  std::to_string(command.logs->size.count), "--log-files", std::to_string(command.logs->count)});
  } else {
    words.emplace_back("--session");
  }
  return line;
}

Result<kernel::Fd> openLog(const std::string& directory) {
  return kernel::open(pathIn(directory, kMonitorLog), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW, 0600);
}

}  // namespace

Result<kernel::ProcessId> readProcessFile(const std::string& path) {
  TRY(const std::string text, kernel::readFile(path, kMaxRecord));
  return processIn(path, text);
}

async::Task<Result<kernel::ProcessId>> awaitProcessFile(std::string path) {
  CO_TRY(const std::string text, co_await awaitRecord(path));
  co_return processIn(path, text);
}

async::Task<Result<void>> untilEnded(kernel::ProcessId id) {
  while (true) {
    const auto process = kernel::Process::open(id);
    if (!process && process.error().code() == Code::NotFound) co_return Result<void>();
    if (process) {
      auto ended = co_await async::ended(*process);
      if (ended || ended.error().code() == Code::Cancelled) co_return ended;
    }
    CO_TRY_VOID(co_await async::sleep(kPause));
  }
}

async::Task<Result<std::unique_ptr<Monitor>>> Monitor::start(MonitorCommand command) {
  const async::Executor executor = co_await async::currentExecutor();
  kernel::Command line = commandLine(command);
  CO_TRY(kernel::Fd log, openLog(command.directory));
  CO_TRY(kernel::Pipe announcement, kernel::pipe());
  line.descriptors = {{announcement.write.raw(), 1}, {log.raw(), 2}};
  CO_TRY(async::Descriptor ready, async::Descriptor::adopt(executor, std::move(announcement.read)));
  CO_TRY(kernel::Process child, kernel::spawn(line));
  announcement.write.reset();

  auto word = co_await ready.read(kMaxRecord);
  if (!word || word->empty()) {
    ignore(child.signal(SIGKILL), "it may have ended by itself");
    ignore(child.wait(), "nothing is lost but a zombie");
    if (!word) co_return std::move(word).error();
    co_return Error(Code::Unavailable, lastWords(command.directory, kMonitorLog));
  }
  std::optional<async::PacketSocket> socket;
  auto connected = SocketMonitor::connect(executor, command.directory);
  if (connected) socket = std::move(*connected);
  co_return std::make_unique<SocketMonitor>(std::move(command.directory), std::move(socket), std::move(child));
}

async::Task<Result<std::unique_ptr<Monitor>>> Monitor::find(std::string directory) {
  const async::Executor executor = co_await async::currentExecutor();
  std::optional<async::PacketSocket> socket;
  auto connected = SocketMonitor::connect(executor, directory);
  if (connected) {
    socket = std::move(*connected);
  } else if (connected.error().code() != Code::NotFound) {
    co_return std::move(connected).error();
  } else {
    const auto monitor = readProcessFile(pathIn(directory, protocol::kMonitorRecord));
    if (!monitor && monitor.error().code() != Code::NotFound) co_return monitor.error();
    if (!monitor) co_return Error(Code::NotFound, fmt::format("no monitor ever ran in '{}'", directory));
  }
  co_return std::make_unique<SocketMonitor>(std::move(directory), std::move(socket), kernel::Process());
}

}  // namespace gantry::agent
