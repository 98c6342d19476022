#include "fetcher/pull/child.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "kernel/clone.hpp"
#include "kernel/node.hpp"

namespace gantry::fetcher {
namespace {

constexpr Code kCodes[] = {Code::NotFound,    Code::AlreadyExists, Code::InvalidArgument, Code::PermissionDenied,
                           Code::Busy,        Code::Exhausted,     Code::Timeout,         Code::Cancelled,
                           Code::Unavailable, Code::Unsupported,   Code::Internal};

}  // namespace

std::string joinFields(const std::vector<std::string>& fields) {
  std::string packet;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) packet += '\0';
    packet += fields[i];
  }
  return packet;
}

std::vector<std::string> splitFields(std::string_view packet) {
  std::vector<std::string> fields;
  if (packet.empty()) return fields;
  while (true) {
    const auto end = packet.find('\0');
    fields.emplace_back(packet.substr(0, end));
    if (end == std::string_view::npos) return fields;
    packet.remove_prefix(end + 1);
  }
}

std::vector<std::string> errorFields(const Error& error) {
  // A message may quote what the other side sent.
  constexpr std::size_t kMaxMessage = 4096;
  return {std::string(toString(error.code())), error.message().substr(0, kMaxMessage)};
}

Error errorFromFields(const std::vector<std::string>& fields, std::size_t first) {
  if (fields.size() < first + 2) return {Code::Internal, "a part of the fetcher failed without a reason"};
  for (const Code code : kCodes) {
    if (fields[first] == toString(code)) return {code, fields[first + 1]};
  }
  return {Code::Internal, fields[first + 1]};
}

Result<Child> Child::start(const std::vector<const kernel::Fd*>& keep,
                           const std::function<void(const kernel::Fd&)>& body) {
  TRY(auto pair, kernel::socketPair(SOCK_SEQPACKET));
  TRY(auto process, kernel::cloneProcess(0, {}));
  if (process) return Child(std::move(process), std::move(pair.first));
  std::vector<int> numbers = {STDERR_FILENO, pair.second.raw()};
  for (const kernel::Fd* fd : keep) {
    if (*fd) numbers.push_back(fd->raw());
  }
  kernel::closeAllBut(std::move(numbers));
  body(pair.second);
  ::_exit(0);
}

Child& Child::operator=(Child&& other) noexcept {
  end();
  process_ = std::move(other.process_);
  connection_ = std::move(other.connection_);
  return *this;
}

Child::~Child() {
  end();
}

void Child::end() {
  connection_.reset();
  if (!process_) return;
  ignore(process_.signal(SIGKILL), "it may have ended by itself");
  ignore(process_.wait(), "how it ended was told by its packets, or by their lack");
}

Result<void> Child::send(const std::vector<std::string>& fields, const kernel::Fd& descriptor) const {
  return kernel::sendWithDescriptor(connection_, joinFields(fields), descriptor);
}

Result<std::vector<std::string>> Child::receive() const {
  TRY(const auto packet, kernel::receiveWithDescriptor(connection_, kMaxPacket));
  return splitFields(packet.text);
}

}  // namespace gantry::fetcher
