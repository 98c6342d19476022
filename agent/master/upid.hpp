// The addresses of libprocess programs: "slave(1)@10.0.0.7:5051" is the process `slave(1)` of the program that listens
// at 10.0.0.7:5051. Reference: libprocess, 1.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gantry::agent::master {

// Where a program listens.
struct Address {
  // A literal address as it is printed, or a name that is still to be looked up.
  std::string host;
  std::uint16_t port = 0;

  auto operator<=>(const Address&) const = default;
};
// "10.0.0.7:5051".
std::string toString(const Address& address);
// "host:port". InvalidArgument for anything else, and for port 0.
Result<Address> parseAddress(std::string_view text);

// A value. Two of them are the same process when all of it is equal: a master knows its agents by their UPID.
struct Upid {
  std::string id;
  Address address;

  // The one that stands for "no process", such as the scheduler of a framework that speaks HTTP.
  bool isEmpty() const { return id.empty() && address.port == 0; }

  auto operator<=>(const Upid&) const = default;
};
// "slave(1)@10.0.0.7:5051"; "@0.0.0.0:0" for the empty one.
std::string toString(const Upid& upid);
// "" and "@0.0.0.0:0" are the empty one. InvalidArgument for what has no '@', no port, or white space in it.
Result<Upid> parseUpid(std::string_view text);

}  // namespace gantry::agent::master
