#include "agent/containers/monitors.hpp"

#include <charconv>
#include <csignal>
#include <optional>
#include <string_view>

#include "async/process.hpp"
#include "async/time.hpp"
#include "kernel/file.hpp"
#include "kernel/process.hpp"

namespace gantry::agent {

std::optional<kernel::ProcessId> readProcessFile(const std::string& path) {
  const auto text = kernel::readFile(path, 64);
  if (!text) return {};
  kernel::ProcessId id;
  const char* const end = text->data() + text->size();
  const auto pid = std::from_chars(text->data(), end, id.pid);
  if (pid.ec != std::errc() || pid.ptr == end || *pid.ptr != ' ') return {};
  const auto start = std::from_chars(pid.ptr + 1, end, id.startTime);
  if (start.ec != std::errc()) return {};
  return id;
}

void killFirstProcess(const std::string& directory) {
  const auto id = readProcessFile(directory + "/init");
  if (!id) return;
  const auto process = kernel::Process::open(*id);
  if (process) ignore(process->signal(SIGKILL), "it has ended");
}

async::Task<Result<std::unique_ptr<Monitor>>> MonitorPrograms::start(MonitorCommand command) {
  return Monitor::start(std::move(command));
}

async::Task<Result<std::unique_ptr<Monitor>>> MonitorPrograms::find(std::string directory) {
  return Monitor::find(std::move(directory));
}

async::Task<> MonitorPrograms::lost(std::string directory) {
  const auto id = readProcessFile(directory + "/monitor");
  if (id) {
    const auto process = kernel::Process::open(*id);
    if (process) {
      const auto ended = co_await async::ended(*process);
      if (!ended) co_return;  // cancelled
    }
  }
  // The record is written before the monitor ends.
  if (!kernel::exists(directory + "/exit")) co_return;
  co_await async::never();
}

}  // namespace gantry::agent
