#include "network/counters.hpp"

#include <sstream>
#include <string>

#include <fmt/format.h>

namespace gantry::network {

Result<Counters> parseCounters(std::string_view text) {
  Counters sum;
  std::istringstream lines{std::string(text)};
  std::string line;
  while (std::getline(lines, line)) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) continue;  // the two lines of headings
    const std::size_t start = line.find_first_not_of(' ');
    if (line.compare(start, colon - start, "lo") == 0) continue;
    // Receive: bytes packets errs drop fifo frame compressed multicast; then transmit in the same order.
    std::istringstream words(line.substr(colon + 1));
    std::uint64_t values[12] = {};
    for (std::uint64_t& value : values) words >> value;
    if (!words) return Error(Code::InvalidArgument, fmt::format("'{}' is no line of interface counters", line));
    sum.receivedBytes += values[0];
    sum.receivedPackets += values[1];
    sum.receivedErrors += values[2];
    sum.receivedDropped += values[3];
    sum.sentBytes += values[8];
    sum.sentPackets += values[9];
    sum.sentErrors += values[10];
    sum.sentDropped += values[11];
  }
  return sum;
}

}  // namespace gantry::network
