// The agent's end of gantry-monitor: starts one, finds one that already runs, and talks to it over its socket.
//
// One Monitor object stands for the monitor of one container or exec session, which may be alive, gone with an exit
// record, or gone without one. The protocol is drawn in runtime/monitor/protocol.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "agent/containers/manager.hpp"
#include "async/task.hpp"
#include "base/bytes.hpp"
#include "kernel/process.hpp"

namespace gantry::agent {

// Where a container's output goes; each file is rotated to <file>.1 … on its own.
struct LogFiles {
  std::string standardOutput;
  std::string standardError;
  // A file reaches at most this size; 0: it is never rotated.
  Bytes size = Bytes::mebi(10);
  // Files kept for each stream, the current one included; at least 1.
  std::uint32_t count = 5;
};

// What to start. All paths are absolute.
struct MonitorCommand {
  std::string program;    // gantry-monitor
  std::string directory;  // exists; gets monitor.sock, monitor, init, exit, runtime.log, monitor.log
  std::string runtime;    // the OCI runtime's program
  std::string runtimeRoot;
  std::string id;  // of the OCI container
  // A bundle to create, or else a process.json to exec in the running container `id`.
  std::string bundle;
  std::string process;
  bool terminal = false;
  bool openStdin = false;
  // Unset: a session, whose output is held until somebody attaches, and goes at the attached client's pace.
  std::optional<LogFiles> logs;
};

// How the first process ended. The status is unset when its monitor was killed, so that nobody saw it.
struct ExitRecord {
  std::optional<int> waitStatus;  // raw, as waitpid spells it
  std::chrono::system_clock::time_point time;
};

// A process as a monitor writes it to D/monitor and D/init: "<pid> <start time>\n". NotFound when there is no such file
// or it holds something else.
Result<kernel::ProcessId> readProcessFile(const std::string& path);
// The same, but waits out what says nothing about the container: the host has no descriptor left, say. Fails with
// NotFound and Cancelled only.
async::Task<Result<kernel::ProcessId>> awaitProcessFile(std::string path);
// Completes once that process has ended, at once when it has already; waits the same things out. Fails with Cancelled
// only.
async::Task<Result<void>> untilEnded(kernel::ProcessId id);

// Only used on the agent's thread. One coroutine at a time awaits created() or exited(). Destroying it leaves a running
// container and its monitor as they are.
class Monitor {
 public:
  // Starts a monitor, which at once starts `runtime create` (or exec). Completes when its socket answers. An Error
  // means that nothing was started or that it ended at once; its message has the monitor's own words.
  static async::Task<Result<std::unique_ptr<Monitor>>> start(MonitorCommand command);
  // Finds the monitor of `directory` again, or what it left there. NotFound when there is no trace of one; any other
  // error is about this host, and it may be there all the same.
  static async::Task<Result<std::unique_ptr<Monitor>>> find(std::string directory);

  virtual ~Monitor() = default;

  // Completes when the first process exists and waits to be started (an exec session's process is already running).
  // Fails with the runtime's own sentence when it could not be created; Unavailable when the monitor died before that.
  // The caller bounds the wait, and ends a runtime that hangs with abandon().
  virtual async::Task<Result<kernel::ProcessId>> created() = 0;
  // Completes when the first process has ended and, for a session, its output was taken. Survives the death of the
  // monitor: then it waits for the process itself, and the status stays unset. Unavailable when there never was a
  // first process.
  virtual async::Task<Result<ExitRecord>> exited() = 0;
  // A new connection to the streams. Output comes from now on, but for a session all of it. NotFound when the monitor
  // is gone.
  virtual async::Task<Result<std::unique_ptr<Attachment>>> attach(Attachment::Ends ends) = 0;
  // Kills the monitor and the runtime program that it still runs, for a creation that hangs; the container's own
  // process, if there is one, is left to `runtime delete --force`.
  virtual Result<void> abandon() = 0;
};

}  // namespace gantry::agent
