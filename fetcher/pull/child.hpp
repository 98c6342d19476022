// A part of the fetcher that runs as a process of its own, forked and confined, and speaks to us in packets.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/descriptor_passing.hpp"
#include "kernel/fd.hpp"
#include "kernel/process.hpp"

namespace gantry::fetcher {

// Packets are text of at most this size; fields within one are separated by zero bytes.
inline constexpr std::size_t kMaxPacket = 64U << 10U;

std::string joinFields(const std::vector<std::string>& fields);
std::vector<std::string> splitFields(std::string_view packet);
// An error as fields: its code's name, its message.
std::vector<std::string> errorFields(const Error& error);
// Internal when the fields are none.
Error errorFromFields(const std::vector<std::string>& fields, std::size_t first);

// Killed and reaped on destruction, unless it has ended.
class Child {
 public:
  // Runs `body` in a fork of this single-threaded process, with its end of the connection. Of all other descriptors the
  // child has standard error and `keep`. When `body` returns, the child ends.
  static Result<Child> start(const std::vector<const kernel::Fd*>& keep,
                             const std::function<void(const kernel::Fd&)>& body);
  Child(Child&&) noexcept = default;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  // Readable when a packet came or the child has ended.
  const kernel::Fd& connection() const { return connection_; }
  Result<void> send(const std::vector<std::string>& fields, const kernel::Fd& descriptor = {}) const;
  // Empty when the child has ended.
  Result<std::vector<std::string>> receive() const;

 private:
  Child(kernel::Process process, kernel::Fd connection)
      : process_(std::move(process)), connection_(std::move(connection)) {}
  void end();

  kernel::Process process_;
  kernel::Fd connection_;
};

}  // namespace gantry::fetcher
