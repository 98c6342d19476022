#include "agent/wire/master_info.hpp"

#include <agent/wire/mesos_v1_tasks.pb.h>
#include <arpa/inet.h>

#include "agent/wire/encoding.hpp"

namespace gantry::agent::wire {
namespace {

using mesos::v1::MasterInfo;

// The octets are in memory as they go over the network, whichever byte order this machine has.
std::string textOf(std::uint32_t ip) {
  char text[INET_ADDRSTRLEN] = {};
  return inet_ntop(AF_INET, &ip, text, sizeof(text)) == nullptr ? std::string() : std::string(text);
}

std::string pidOf(const MasterInfo& message) {
  if (!message.pid().empty()) return message.pid();
  const std::string ip = message.address().ip().empty() ? textOf(message.ip()) : message.address().ip();
  const std::string host = ip.find(':') == std::string::npos ? ip : "[" + ip + "]";
  return "master@" + host + ":" + std::to_string(message.port());
}

}  // namespace

Result<Master> parseMaster(std::string_view text, Media media) {
  MasterInfo message;
  if (media == Media::Json) {
    TRY_VOID(fromJson(text, message, UnknownNames::PassOver));
  } else {
    TRY_VOID(decode(text, media, message));
  }
  Master master{message.id(), pidOf(message), message.hostname(), message.version()};
  for (const auto& capability : message.capabilities()) {
    if (capability.type() == MasterInfo::Capability::AGENT_UPDATE) master.updatesAgents = true;
    if (capability.type() == MasterInfo::Capability::AGENT_DRAINING) master.drainsAgents = true;
  }
  return master;
}

}  // namespace gantry::agent::wire
