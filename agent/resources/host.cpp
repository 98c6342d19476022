#include <algorithm>
#include <cmath>

#include "agent/resources/resources.hpp"
#include "kernel/host.hpp"

namespace gantry::agent::resources {
namespace {

constexpr double kMegabyte = 1024.0 * 1024.0;

// All but `reserve`; half of it where that is less than twice the reserve. Whole megabytes.
Scalar offered(double total, double reserve) {
  const double amount = std::floor(total < 2 * reserve ? total / 2 : total - reserve);
  return Scalar::thousandths(static_cast<std::int64_t>(amount) * 1000);
}

}  // namespace

Result<Host> readHost(const std::string& workDirectory) {
  Host host;
  host.cpus = kernel::onlineCpus();
  TRY(const Bytes memory, kernel::totalMemory());
  TRY(const Bytes disk, kernel::fileSystemSize(workDirectory));
  host.memoryMegabytes = static_cast<double>(memory.count) / kMegabyte;
  host.diskMegabytes = static_cast<double>(disk.count) / kMegabyte;
  return host;
}

std::vector<NamedValue> withHost(std::vector<NamedValue> named, const Host& host) {
  const std::vector<NamedValue> detected = {
      {"cpus", "", Scalar::thousandths(1000 * static_cast<std::int64_t>(host.cpus))},
      {"mem", "", offered(host.memoryMegabytes, 1024)},
      {"disk", "", offered(host.diskMegabytes, 5 * 1024)},
      {"ports", "", Ranges({{31000, 32000}})},
  };
  for (const NamedValue& one : detected) {
    const bool isNamed = std::ranges::any_of(named, [&one](const NamedValue& other) { return other.name == one.name; });
    if (!isNamed) named.push_back(one);
  }
  return named;
}

}  // namespace gantry::agent::resources
