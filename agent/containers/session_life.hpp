// One session: a program that runs inside a running container (docker's exec) until it or its container ends.
#pragma once

#include <memory>
#include <optional>

#include "agent/containers/engine_parts.hpp"
#include "agent/containers/manager.hpp"
#include "async/event.hpp"
#include "kernel/process.hpp"

namespace gantry::agent {

// Not recorded: a session belongs to the client that started it and does not survive the agent. Held by shared_ptr; run
// is spawned once. Only used on the agent's thread.
class SessionLife : public std::enable_shared_from_this<SessionLife> {
 public:
  // `parent` is the container that it enters.
  SessionLife(EngineParts& parts, isolators::ContainerPtr parent, SessionRequest request);

  // Starts the program and stays with it to its end.
  async::Task<> run();
  // Completes when the program runs, or could not be started.
  async::Task<Result<void>> launched();
  async::Task<Result<Termination>> ended();
  // Sends `signal` to the program; while there is none yet the launch is given up.
  Result<void> kill(int signal);
  async::Task<Result<std::unique_ptr<Attachment>>> attach(Attachment::Ends ends);
  // Ends it, whatever it does, and waits for that: its container ends.
  async::Task<> stop();

  ContainerStatus status() const;
  const SessionRequest& request() const { return request_; }
  bool hasEnded() const { return endedEvent_.isSet(); }

 private:
  async::Task<Result<void>> launch();
  Result<void> writeProcess();
  void destroy();
  void end(Termination termination);

  EngineParts& parts_;
  // For status(): the session as a container in its parent's directories, with a runtime directory of its own.
  isolators::ContainerPtr container_;
  isolators::ContainerPtr parent_;
  const SessionRequest request_;
  Clock::time_point created_ = Clock::now();
  std::optional<Clock::time_point> finished_;
  std::optional<Termination> termination_;
  std::unique_ptr<Monitor> monitor_;
  kernel::Process process_;
  std::optional<int> signal_;
  bool stopping_ = false;
  std::optional<Result<void>> launchOutcome_;
  async::Event launchedEvent_;
  async::Event endedEvent_;
};

}  // namespace gantry::agent
