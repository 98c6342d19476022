#include "runtime/monitor/clients.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

#include <iterator>

#include "runtime/monitor/text.hpp"

namespace gantry::monitor {
namespace {

// How far a client may fall behind: the kernel doubles this and counts its own overhead. Used only while it does.
constexpr int kBacklog = 2 << 20;

bool mayConnect(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace

bool Clients::listen(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (std::strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::strcpy(address.sun_path, path);
  listener_ = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener_ < 0) return false;
  const mode_t before = ::umask(0177);
  const int bound = ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::umask(before);
  return bound == 0 && ::listen(listener_, 16) == 0;
}

int Clients::accept() {
  const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (socket < 0) return -1;
  for (std::size_t slot = 0; slot < kMost; ++slot) {
    if (clients_[slot].socket >= 0) continue;
    if (!mayConnect(socket)) break;
    // The forced form goes beyond the system's limit and is for root; the plain one gets what is allowed.
    if (::setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &kBacklog, sizeof kBacklog) != 0) {
      ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &kBacklog, sizeof kBacklog);
    }
    clients_[slot] = Client{socket};
    return static_cast<int>(slot);
  }
  ::close(socket);
  return -1;
}

void Clients::close(std::size_t slot) {
  ::close(clients_[slot].socket);
  clients_[slot] = Client{};
}

Clients::Sent Clients::sendPacket(Client& client, Message type, std::string_view payload, int flags) {
  char first = type;
  iovec parts[] = {{&first, 1}, {const_cast<char*>(payload.data()), payload.size()}};
  msghdr packet{};
  packet.msg_iov = parts;
  packet.msg_iovlen = std::size(parts);
  if (TEMP_FAILURE_RETRY(::sendmsg(client.socket, &packet, MSG_NOSIGNAL | flags)) >= 0) return Sent::Yes;
  // ENOBUFS and ENOMEM pass, as a full buffer does.
  return errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN ? Sent::Gone : Sent::WouldBlock;
}

bool Clients::tellGap(Client& client, int flags) {
  if (client.lost == 0) return true;
  Text<24> count;
  count << client.lost;
  if (sendPacket(client, Message::kGap, count.view(), flags) != Sent::Yes) return false;
  client.lost = 0;
  return true;
}

void Clients::send(std::size_t slot, Message type, std::string_view payload) {
  // A client that is gone is noticed by its end of stream.
  (void)sendPacket(clients_[slot], type, payload, MSG_DONTWAIT);
}

void Clients::broadcast(Message type, std::string_view payload) {
  for (std::size_t slot = 0; slot < kMost; ++slot) {
    if (clients_[slot].socket >= 0) send(slot, type, payload);
  }
}

void Clients::output(Message type, std::string_view data, int except) {
  for (std::size_t slot = 0; slot < kMost; ++slot) {
    Client& client = clients_[slot];
    if (!client.attached || static_cast<int>(slot) == except) continue;
    if (!tellGap(client, MSG_DONTWAIT) || sendPacket(client, type, data, MSG_DONTWAIT) != Sent::Yes) {
      client.lost += data.size();
    }
  }
}

int Clients::pacer() const {
  for (std::size_t slot = 0; slot < kMost; ++slot) {
    if (clients_[slot].attached) return static_cast<int>(slot);
  }
  return -1;
}

Clients::Sent Clients::offer(std::size_t slot, Message type, std::string_view data) {
  if (!tellGap(clients_[slot], MSG_DONTWAIT)) return Sent::WouldBlock;
  return sendPacket(clients_[slot], type, data, MSG_DONTWAIT);
}

void Clients::finish(Message type, std::string_view payload) {
  // Those who only wait for the end are never behind, so they do not wait for those who are.
  for (const bool attached : {false, true}) {
    for (Client& client : clients_) {
      if (client.socket < 0 || client.attached != attached) continue;
      const timeval patience{2, 0};
      ::setsockopt(client.socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
      if (tellGap(client, 0)) (void)sendPacket(client, type, payload, 0);
    }
  }
}

}  // namespace gantry::monitor
