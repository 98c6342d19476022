// What an agent tells its Mesos master: values in, the bytes of the message out. Each function is named after its
// message; what a master aborts on cannot be said with them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/tasks/manager.hpp"
#include "agent/tasks/task.hpp"

namespace gantry::agent::wire {

// Mesos' version whose messages are spoken, told at the registration: a master ignores agents below 1.0.0.
inline constexpr std::string_view kMesosVersion = "1.11.0";

// Mesos' numbers.
enum class AgentCapability {
  MultiRole = 1,
  HierarchicalRole = 2,
  ReservationRefinement = 3,
  ResourceProvider = 4,
  ResizeVolume = 5,
  AgentOperationFeedback = 6,
  AgentDraining = 7,
  TaskResourceLimits = 8,
};
std::string_view toString(AgentCapability capability);  // "MULTI_ROLE"

// The agent as its messages name it.
struct AgentIdentity {
  std::string id;
  // Its UPID, "slave(1)@10.0.0.1:5051".
  std::string pid;
  // Told as the address of containers in the host's network.
  std::string ip;
};

struct Registration {
  tasks::Message agent;  // AgentInfo; see agent/wire/agent_info.hpp
  std::string version = std::string(kMesosVersion);
  std::vector<AgentCapability> capabilities;
  std::vector<tasks::Message> checkpointedResources;  // Resource
  // 16 bytes, new at each start; needed with AgentCapability::ResourceProvider.
  std::string resourceVersion;
};

// RegisterSlaveMessage. The AgentInfo's id, if it has one, is left out.
std::string encodeRegister(const Registration& registration);
// ReregisterSlaveMessage: `agent` has its id. All tasks that run, or whose end is not acknowledged.
std::string encodeReregister(const Registration& registration, const tasks::Snapshot& tasks,
                             const AgentIdentity& agent);
// UnregisterSlaveMessage
std::string encodeUnregister(const std::string& agentId);
// UpdateSlaveMessage: nothing is oversubscribed, no operation is pending, there is no resource provider.
std::string encodeUpdateSlave(const std::string& agentId, const std::string& resourceVersion);
// PongSlaveMessage
std::string encodePong();

// StatusUpdateMessage
std::string encodeStatusUpdate(const tasks::StatusUpdate& update, const AgentIdentity& agent);
// ExitedExecutorMessage. `status` is a raw wait status, -1 for one that was never launched.
std::string encodeExitedExecutor(const std::string& agentId, const std::string& framework, const std::string& executor,
                                 int status);

// Mesos' OperationState.
enum class OperationState { Dropped = 5, Unknown = 9 };
// UpdateOperationStatusMessage without an acknowledgement: the operation is not carried out or not known here.
std::string encodeOperationStatus(const std::string& agentId, const std::string& framework, const std::string& uuid,
                                  const std::string& operationId, OperationState state, const std::string& message);

// AuthenticateMessage. `pid` is the agent's.
std::string encodeAuthenticate(const std::string& pid);
// AuthenticationStartMessage
std::string encodeAuthenticationStart(const std::string& mechanism);
// AuthenticationStepMessage
std::string encodeAuthenticationStep(const std::string& data);

}  // namespace gantry::agent::wire
