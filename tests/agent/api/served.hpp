// The whole API behind a real server on a Unix socket, with a manager and an image store in memory below.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "agent/api/api.hpp"
#include "async/run.hpp"
#include "async/scope.hpp"
#include "http/client.hpp"
#include "http/recordio.hpp"
#include "http/server.hpp"
#include "kernel/file.hpp"
#include "tests/fakes/manager.hpp"

namespace gantry::agent::api {

using namespace std::chrono_literals;

class Served : public ::testing::Test {
 protected:
  static constexpr auto kPatience = 10s;

  Served() : Served(settings()) {}
  explicit Served(Settings settings)
      : directory_(makeDirectory()),
        manager_(loop_.get_executor(), directory_),
        api_(loop_.get_executor(), manager_, store_, std::move(settings)) {
    http::Router router;
    api_.addRoutes(router);
    http::ServerLimits limits;
    limits.body = 64U << 10U;
    server_ = std::make_unique<http::Server>(loop_.get_executor(), std::move(router), limits);
    server_->setGate([this](const http::Request& request) { return api_.gate(request); });
    server_->serve(*async::Listener::onUnix(loop_.get_executor(), directory_ + "/agent.sock"));
    endpoint_.unixPath = directory_ + "/agent.sock";
    api_.recovered();
  }
  ~Served() override {
    async::runUntilDone(loop_, server_->stop(0ms));
    async::runUntilDone(loop_, api_.close());
    ignore(kernel::removeTree(directory_), "it is in /tmp");
  }

  template <typename T>
  Result<T> run(async::Task<Result<T>> work) {
    return async::runUntilDone(loop_, async::withTimeout(kPatience, std::move(work)));
  }

  http::Response send(http::ClientRequest request) {
    auto response = run(http::fetch(endpoint_, std::move(request)));
    EXPECT_TRUE(response) << (response ? "" : response.error().message());
    return response ? std::move(*response) : http::Response(0);
  }
  http::Response get(const std::string& target) { return send({.target = target}); }
  http::Response post(const std::string& target, const std::string& body,
                      http::Headers headers = {{"Content-Type", "application/json"}}) {
    return send({.method = "POST", .target = target, .headers = std::move(headers), .body = body});
  }
  http::Response call(const std::string& body) { return post("/api/v1", body); }

  // A running container.
  fakes::Manager::ContainerPtr launch(const std::string& id) {
    const auto response = call(R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":")" + id +
                               R"("},"command":{"value":"sleep 100"}}})");
    EXPECT_EQ(response.status, 200) << response.body;
    return manager_.container(id);
  }

  static Settings settings() {
    Settings settings;
    settings.build = {"1.2.3", "2023-11-14 22:13:20", 1700000000, "bob"};
    settings.flags = {{"port", "5051"}};
    settings.heartbeat = 20ms;
    settings.metrics = [] { return std::string("gantry_up 1\n"); };
    return settings;
  }

  std::string directory_;
  async::Loop loop_;
  fakes::Manager manager_;
  fakes::Store store_;
  Api api_;
  std::unique_ptr<http::Server> server_;
  http::Endpoint endpoint_;

 private:
  static std::string makeDirectory() {
    std::string name = "/tmp/gantry-api-XXXXXX";
    return ::mkdtemp(name.data());
  }
};

}  // namespace gantry::agent::api
