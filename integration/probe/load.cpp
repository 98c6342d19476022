// Using a resource up, or staying around for others to look at.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "probe.hpp"

namespace probe {
namespace {

long number(const Arguments& arguments, std::size_t index, long otherwise) {
  return index < arguments.size() ? std::atol(arguments[index].c_str()) : otherwise;
}

sockaddr_in addressOf(const std::string& host, long port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  return address;
}

double cpuSeconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

}  // namespace

Json memory(const Arguments& arguments) {
  const auto size = static_cast<std::size_t>(number(arguments, 0, 64)) << 20;
  void* area = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) return outcome(-1);
  // Random enough not to be merged, and touched page by page, so that a limit stops us in the middle.
  for (std::size_t offset = 0; offset < size; offset += 4096) {
    std::memcpy(static_cast<char*>(area) + offset, &offset, sizeof offset);
  }
  return {{"ok", true}, {"touched", size}};
}

Json processes(const Arguments& arguments) {
  const long wanted = number(arguments, 0, 100);
  std::vector<pid_t> children;
  Json result = {{"ok", true}};
  for (long count = 0; count < wanted; ++count) {
    const pid_t child = ::fork();
    if (child < 0) {
      result = outcome(-1);
      break;
    }
    if (child == 0) {
      for (;;) ::pause();
    }
    children.push_back(child);
  }
  for (const pid_t child : children) ::kill(child, SIGKILL);
  for (const pid_t child : children) ::waitpid(child, nullptr, 0);
  result["started"] = children.size();
  return result;
}

Json spin(const Arguments& arguments) {
  const std::chrono::duration<double> wall(std::atof(arguments.empty() ? "1" : arguments[0].c_str()));
  const auto begin = std::chrono::steady_clock::now();
  const auto work = [=] {
    while (std::chrono::steady_clock::now() - begin < wall) {
    }
  };
  std::vector<std::thread> others;
  for (long count = 1; count < number(arguments, 1, 1); ++count) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
  const std::chrono::duration<double> had = std::chrono::steady_clock::now() - begin;
  return {{"wall", had.count()}, {"cpu", cpuSeconds()}};
}

Json listenOn(const Arguments& arguments) {
  const std::string text = arguments.size() > 1 ? arguments[1] : "hello";
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const sockaddr_in address = addressOf("0.0.0.0", number(arguments, 0, 80));
  if (::bind(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return outcome(-1);
  if (::listen(server, 64) != 0) return outcome(-1);
  std::cout << "listening" << std::endl;
  for (;;) {
    const int client = ::accept4(server, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    if (::write(client, text.data(), text.size()) < 0) std::cerr << "write: " << errnoName(errno) << std::endl;
    ::close(client);
  }
}

Json connectTo(const Arguments& arguments) {
  if (arguments.size() != 2) return nullptr;
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience = {3, 0};
  ::setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const sockaddr_in address = addressOf(arguments[0], number(arguments, 1, 80));
  if (::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return outcome(-1);
  std::string text;
  char bytes[4096];
  for (ssize_t length = 0; (length = ::read(client, bytes, sizeof bytes)) > 0;) {
    text.append(bytes, static_cast<std::size_t>(length));
  }
  return {{"ok", true}, {"text", text}};
}

Json ticks(const Arguments& arguments) {
  const long count = number(arguments, 0, 10);
  const std::chrono::milliseconds pause(number(arguments, 1, 100));
  for (long tick = 0; tick < count; ++tick) {
    std::cout << "out " << tick << std::endl;
    std::cerr << "err " << tick << std::endl;
    std::this_thread::sleep_for(pause);
  }
  return nullptr;
}

Json awaitSignal(const Arguments& arguments) {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  std::cout << (arguments.empty() ? "ready" : arguments[0]) << std::endl;
  for (;;) {
    int signal = 0;
    ::sigwait(&all, &signal);
    const char* name = ::sigabbrev_np(signal);
    std::cout << "SIG" << (name == nullptr ? std::to_string(signal) : name) << std::endl;
    if (signal == SIGTERM || signal == SIGINT) return nullptr;
  }
}

}  // namespace probe
