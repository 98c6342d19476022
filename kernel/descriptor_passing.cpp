#include "kernel/descriptor_passing.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace gantry::kernel {

Result<void> sendWithDescriptor(const Fd& socket, std::string_view text, const Fd& descriptor) {
  iovec part{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptor) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int raw = descriptor.raw();
    std::memcpy(CMSG_DATA(header), &raw, sizeof raw);
  }
  while (::sendmsg(socket.raw(), &message, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return Error::fromErrno(errno, "send packet");
  }
  return {};
}

Result<Packet> receiveWithDescriptor(const Fd& socket, std::size_t limit) {
  Packet packet;
  packet.text.resize(limit);
  iovec part{packet.text.data(), packet.text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t count = -1;
  do {
    count = ::recvmsg(socket.raw(), &message, MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return Error::fromErrno(errno, "receive packet");
  packet.text.resize(static_cast<std::size_t>(count));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int raw = -1;
    std::memcpy(&raw, CMSG_DATA(header), sizeof raw);
    packet.descriptor = Fd(raw);
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return Error(Code::Exhausted, "receive packet: it is longer than was agreed");
  }
  return packet;
}

}  // namespace gantry::kernel
