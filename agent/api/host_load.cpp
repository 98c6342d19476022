#include "agent/api/host_load.hpp"

#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/error.hpp"

namespace gantry::agent::api {

HostLoad HostLoad::measure() {
  struct sysinfo info{};
  const int status = ::sysinfo(&info);
  ENSURE(status == 0, "sysinfo(2) fails for a bad address only");
  const auto load = [&info](std::size_t index) {
    return static_cast<double>(info.loads[index]) / static_cast<double>(1U << SI_LOAD_SHIFT);
  };
  HostLoad host;
  host.cpus = static_cast<std::uint64_t>(::sysconf(_SC_NPROCESSORS_ONLN));
  host.oneMinute = load(0);
  host.fiveMinutes = load(1);
  host.fifteenMinutes = load(2);
  host.memoryTotal = {std::uint64_t{info.totalram} * info.mem_unit};
  host.memoryFree = {std::uint64_t{info.freeram} * info.mem_unit};
  return host;
}

}  // namespace gantry::agent::api
