// The monitor itself: the parent of one container's (or session's) first process, and one poll loop.
//
//   launch ── runtime exits 0 ──▶ running ── first process ends ──▶ draining ── output taken ──▶ exit record, E, gone
//      └───── runtime fails ────▶ F, gone
//
// It is a subreaper: the first process becomes its child when the runtime exits. Signals that people send to stop
// programs are ignored, since a container must not end because its monitor was asked to. After SIGKILL the container
// runs on as an orphan: its output pipes are broken, nobody records its exit, and the agent learns of it by the end of
// stream on its connection.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/monitor_protocol.hpp"
#include "runtime/monitor/clients.hpp"
#include "runtime/monitor/launch.hpp"
#include "runtime/monitor/log_file.hpp"
#include "runtime/monitor/options.hpp"
#include "runtime/monitor/records.hpp"

namespace gantry::monitor {

// One per program; everything it ever needs is inside it.
class Monitor {
 public:
  explicit Monitor(const Options& options) : options_(options) {}

  // Returns the program's exit status: 0 when the exit of the first process was recorded, 1 otherwise.
  int run();

 private:
  enum class Phase { Creating, Running, Draining };

  bool prepare();
  bool listen();
  bool loop();

  // What poll() is asked, and what is done with its answers.
  std::size_t gather(pollfd* polled);
  void serve(const pollfd* polled, std::size_t count);
  int patience() const;

  // Children.
  void reap();
  bool runtimeEnded(int status);
  void acceptTerminal();
  void keepRuntimeWords();

  // Output.
  bool mayReadOutput() const;
  void readOutput(int& stream, Message type);
  void deliver(Message type, std::string_view data);
  void flushPending();
  bool isDrained();
  void complainOfLoss();

  // Clients and standard input.
  void receive(std::size_t slot);
  void takeInput(std::size_t size);
  void writeInput();
  void closeInput();
  void resize(std::string_view payload);

  bool finish();
  void complain(std::string_view what, int number);

  const Options& options_;
  int directory_ = -1;
  int signals_ = -1;
  Phase phase_ = Phase::Creating;
  Launch launch_;
  pid_t init_ = -1;
  Line created_;
  int status_ = 0;
  bool over_ = false;
  bool failed_ = false;

  // The terminal's far side, held open so that its master does not hang up while no program has it open.
  int terminalPeer_ = -1;
  LogFile logs_[2];
  bool lossTold_ = false;
  Clients clients_;

  bool attachedOnce_ = false;
  // A session's output that its client had no room for.
  std::size_t pendingSize_ = 0;
  Message pendingType_ = Message::kStdout;
  // While draining: bytes that can still be in each stream, and until when we wait for a session's client.
  std::int64_t drainBudget_ = 0;
  std::int64_t drainDeadline_ = 0;

  std::size_t inputStart_ = 0;
  std::size_t inputEnd_ = 0;
  bool inputAtLineStart_ = true;

  // Pages of these that were never needed cost nothing.
  alignas(4096) char output_[monitor_protocol::kMaxPayload];
  alignas(4096) char input_[monitor_protocol::kMaxPayload];
};

}  // namespace gantry::monitor
