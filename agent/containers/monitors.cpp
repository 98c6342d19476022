#include "agent/containers/monitors.hpp"

#include <csignal>

#include "async/time.hpp"
#include "base/monitor_protocol.hpp"
#include "kernel/file.hpp"
#include "kernel/process.hpp"

namespace gantry::agent {

namespace {

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
  std::string record = directory + "/" + monitor_protocol::kMonitorRecord;
  const auto monitor = co_await awaitProcessFile(std::move(record));
  if (!monitor && monitor.error().code() == Code::Cancelled) co_return;
  if (monitor) {
    const auto ended = co_await untilEnded(*monitor);
    if (!ended) co_return;  // cancelled
  }
  // The record is written before the monitor ends.
  if (!kernel::exists(directory + "/" + monitor_protocol::kExitRecord)) co_return;
  co_await async::never();
}

}  // namespace gantry::agent
