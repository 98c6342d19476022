// Brings updates to the master: of each task the one that is due, again and again until it is acknowledged.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "agent/tasks/journal.hpp"
#include "agent/tasks/manager.hpp"
#include "async/event.hpp"

namespace gantry::agent::tasks {

// Only used on the agent's thread.
class Deliveries {
 public:
  // An update that is not acknowledged is sent again after `first`, then after twice as long each time, up to
  // `longest`.
  Deliveries(async::Executor executor, Duration first, Duration longest);

  // Until there is a sink nothing is sent; then look() has to be called for every journal.
  void connect(UpdateSink& sink);
  void disconnect();

  // Sends the journal's head if that is another one than last time.
  void look(Journal& journal);
  // Sends it in any case.
  void sendAgain(Journal& journal);
  // Before a journal goes.
  void forget(Journal& journal);
  // Past all order, without a journal and only once.
  void sendOnce(const StatusUpdate& update);

  // Sends again what is due; until it is cancelled.
  async::Task<> run();

 private:
  using Time = std::chrono::steady_clock::time_point;
  using Due = std::multimap<Time, Journal*>;
  struct Waiting {
    std::string uuid;
    Duration delay;
    Due::iterator due;
  };

  void send(Journal& journal, const TaskStatus& status, Duration delay);
  void sendDue();

  const Duration first_;
  const Duration longest_;
  UpdateSink* sink_ = nullptr;
  std::map<Journal*, Waiting> waiting_;
  Due due_;
  async::Notification sooner_;
};

}  // namespace gantry::agent::tasks
