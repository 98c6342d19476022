// Packets with a descriptor attached, between processes that share a SOCK_SEQPACKET pair (SCM_RIGHTS, unix(7)).
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::kernel {

struct Packet {
  // Empty at the end of the connection.
  std::string text;
  // Empty when none came along.
  Fd descriptor;
};

// Waits until there is room. `descriptor` may be empty; the receiver gets a duplicate.
Result<void> sendWithDescriptor(const Fd& socket, std::string_view text, const Fd& descriptor);
// Waits for a packet. One longer than `limit`, or with more than one descriptor, is Exhausted.
Result<Packet> receiveWithDescriptor(const Fd& socket, std::size_t limit);

}  // namespace gantry::kernel
