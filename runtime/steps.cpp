#include "runtime/steps.hpp"

#include <cerrno>
#include <cstring>

#include "kernel/descriptor_passing.hpp"

namespace gantry::runtime {
namespace {

struct Header {
  Message::Kind kind;
  Step step;
  Code code;
  int number;
  pid_t pid;
};

// Fits the default socket buffer; only the state of a container with very many annotations comes near.
constexpr std::size_t kMaxPacket = 128U << 10U;

}  // namespace

std::string_view describe(Step step) {
  switch (step) {
    case Step::JoinCgroup:
      return "join the cgroup";
    case Step::Namespaces:
      return "join the namespaces";
    case Step::CloneAgain:
      return "make the namespaces";
    case Step::Wait:
      return "wait for the runtime";
    case Step::Session:
      return "start a session";
    case Step::Host:
      return "set up the host's names";
    case Step::Sysctl:
      return "set linux.sysctl";
    case Step::Rootfs:
      return "set up the root file system";
    case Step::Mounts:
      return "mount";
    case Step::Devices:
      return "make the devices";
    case Step::Console:
      return "set up the console";
    case Step::Hooks:
      return "run the hooks";
    case Step::MaskedPaths:
      return "mask paths";
    case Step::Pivot:
      return "change the root";
    case Step::Limits:
      return "set the process's limits";
    case Step::Credentials:
      return "set the process's credentials";
    case Step::WorkingDirectory:
      return "change to process.cwd";
    case Step::Executable:
    case Step::Exec:
      return "exec";
    case Step::Start:
      return "wait for start";
    case Step::Seccomp:
      return "load linux.seccomp";
  }
  return "start the process";
}

Result<void> send(const kernel::Fd& socket, const Message& message) {
  const Header header{message.kind, message.step, message.code, message.number, message.pid};
  if (message.text.size() > kMaxPacket - sizeof header) {
    return Error(Code::Exhausted, "send a message: the container's state is too large");
  }
  std::string packet(sizeof header + message.text.size(), '\0');
  std::memcpy(packet.data(), &header, sizeof header);
  std::memcpy(packet.data() + sizeof header, message.text.data(), packet.size() - sizeof header);
  return kernel::sendWithDescriptor(socket, packet, message.descriptor);
}

Result<Message> receive(const kernel::Fd& socket) {
  auto received = kernel::receiveWithDescriptor(socket, kMaxPacket);
  // The other side ended with something unread.
  if (!received && received.error().number() == ECONNRESET) return Message{};
  TRY(kernel::Packet packet, std::move(received));
  if (packet.text.empty()) return Message{};
  Header header{};
  if (packet.text.size() < sizeof header) return Error(Code::Internal, "receive a message: it is too short");
  std::memcpy(&header, packet.text.data(), sizeof header);
  return Message{header.kind,
                 header.step,
                 header.number,
                 header.code,
                 header.pid,
                 packet.text.substr(sizeof header),
                 std::move(packet.descriptor)};
}

Error toError(const Message& failed) {
  // The errno's text is part of the sentence already; Error keeps number and code apart for callers.
  return Error(failed.code, failed.text).under(describe(failed.step));
}

}  // namespace gantry::runtime
