// gantry-monitor: one for each container or exec session. See runtime/monitor/monitor.hpp.
#include <unistd.h>
#include <cstring>

#include "runtime/monitor/monitor.hpp"
#include "runtime/monitor/options.hpp"

int main(int argc, char** argv) {
  static gantry::monitor::Options options;
  const char* const complaint = gantry::monitor::parseOptions(argc, argv, options);
  if (complaint == gantry::monitor::kUsage) {
    (void)!write(STDOUT_FILENO, complaint, std::strlen(complaint));
    return 0;
  }
  if (complaint != nullptr) {
    gantry::monitor::Text<200> line;
    line << "gantry-monitor: " << complaint << "\n";
    (void)!write(STDERR_FILENO, line.c_str(), line.view().size());
    return 2;
  }
  // Static: its two buffers are pages that exist only once they are used.
  static gantry::monitor::Monitor monitor(options);
  return monitor.run();
}
