#include "network/etc_files.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace gantry::network {
namespace {

std::string_view nextLine(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::vector<std::string_view> wordsOf(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t start = line.find_first_not_of(" \t\r");
    if (start == std::string_view::npos) return words;
    line.remove_prefix(start);
    const std::size_t end = line.find_first_of(" \t\r");
    words.push_back(line.substr(0, end));
    line.remove_prefix(end == std::string_view::npos ? line.size() : end);
  }
}

bool isReachable(std::string_view nameserver) {
  return !nameserver.starts_with("127.") && nameserver != "::1" && nameserver != "0.0.0.0" && nameserver != "::" &&
         nameserver.find('%') == std::string_view::npos;
}

// Drops comments and unreachable nameservers; `count` is how many nameservers are left.
std::string filtered(std::string_view file, std::size_t& count) {
  std::string kept;
  count = 0;
  while (!file.empty()) {
    const std::string_view line = nextLine(file);
    const auto words = wordsOf(line);
    if (words.empty() || words[0].front() == '#' || words[0].front() == ';') continue;
    if (words[0] == "nameserver") {
      if (words.size() < 2 || !isReachable(words[1])) continue;
      ++count;
    }
    kept += fmt::format("{}\n", fmt::join(words, " "));
  }
  return kept;
}

bool namesHost(std::string_view file, const std::string& hostname) {
  while (!file.empty()) {
    const std::string_view line = nextLine(file);
    const auto words = wordsOf(line.substr(0, line.find('#')));
    if (words.size() > 1 && std::find(words.begin() + 1, words.end(), hostname) != words.end()) return true;
  }
  return false;
}

}  // namespace

std::string hostsFile(const std::string& hostname, const std::vector<std::string>& addresses) {
  std::string text =
      "127.0.0.1 localhost\n"
      "::1 localhost ip6-localhost ip6-loopback\n"
      "ff02::1 ip6-allnodes\n"
      "ff02::2 ip6-allrouters\n";
  for (const std::string& address : addresses) text += fmt::format("{} {}\n", address, hostname);
  if (addresses.empty()) text += fmt::format("127.0.1.1 {}\n", hostname);
  return text;
}

std::string hostsFileOfHost(const std::string& hostFile, const std::string& hostname) {
  if (namesHost(hostFile, hostname)) return hostFile;
  const bool open = !hostFile.empty() && hostFile.back() != '\n';
  return fmt::format("{}{}127.0.1.1 {}\n", hostFile, open ? "\n" : "", hostname);
}

std::string hostnameFile(const std::string& hostname) {
  return hostname + "\n";
}

std::string resolverFile(std::string_view host, std::string_view upstream) {
  std::size_t count = 0;
  std::string own = filtered(host, count);
  if (count > 0) return own;
  std::string above = filtered(upstream, count);
  return count > 0 ? above : own;
}

std::string resolverFile(const Dns& dns) {
  std::string text;
  for (const std::string& nameserver : dns.nameservers) text += fmt::format("nameserver {}\n", nameserver);
  std::vector<std::string> search = dns.search;
  if (search.empty() && !dns.domain.empty()) search.push_back(dns.domain);
  if (!search.empty()) text += fmt::format("search {}\n", fmt::join(search, " "));
  if (!dns.options.empty()) text += fmt::format("options {}\n", fmt::join(dns.options, " "));
  return text;
}

}  // namespace gantry::network
