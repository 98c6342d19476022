// Attached input and output of containers and sessions, as RecordIO streams of ProcessIO.
#pragma once

#include <set>

#include "agent/api/negotiation.hpp"
#include "agent/containers/manager.hpp"
#include "agent/wire/process_io.hpp"
#include "async/channel.hpp"
#include "async/scope.hpp"
#include "async/time.hpp"
#include "http/recordio.hpp"
#include "http/router.hpp"

namespace gantry::agent::api {

// The header of a streamed answer: recordio, or for clients that accept only the messages' own type that one, with the
// same framing.
http::Response streamHead(const Form& form);

// Only used on the agent's thread; outlives its coroutines.
class Streams {
 public:
  Streams(async::Executor executor, ContainerManager& containers, async::Duration heartbeat)
      : executor_(std::move(executor)), containers_(containers), heartbeat_(heartbeat) {}

  // Sends the container's output until that ends or the client is gone; heartbeats keep idle connections open.
  async::Task<> output(ContainerId id, Form form, http::ResponderPtr responder);
  // Starts a session and sends its output. A session does not outlive its client.
  async::Task<> session(SessionRequest request, Form form, http::ResponderPtr responder);
  // Takes input until the client ends it or the container ends; 409 while another client does so.
  async::Task<> input(http::RequestPtr request, Form form, http::ResponderPtr responder);

 private:
  using Records = async::Channel<std::string>;

  async::Task<Result<void>> send(std::shared_ptr<Attachment> attachment, Form form, http::ResponderPtr responder);
  async::Task<> readOutput(std::shared_ptr<Attachment> attachment, wire::Media media, Records records);
  async::Task<> beat(wire::Media media, Records records);
  async::Task<Result<void>> take(std::shared_ptr<http::RecordReader> records, wire::Media media,
                                 std::shared_ptr<Attachment> attachment);
  async::Task<http::Response> takeInput(ContainerId id, std::shared_ptr<http::RecordReader> records, wire::Media media);

  async::Executor executor_;
  ContainerManager& containers_;
  async::Duration heartbeat_;
  // Containers whose input somebody holds.
  std::set<ContainerId> held_;
};

}  // namespace gantry::agent::api
