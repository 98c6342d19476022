#include "agent/master/upid.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace gantry::agent::master {
namespace {

// UPIDs are written into request lines and header fields.
bool isOneWord(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char letter) { return letter > ' ' && letter != 0x7f; });
}

Result<Address> parseHostAndPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  Address address;
  address.host = text.substr(0, colon);
  if (colon == std::string_view::npos || address.host.empty() || address.host.find('/') != std::string::npos) {
    return Error(Code::InvalidArgument, fmt::format("'{}' is not host:port", text));
  }
  const std::string_view port = text.substr(colon + 1);
  const auto [stop, failure] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (failure != std::errc() || stop != port.data() + port.size()) {
    return Error(Code::InvalidArgument, fmt::format("'{}' is not a port", port));
  }
  return address;
}

}  // namespace

std::string toString(const Address& address) {
  return fmt::format("{}:{}", address.host, address.port);
}

Result<Address> parseAddress(std::string_view text) {
  if (!isOneWord(text)) return Error(Code::InvalidArgument, "an address has no white space in it");
  TRY(Address address, parseHostAndPort(text));
  if (address.port == 0) return Error(Code::InvalidArgument, fmt::format("'{}' has no port", text));
  return address;
}

std::string toString(const Upid& upid) {
  if (upid.isEmpty()) return "@0.0.0.0:0";
  return fmt::format("{}@{}", upid.id, toString(upid.address));
}

Result<Upid> parseUpid(std::string_view text) {
  Upid upid;
  if (text.empty() || text == "@0.0.0.0:0") return upid;
  if (!isOneWord(text)) return Error(Code::InvalidArgument, "a UPID has no white space in it");
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) return Error(Code::InvalidArgument, fmt::format("'{}' is not id@host:port", text));
  upid.id = text.substr(0, at);
  TRY(upid.address, parseHostAndPort(text.substr(at + 1)));
  return upid;
}

}  // namespace gantry::agent::master
