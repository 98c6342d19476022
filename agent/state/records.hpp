// What the agent's database holds, as plain values. Texts are opaque here: the engine knows what is in them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace gantry::agent::state {

// One container, from the moment its launch was intended to REMOVE.
struct ContainerRecord {
  std::string id;
  std::string request;  // JSON of agent/containers/request_json.hpp
  std::string image;    // JSON: digest, layers, configuration; "" until it is known, or without an image
  std::string phase;    // as agent::toString(Phase)
  // Nanoseconds since 1970.
  std::int64_t created = 0;
  std::optional<std::int64_t> started;
  std::optional<std::int64_t> finished;
  // The first process; pid 0 when there is none.
  std::int64_t pid = 0;
  std::uint64_t startTime = 0;
  // Why we are ending it, before it has ended; the termination afterwards.
  std::optional<std::string> terminationState;
  std::optional<std::string> terminationReason;
  std::optional<std::string> terminationMessage;
  std::optional<int> waitStatus;

  bool operator==(const ContainerRecord&) const = default;
};

// A line of the ledger: a kernel object that exists, or may exist, because of a container.
struct LedgerEntry {
  std::string container;
  std::string kind;
  std::string name;

  auto operator<=>(const LedgerEntry&) const = default;
};

// A framework with tasks on this agent, or with a history of them.
struct FrameworkRecord {
  std::string id;
  std::string framework;  // JSON of agent/tasks/task_json.hpp, as all texts of tasks

  bool operator==(const FrameworkRecord&) const = default;
};

// One task, from the moment its launch was intended until the history has no room for it. Numbers grow.
struct TaskRecord {
  std::int64_t number = 0;
  std::string framework;
  std::string task;
  std::string request;  // "" for one that was refused: it has a status and nothing else
  std::string progress;

  bool operator==(const TaskRecord&) const = default;
};

// One status of a task, which stays in the history once it is acknowledged.
struct StatusRecord {
  std::int64_t task = 0;  // TaskRecord::number
  std::int64_t position = 0;
  std::string status;
  bool acknowledged = false;

  bool operator==(const StatusRecord&) const = default;
};

// The changes a transaction is made of. Deleting what is not there is no error, and neither is adding an entry twice.
struct PutContainer {
  ContainerRecord record;
};
struct DeleteContainer {  // and its saved states; its ledger entries stay until they are struck out
  std::string id;
};
struct AddToLedger {
  LedgerEntry entry;
};
struct StrikeFromLedger {
  LedgerEntry entry;
};
struct StrikeAllFromLedger {
  std::string container;
};
struct PutSavedState {
  std::string container;
  std::string isolator;
  std::string state;
};
struct DeleteSavedStates {
  std::string container;
};
struct PutFact {  // one value of the agent itself, such as the boot id
  std::string name;
  std::string value;
};
struct DeleteFact {
  std::string name;
};
struct PutFramework {
  FrameworkRecord record;
};
struct DeleteFramework {
  std::string id;
};
struct PutTask {
  TaskRecord record;
};
struct PutTaskProgress {
  std::int64_t task = 0;
  std::string progress;
};
struct DeleteTask {  // and its statuses
  std::int64_t task = 0;
};
struct PutStatus {
  StatusRecord record;
};
struct AcknowledgeStatus {
  std::int64_t task = 0;
  std::int64_t position = 0;
};
using Change = std::variant<PutContainer, DeleteContainer, AddToLedger, StrikeFromLedger, StrikeAllFromLedger,
                            PutSavedState, DeleteSavedStates, PutFact, DeleteFact, PutFramework, DeleteFramework,
                            PutTask, PutTaskProgress, DeleteTask, PutStatus, AcknowledgeStatus>;

// Everything, as an agent reads it once at its start.
struct Contents {
  std::vector<ContainerRecord> containers;  // in order of creation
  std::vector<LedgerEntry> ledger;
  std::map<std::pair<std::string, std::string>, std::string> savedStates;  // by container and isolator
  std::map<std::string, std::string> facts;
  std::vector<FrameworkRecord> frameworks;
  std::vector<TaskRecord> tasks;       // by number
  std::vector<StatusRecord> statuses;  // by task and position
};

}  // namespace gantry::agent::state
