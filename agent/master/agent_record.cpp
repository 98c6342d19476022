#include "agent/master/agent_record.hpp"

#include "agent/wire/master_messages.hpp"

namespace gantry::agent::master {
namespace {

constexpr auto kId = "agent_id";
constexpr auto kInfo = "agent_info";
constexpr auto kResources = "checkpointed_resources";

std::string valueOr(const std::map<std::string, std::string>& facts, const char* name) {
  const auto found = facts.find(name);
  return found == facts.end() ? std::string() : found->second;
}

}  // namespace

Result<AgentRecord> readAgentRecord(const std::map<std::string, std::string>& facts) {
  AgentRecord record;
  record.id = valueOr(facts, kId);
  record.info = valueOr(facts, kInfo);
  auto resources = wire::parseCheckpointResources(valueOr(facts, kResources));
  if (!resources) return Error(Code::Internal, resources.error().message()).under("the database's resources");
  record.checkpointedResources = *std::move(resources);
  return record;
}

state::Change putAgentId(const std::string& id) {
  return state::PutFact{kId, id};
}

state::Change putAgentInfo(const tasks::Message& info) {
  return state::PutFact{kInfo, info};
}

state::Change putCheckpointedResources(const std::string& message) {
  return state::PutFact{kResources, message};
}

std::vector<state::Change> forgetAgent() {
  return {state::DeleteFact{kId}, state::DeleteFact{kInfo}, state::DeleteFact{kResources}};
}

}  // namespace gantry::agent::master
