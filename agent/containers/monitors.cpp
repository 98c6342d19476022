#include "agent/containers/monitors.hpp"

#include <chrono>
#include <csignal>

#include "async/process.hpp"
#include "async/time.hpp"
#include "base/monitor_protocol.hpp"
#include "kernel/file.hpp"
#include "kernel/process.hpp"

namespace gantry::agent {

namespace {

// Between two tries to open a monitor's process.
constexpr async::Duration kPause = std::chrono::seconds(1);

Result<kernel::Process> openNoted(const std::string& directory, const char* record) {
  TRY(const kernel::ProcessId id, readProcessFile(directory + "/" + record));
  return kernel::Process::open(id);
}

}  // namespace

void killFirstProcess(const std::string& directory) {
  const auto process = openNoted(directory, monitor_protocol::kInitRecord);
  if (process) ignore(process->signal(SIGKILL), "it has ended");
}

async::Task<Result<std::unique_ptr<Monitor>>> MonitorPrograms::start(MonitorCommand command) {
  return Monitor::start(std::move(command));
}

async::Task<Result<std::unique_ptr<Monitor>>> MonitorPrograms::find(std::string directory) {
  return Monitor::find(std::move(directory));
}

async::Task<> MonitorPrograms::lost(std::string directory) {
  while (true) {
    auto process = openNoted(directory, monitor_protocol::kMonitorRecord);
    if (process) {
      const auto ended = co_await async::ended(*process);
      if (!ended) co_return;  // cancelled
      break;
    }
    if (process.error().code() == Code::NotFound) break;
    // The host has no descriptor left, say, which is no reason to end a container.
    const auto slept = co_await async::sleep(kPause);
    if (!slept) co_return;
  }
  // The record is written before the monitor ends.
  if (!kernel::exists(directory + "/" + monitor_protocol::kExitRecord)) co_return;
  co_await async::never();
}

}  // namespace gantry::agent
