#include "agent/api/operator_calls.hpp"

#include <set>

#include "agent/api/executors.hpp"
#include "agent/api/mesos_metrics.hpp"
#include "agent/api/negotiation.hpp"
#include "agent/api/reply.hpp"
#include "agent/api/sandbox_files.hpp"
#include "agent/wire/node_state.hpp"
#include "agent/wire/response.hpp"

namespace gantry::agent::api {
namespace {

http::Response encoded(std::string body, wire::Media media) {
  return {200, std::string(wire::contentType(media)), std::move(body)};
}

// What a failed call on a known kind of container answers: 404 when it is not there, 503 when the agent stops first,
// 500 otherwise.
http::Response containerFailure(const Error& error) {
  if (error.code() == Code::Cancelled) return http::textResponse(503, "the agent is stopping");
  return http::textResponse(error.code() == Code::NotFound ? 404 : 500, error.message());
}

}  // namespace

http::Response launchResponse(const Result<LaunchOutcome>& outcome) {
  if (outcome) return http::Response(*outcome == LaunchOutcome::Launched ? 200 : 202);
  return http::textResponse(outcome.error().code() == Code::AlreadyExists ? 409 : 400, outcome.error().message());
}

void OperatorCalls::addRoutes(http::Router& router) {
  router.add("POST", "/api/v1", [this](http::RequestPtr request, http::ResponderPtr responder) {
    return handle(std::move(request), std::move(responder));
  });
}

async::Task<> OperatorCalls::handle(http::RequestPtr request, http::ResponderPtr responder) {
  auto negotiated = negotiate(request->headers);
  if (auto* refusal = std::get_if<http::Response>(&negotiated)) {
    co_await reply(std::move(responder), std::move(*refusal));
    co_return;
  }
  const Form form = std::get<Form>(negotiated);
  if (form.requestStream) {
    co_await streams_.input(std::move(request), form, std::move(responder));
    co_return;
  }
  auto body = co_await http::readAll(request->body, http::kServersLimit);
  if (!body) {
    co_await reply(std::move(responder), http::bodyErrorResponse(body.error()));
    co_return;
  }
  auto call = wire::parseCall(*body, form.request);
  if (!call) {
    co_await reply(std::move(responder), http::textResponse(400, call.error().message()));
  } else if (auto* session = std::get_if<wire::LaunchSession>(&*call)) {
    co_await streams_.session(std::move(session->request), form, std::move(responder));
  } else if (auto* attach = std::get_if<wire::AttachOutput>(&*call)) {
    co_await streams_.output(std::move(attach->id), form, std::move(responder));
  } else if (form.responseStream) {
    co_await reply(std::move(responder), http::textResponse(406,
                                                            "This call's answer is not a stream: expecting "
                                                            "'Accept' to allow application/json or "
                                                            "application/x-protobuf"));
  } else {
    auto response = co_await answer(std::move(*call), form.response);
    co_await reply(std::move(responder), std::move(response));
  }
}

async::Task<http::Response> OperatorCalls::answer(wire::Call call, wire::Media media) {
  if (auto* launchCall = std::get_if<wire::LaunchContainer>(&call)) {
    co_return co_await launch(std::move(launchCall->request));
  }
  if (auto* waitCall = std::get_if<wire::WaitContainer>(&call)) co_return co_await wait(std::move(*waitCall), media);
  if (auto* killCall = std::get_if<wire::KillContainer>(&call)) co_return co_await kill(std::move(*killCall));
  if (auto* removeCall = std::get_if<wire::RemoveContainer>(&call)) co_return co_await remove(std::move(*removeCall));
  if (auto* pruneCall = std::get_if<wire::PruneImages>(&call)) co_return co_await prune(std::move(*pruneCall));
  co_return answerAtOnce(call, media);
}

http::Response OperatorCalls::answerAtOnce(const wire::Call& call, wire::Media media) {
  if (auto body = describe(call, media)) return encoded(*std::move(body), media);
  if (const auto* get = std::get_if<wire::GetContainers>(&call)) return containers(*get, media);
  if (const auto* set = std::get_if<wire::SetLoggingLevel>(&call)) {
    logging_.raise(set->level, set->duration);
    return http::Response(200);
  }
  if (const auto* list = std::get_if<wire::ListFiles>(&call)) {
    const auto files = listFiles(attachments(), list->path);
    return files ? encoded(wire::encodeFileList(*files, media), media) : fileFailure(files.error());
  }
  if (const auto* read = std::get_if<wire::ReadFile>(&call)) {
    auto content = readFileAt(attachments(), read->path, read->offset, read->length);
    if (!content) return fileFailure(content.error());
    return encoded(wire::encodeFileContent(content->size, std::move(content->data), media), media);
  }
  if (std::holds_alternative<wire::AttachInput>(call)) {
    return http::textResponse(415, "ATTACH_CONTAINER_INPUT needs the Content-Type application/recordio");
  }
  return http::textResponse(501, "type: " + std::get<wire::NotServed>(call).type + " is not served by this agent");
}

std::optional<std::string> OperatorCalls::describe(const wire::Call& call, wire::Media media) const {
  const auto is = [&call]<typename T>(const T&) { return std::holds_alternative<T>(call); };
  const auto identity = [this] {
    AgentFacts facts = settings_.facts();
    return wire::AgentIdentity{std::move(facts.id), std::move(facts.pid), std::move(facts.ip)};
  };
  if (is(wire::GetHealth())) return wire::encodeHealth(true, media);
  if (is(wire::GetVersion())) return wire::encodeVersion(settings_.build, media);
  if (is(wire::GetFlags())) return wire::encodeFlags(settings_.flags, media);
  if (is(wire::GetState())) return wire::encodeState(settings_.tasks(), identity(), media);
  if (is(wire::GetTasks())) return wire::encodeTasks(settings_.tasks(), identity(), media);
  if (is(wire::GetExecutors())) return wire::encodeExecutors(settings_.tasks(), media);
  if (is(wire::GetFrameworks())) return wire::encodeFrameworks(settings_.tasks(), media);
  if (is(wire::GetOperations())) return wire::encodeOperations(media);
  if (is(wire::GetResourceProviders())) return wire::encodeResourceProviders(media);
  if (is(wire::GetLoggingLevel())) return wire::encodeLoggingLevel(logging_.level(), media);
  if (is(wire::GetAgent())) {
    return wire::encodeAgent(settings_.facts().info, settings_.tasks().drain, media);
  }
  if (is(wire::GetMetrics())) {
    auto metrics = mesosMetrics(settings_.facts(), settings_.tasks(), settings_.taskCounters(), HostLoad::measure());
    metrics.merge(settings_.moreMetrics());
    return wire::encodeMetrics(metrics, media);
  }
  return std::nullopt;
}

Attachments OperatorCalls::attachments() const {
  return attachmentsOf(containers_.list(), settings_.tasks(), settings_.externalLogFile);
}

async::Task<http::Response> OperatorCalls::launch(isolators::ContainerRequest request) {
  const auto outcome = co_await containers_.launch(std::move(request));
  co_return launchResponse(outcome);
}

async::Task<http::Response> OperatorCalls::wait(wire::WaitContainer call, wire::Media media) {
  const auto termination = co_await containers_.wait(std::move(call.id));
  if (!termination) co_return containerFailure(termination.error());
  co_return encoded(wire::encodeTermination(*termination, call.nested, media), media);
}

async::Task<http::Response> OperatorCalls::kill(wire::KillContainer call) {
  const auto killed = co_await containers_.kill(std::move(call.id), call.signal);
  co_return killed ? http::Response(200) : containerFailure(killed.error());
}

// Mesos promises success for an id that is not known: the caller wants it gone, and it is.
async::Task<http::Response> OperatorCalls::remove(wire::RemoveContainer call) {
  const auto removed = co_await containers_.remove(std::move(call.id));
  if (removed || removed.error().code() == Code::NotFound) co_return http::Response(200);
  co_return http::textResponse(500, removed.error().message());
}

async::Task<http::Response> OperatorCalls::prune(wire::PruneImages call) {
  const auto pruned = co_await settings_.pruneImages(std::move(call.excluded));
  co_return pruned ? http::Response(200) : containerFailure(pruned.error());
}

// As Mesos': what has ended is not listed; without an option only containers of executors are.
http::Response OperatorCalls::containers(wire::GetContainers call, wire::Media media) {
  std::vector<wire::ContainerEntry> entries;
  std::set<ContainerId> ofExecutors;
  for (ExecutorView& view : viewExecutors(settings_.tasks(), containers_)) {
    ofExecutors.insert(view.status.container->id());
    wire::ContainerEntry entry{std::move(view.status), {}, std::move(view.usage), view.measured};
    entry.executor = {std::move(view.framework), std::move(view.id), std::move(view.name)};
    entries.push_back(std::move(entry));
  }
  for (ContainerStatus& status : containers_.list()) {
    const ContainerId& id = status.container->id();
    if (status.phase == Phase::Exited || ofExecutors.contains(id)) continue;
    if (!(id.isNested() ? call.showNested : call.showStandalone)) continue;
    auto usage = containers_.usage(id);
    wire::ContainerEntry entry{std::move(status), std::nullopt, std::nullopt, Clock::now()};
    if (usage) entry.usage = std::move(*usage);
    entries.push_back(std::move(entry));
  }
  return encoded(wire::encodeContainers(entries, media), media);
}

}  // namespace gantry::agent::api
