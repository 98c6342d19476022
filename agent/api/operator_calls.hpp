// POST /api/v1: the calls of Mesos' v1 agent operator API.
#pragma once

#include "agent/api/api.hpp"
#include "agent/api/attachments.hpp"
#include "agent/api/logging_level.hpp"
#include "agent/api/streams.hpp"
#include "agent/wire/call.hpp"
#include "agent/wire/media.hpp"
#include "http/router.hpp"

namespace gantry::agent::api {

// 200, or 202 when the container runs already; 409 when another one has its id, 400 for every other failure.
http::Response launchResponse(const Result<LaunchOutcome>& outcome);

// Only used on the agent's thread; outlives its routes.
class OperatorCalls {
 public:
  OperatorCalls(ContainerManager& containers, Streams& streams, LoggingLevel& logging, Settings settings)
      : containers_(containers), streams_(streams), logging_(logging), settings_(std::move(settings)) {}

  void addRoutes(http::Router& router);

 private:
  async::Task<> handle(http::RequestPtr request, http::ResponderPtr responder);
  // Calls with an answer of one piece.
  async::Task<http::Response> answer(wire::Call call, wire::Media media);
  http::Response answerAtOnce(const wire::Call& call, wire::Media media);
  // The answers that only tell how things stand; nothing for other calls.
  std::optional<std::string> describe(const wire::Call& call, wire::Media media) const;
  async::Task<http::Response> launch(isolators::ContainerRequest request);
  async::Task<http::Response> wait(wire::WaitContainer call, wire::Media media);
  async::Task<http::Response> kill(wire::KillContainer call);
  async::Task<http::Response> remove(wire::RemoveContainer call);
  async::Task<http::Response> prune(wire::PruneImages call);
  http::Response containers(wire::GetContainers call, wire::Media media);

  Attachments attachments() const;

  ContainerManager& containers_;
  Streams& streams_;
  LoggingLevel& logging_;
  Settings settings_;
};

}  // namespace gantry::agent::api
