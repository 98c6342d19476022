#include "runtime/monitor/records.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <ctime>

namespace gantry::monitor {
namespace {

// Up to `size` bytes of a small file; empty when it cannot be read.
std::string_view readSmall(int directory, const char* name, char* buffer, std::size_t size) {
  const int file = ::openat(directory, name, O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  const ssize_t count = TEMP_FAILURE_RETRY(::read(file, buffer, size));
  ::close(file);
  return count > 0 ? std::string_view(buffer, static_cast<std::size_t>(count)) : std::string_view();
}

bool sync(int directory) {
  // A descriptor of O_PATH cannot be synced.
  const int opened = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return false;
  const bool done = ::fsync(opened) == 0;
  ::close(opened);
  return done;
}

}  // namespace

bool describeProcess(pid_t pid, Line& line) {
  Text<32> path;
  path << "/proc/" << static_cast<std::uint64_t>(pid) << "/stat";
  char buffer[1024];
  std::string_view text = readSmall(AT_FDCWD, path.c_str(), buffer, sizeof buffer);
  // The name in parentheses may hold anything, so fields are counted behind its last ')'.
  std::size_t position = text.rfind(')');
  for (int field = 2; field < 22 && position != std::string_view::npos; ++field)
    position = text.find(' ', position + 1);
  if (position == std::string_view::npos) return false;
  text.remove_prefix(position + 1);
  std::uint64_t startTime = 0;
  if (!takeNumber(text, startTime)) return false;
  line << static_cast<std::uint64_t>(pid) << " " << startTime;
  return true;
}

Line describeExit(int status) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  Line line;
  line << static_cast<std::uint64_t>(status) << " "
       << static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
  return line;
}

bool writeRecord(int directory, const char* name, std::string_view line, bool durable) {
  Text<64> temporary;
  temporary << name << ".new";
  const int file = ::openat(directory, temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return false;
  Text<80> text;
  text << line << "\n";
  const ssize_t count = TEMP_FAILURE_RETRY(::write(file, text.c_str(), text.view().size()));
  bool done = count == static_cast<ssize_t>(text.view().size());
  if (done && durable) done = ::fsync(file) == 0;
  ::close(file);
  done = done && ::renameat(directory, temporary.c_str(), directory, name) == 0;
  return done && (!durable || sync(directory));
}

pid_t readPid(int directory, const char* name) {
  char buffer[32];
  std::string_view text = readSmall(directory, name, buffer, sizeof buffer);
  std::uint64_t pid = 0;
  return takeNumber(text, pid) && pid <= INT32_MAX ? static_cast<pid_t>(pid) : 0;
}

}  // namespace gantry::monitor
