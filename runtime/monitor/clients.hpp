// The monitor's clients: connections to its socket, and what each of them gets (base/monitor_protocol.hpp).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/monitor_protocol.hpp"

namespace gantry::monitor {

using Message = monitor_protocol::Message;

// Nothing here ever waits: a client's backlog is its socket's send buffer. What does not fit is counted, and told to
// that client as a gap. One attached client may be the pacer, for which the caller does wait.
class Clients {
 public:
  static constexpr std::size_t kMost = 64;

  // Listens at `path`. False sets errno.
  bool listen(const char* path);
  int listener() const { return listener_; }
  // Takes one connection: of our own user or root, and while there is room; others are closed at once.
  // Returns the new client's slot, or -1.
  int accept();

  // -1 for an empty slot.
  int descriptor(std::size_t slot) const { return clients_[slot].socket; }
  void close(std::size_t slot);
  void attach(std::size_t slot) { clients_[slot].attached = true; }

  // One small message to one client, or to all. What cannot be sent at once is lost: the same facts are on disk.
  void send(std::size_t slot, Message type, std::string_view payload);
  void broadcast(Message type, std::string_view payload);
  // Output for all attached clients but `except`.
  void output(Message type, std::string_view data, int except);

  // The attached client of the lowest slot, or -1: the pacer of a session.
  int pacer() const;
  enum class Sent { Yes, WouldBlock, Gone };
  // Output for one client that is waited for.
  Sent offer(std::size_t slot, Message type, std::string_view data);

  // The last words: for a client whose buffer is full we wait, up to two seconds.
  void finish(Message type, std::string_view payload);

 private:
  struct Client {
    int socket = -1;
    bool attached = false;
    std::uint64_t lost = 0;
  };

  Sent sendPacket(Client& client, Message type, std::string_view payload, int flags);
  bool tellGap(Client& client, int flags);

  int listener_ = -1;
  Client clients_[kMost];
};

}  // namespace gantry::monitor
