#include "agent/api/container_paths.hpp"

#include <csignal>

#include "agent/api/container_json.hpp"
#include "agent/api/operator_calls.hpp"
#include "agent/api/reply.hpp"
#include "agent/api/request.hpp"
#include "agent/wire/call.hpp"

namespace gantry::agent::api {

void ContainerPaths::addRoutes(http::Router& router) {
  const auto add = [this, &router](const char* method, const char* path, auto handler) {
    router.add(method, path, [this, handler](http::RequestPtr request, http::ResponderPtr responder) {
      return (this->*handler)(std::move(request), std::move(responder));
    });
  };
  add("GET", "/gantry/v1/containers", &ContainerPaths::list);
  add("POST", "/gantry/v1/containers", &ContainerPaths::launch);
  add("GET", "/gantry/v1/containers/{id}", &ContainerPaths::inspect);
  add("DELETE", "/gantry/v1/containers/{id}", &ContainerPaths::remove);
  add("POST", "/gantry/v1/containers/{id}/sessions", &ContainerPaths::session);
}

async::Task<> ContainerPaths::list(http::RequestPtr request, http::ResponderPtr responder) {
  const auto all = flagOf(*request, "all");
  const auto statistics = flagOf(*request, "statistics");
  if (!all || !statistics) {
    const Error& error = all ? statistics.error() : all.error();
    co_await reply(std::move(responder), http::errorResponse(error));
    co_return;
  }
  std::string body = "{\"containers\":[";
  for (ContainerStatus& status : containers_.list()) {
    if (status.container->id().isNested() || (status.phase == Phase::Exited && !*all)) continue;
    ContainerView view{std::move(status), std::nullopt};
    if (*statistics) {
      auto usage = containers_.usage(view.status.container->id());
      if (usage) view.usage = std::move(*usage);
    }
    if (!body.ends_with('[')) body += ',';
    body += summaryJson(view);
  }
  co_await reply(std::move(responder), jsonResponse(body + "]}"));
}

async::Task<> ContainerPaths::launch(http::RequestPtr request, http::ResponderPtr responder) {
  auto read = readBody(request);
  auto body = co_await std::move(read);
  if (auto* refusal = std::get_if<http::Response>(&body)) {
    co_await reply(std::move(responder), std::move(*refusal));
    co_return;
  }
  const Body& message = std::get<Body>(body);
  auto wanted = wire::parseLaunch(message.text, message.form.request);
  if (!wanted) {
    co_await reply(std::move(responder), http::errorResponse(wanted.error()));
    co_return;
  }
  const auto outcome = co_await containers_.launch(std::move(*wanted));
  co_await reply(std::move(responder), launchResponse(outcome));
}

async::Task<> ContainerPaths::inspect(http::RequestPtr request, http::ResponderPtr responder) {
  const auto id = containerIdOf(*request);
  if (!id) {
    co_await reply(std::move(responder), http::errorResponse(id.error()));
    co_return;
  }
  auto status = containers_.status(*id);
  if (!status) {
    co_await reply(std::move(responder), http::errorResponse(status.error()));
    co_return;
  }
  ContainerView view{std::move(*status), std::nullopt};
  auto usage = containers_.usage(*id);
  if (usage && view.status.phase == Phase::Running) view.usage = std::move(*usage);
  co_await reply(std::move(responder), jsonResponse(inspectJson(view)));
}

async::Task<> ContainerPaths::remove(http::RequestPtr request, http::ResponderPtr responder) {
  const auto id = containerIdOf(*request);
  const auto force = flagOf(*request, "force");
  if (!id || !force) {
    const Error& error = id ? force.error() : id.error();
    co_await reply(std::move(responder), http::errorResponse(error));
    co_return;
  }
  const auto removed = co_await removeContainer(*id, *force);
  auto response = removed ? http::Response(200) : http::errorResponse(removed.error());
  co_await reply(std::move(responder), std::move(response));
}

async::Task<Result<void>> ContainerPaths::removeContainer(ContainerId id, bool force) {
  if (!force) co_return co_await containers_.remove(std::move(id));
  CO_TRY_VOID(co_await containers_.kill(id, SIGKILL));
  const auto ended = co_await containers_.wait(id);
  Result<void> removed;
  if (!ended) removed = ended.error();
  if (removed) removed = co_await containers_.remove(std::move(id));
  // A launch that is given up takes everything of its container along.
  if (!removed && removed.error().code() == Code::NotFound) co_return Result<void>();
  co_return removed;
}

async::Task<> ContainerPaths::session(http::RequestPtr request, http::ResponderPtr responder) {
  const auto id = containerIdOf(*request);
  if (!id) {
    co_await reply(std::move(responder), http::errorResponse(id.error()));
    co_return;
  }
  auto read = readBody(request);
  auto body = co_await std::move(read);
  if (auto* refusal = std::get_if<http::Response>(&body)) {
    co_await reply(std::move(responder), std::move(*refusal));
    co_return;
  }
  const Body& message = std::get<Body>(body);
  auto wanted = wire::parseSession(message.text, message.form.request);
  if (wanted && wanted->id.parent() != *id) {
    wanted = Error::invalid("launch_nested_container_session.container_id.parent",
                            "must be '" + id->text() + "', the container of this path");
  }
  if (!wanted) {
    co_await reply(std::move(responder), http::errorResponse(wanted.error()));
    co_return;
  }
  co_await streams_.session(std::move(*wanted), message.form, std::move(responder));
}

}  // namespace gantry::agent::api
