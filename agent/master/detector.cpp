#include "agent/master/detector.hpp"

#include <fmt/format.h>

#include "agent/master/static_detector.hpp"
#include "agent/master/zookeeper_detector.hpp"
#include "kernel/file.hpp"

namespace gantry::agent::master {
namespace {

constexpr std::string_view kFile = "file://";
constexpr std::string_view kZooKeeper = "zk://";
constexpr std::size_t kFileLimit = 4096;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

Result<Upid> parseStatic(std::string_view text) {
  Upid master{"master", {}};
  if (const std::size_t at = text.find('@'); at != std::string_view::npos) {
    master.id = text.substr(0, at);
    text.remove_prefix(at + 1);
  }
  TRY(master.address, parseAddress(text));
  return master;
}

Result<std::unique_ptr<Detector>> make(const async::Executor& executor, std::string_view text,
                                       async::Duration session) {
  if (text.starts_with(kZooKeeper)) {
    TRY(ZooKeeperAddress address, parseZooKeeperAddress(text));
    ZooKeeperTimes times;
    times.session = session;
    return std::unique_ptr<Detector>(std::make_unique<ZooKeeperDetector>(executor, std::move(address), times));
  }
  TRY(Upid master, parseStatic(text));
  return std::unique_ptr<Detector>(std::make_unique<StaticDetector>(std::move(master)));
}

}  // namespace

Result<std::unique_ptr<Detector>> makeDetector(const async::Executor& executor, std::string_view master,
                                               async::Duration zkSessionTimeout) {
  if (!master.starts_with(kFile)) return make(executor, master, zkSessionTimeout);
  const std::string path(master.substr(kFile.size()));
  TRY(const std::string content, kernel::readFile(path, kFileLimit));
  const std::string_view inside = trimmed(content);
  if (inside.starts_with(kFile)) {
    return Error(Code::InvalidArgument, fmt::format("'{}' names another file", path));
  }
  return make(executor, inside, zkSessionTimeout).under(fmt::format("'{}'", path));
}

}  // namespace gantry::agent::master
