#include "network/cni_result.hpp"

#include <arpa/inet.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "kernel/process.hpp"

namespace gantry::network {
namespace {

using Json = nlohmann::json;

std::vector<std::string> texts(const Json& object, const char* name) {
  std::vector<std::string> found;
  const auto member = object.find(name);
  if (member == object.end() || !member->is_array()) return found;
  for (const Json& entry : *member) {
    if (entry.is_string()) found.push_back(entry);
  }
  return found;
}

Result<void> addAddress(const Json& value, std::vector<std::string>& addresses) {
  if (!value.is_string()) return Error(Code::InvalidArgument, "an address in the result is not a text");
  const auto text = value.get<std::string>();
  const std::string address = text.substr(0, text.find('/'));
  unsigned char parsed[sizeof(in6_addr)];
  if (::inet_pton(AF_INET, address.c_str(), parsed) != 1 && ::inet_pton(AF_INET6, address.c_str(), parsed) != 1) {
    return Error(Code::InvalidArgument, fmt::format("'{}' in the result is no address", text));
  }
  addresses.push_back(address);
  return {};
}

Code codeOf(int number) {
  switch (number) {
    case 2:
      return Code::Unsupported;
    case 3:
      return Code::NotFound;
    case 4:
    case 6:
    case 7:
      return Code::InvalidArgument;
    case 11:
      return Code::Busy;
    case 50:
    case 51:
      return Code::Unavailable;
    default:
      return Code::Internal;
  }
}

std::string lastLine(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  return std::string(text.substr(text.rfind('\n') + 1));
}

// A plug-in's message may have line ends and control characters of the programs it ran.
std::string oneLine(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

}  // namespace

Result<CniResult> parseCniResult(std::string_view text) {
  CniResult result;
  if (text.find_first_not_of(" \n\r\t") == std::string_view::npos) return result;
  const Json root = Json::parse(text, nullptr, false);
  if (!root.is_object()) return Error(Code::InvalidArgument, "the result is not a JSON object");
  // 0.3.0 and later have a list, 0.2.0 and earlier one member for each family.
  const auto addresses = root.find("ips");
  if (addresses != root.end() && addresses->is_array()) {
    for (const Json& entry : *addresses) {
      if (!entry.is_object()) return Error(Code::InvalidArgument, "an entry of 'ips' in the result is not an object");
      TRY_VOID(addAddress(entry.value("address", Json()), result.addresses));
    }
  }
  for (const char* family : {"ip4", "ip6"}) {
    const auto entry = root.find(family);
    if (entry != root.end() && entry->is_object()) TRY_VOID(addAddress(entry->value("ip", Json()), result.addresses));
  }
  const auto dns = root.find("dns");
  if (dns != root.end() && dns->is_object()) {
    result.dns.nameservers = texts(*dns, "nameservers");
    result.dns.search = texts(*dns, "search");
    result.dns.options = texts(*dns, "options");
    const auto domain = dns->find("domain");
    if (domain != dns->end() && domain->is_string()) result.dns.domain = *domain;
  }
  return result;
}

Error pluginError(std::string_view standardOutput, std::string_view standardError, int waitStatus) {
  const Json root = Json::parse(standardOutput, nullptr, false);
  if (root.is_object() && root.contains("msg") && root["msg"].is_string()) {
    const auto number = root.find("code");
    std::string sentence = root["msg"];
    const auto details = root.find("details");
    if (details != root.end() && details->is_string() && !details->get<std::string>().empty()) {
      sentence += fmt::format(": {}", details->get<std::string>());
    }
    const int code = number != root.end() && number->is_number_integer() ? number->get<int>() : 0;
    return Error(codeOf(code), oneLine(std::move(sentence)));
  }
  std::string words = oneLine(lastLine(standardError));
  if (words.empty()) words = kernel::describeWaitStatus(waitStatus);
  return Error(Code::Internal, std::move(words));
}

}  // namespace gantry::network
