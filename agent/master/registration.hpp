// Getting registered with the leading master, and staying so. Reference: libprocess, 9, and master-agent, 2, 7.1
// to 7.3.
//
//            ┌───────────────── a new leader, none, no pings, "not connected" ─────────────────┐
//            ▼                                                                                 │
//   disconnected ──leader──▶ waits rand·backoff ──▶ links, authenticates ──▶ sends, again and again ──accepted──▶
//   running
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "agent/master/authenticator.hpp"
#include "agent/master/detector.hpp"
#include "agent/master/messenger.hpp"
#include "async/event.hpp"
#include "async/scope.hpp"

namespace gantry::agent::master {

// Uniform in [0, 1).
using Random = std::function<double()>;
Random systemRandom();

struct RegistrationSettings {
  // The process id that registers.
  std::string process = "slave(1)";
  // --registration_backoff_factor, and the longest wait between two attempts.
  async::Duration backoff = std::chrono::seconds(1);
  async::Duration longestBackoff = std::chrono::minutes(1);
  // Without a ping for this long the master is taken to have lost us, until it says another time itself.
  async::Duration pingTimeout = std::chrono::seconds(75);
  // Unset: the master is not asked to authenticate us.
  std::optional<Credential> credential;
  AuthenticationTimes authentication;
  Random random = systemRandom();
};

// Whoever is registered. Called on the agent's thread.
class Registrant {
 public:
  virtual ~Registrant() = default;
  struct Request {
    std::string_view name;
    std::string body;
  };
  // What asks the master for it; made anew for each attempt.
  virtual Request request() = 0;
  // There is a new leader, whose messages are to be taken from now on; nothing: there is none.
  virtual void led(const std::optional<Master>& leader) = 0;
  // Not registered any more, until accepted() is called again.
  virtual void lost() = 0;
};

// Only used on the agent's thread. The parameters outlive it.
class Registration {
 public:
  Registration(async::Executor executor, Messenger& messenger, Detector& detector, Registrant& registrant,
               RegistrationSettings settings);
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  ~Registration();

  // Follows the leader until cancelled. Fails with PermissionDenied once a master refused our credential.
  async::Task<Result<void>> follow();

  // The leader said that we are registered. `pingTimeout`: see RegistrationSettings.
  void accepted(std::optional<async::Duration> pingTimeout);
  // A ping came; `connected` is what the master thinks.
  void pinged(bool connected);

  bool isRunning() const;
  const std::optional<Master>& leader() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace gantry::agent::master
