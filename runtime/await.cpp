#include "runtime/await.hpp"

#include "kernel/poll.hpp"

namespace gantry::runtime {
namespace {

// Between two looks at the freezer. An answer usually comes in a few milliseconds.
constexpr std::chrono::milliseconds kGlance{100};

}  // namespace

Result<Message> receiveFrom(const Cgroup& cgroup, const kernel::Fd& socket) {
  while (true) {
    TRY(const auto ready, kernel::waitReadable({&socket}, kGlance));
    if (ready[0]) return receive(socket);
    // A cgroup that cannot be read is being removed, its processes are killed, and the connection ends.
    const auto frozen = cgroup.isFrozen();
    if (frozen && *frozen) return Error(Code::Busy, "the container was paused meanwhile");
  }
}

void reap(kernel::Process& child, std::chrono::milliseconds patience) {
  const auto ended = kernel::waitReadable({&child.pidfd()}, patience);
  if (ended && (*ended)[0]) ignore(child.wait(), "its status does not matter any more");
}

}  // namespace gantry::runtime
