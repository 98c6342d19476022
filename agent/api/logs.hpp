// GET /gantry/v1/containers/{id}/logs: a container's output out of its log files, as a RecordIO stream of ProcessIO.
//
//   follow=true   goes on until the container ends; told by inotify, without polling
//   stream=stdout|stderr   only that one
//   tail=N        only the last N lines of each stream
//
// A client that reads more slowly than the container writes is overtaken when log files are deleted; a line on the
// stderr stream marks each such place.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/api/log_reader.hpp"
#include "agent/containers/manager.hpp"
#include "async/event.hpp"
#include "async/file_watch.hpp"
#include "http/router.hpp"
#include "kernel/fd.hpp"

namespace gantry::agent::api {

// Only used on the agent's thread; outlives its routes.
class Logs {
 public:
  Logs(async::Executor executor, ContainerManager& containers)
      : executor_(std::move(executor)), containers_(containers) {}

  void addRoutes(http::Router& router);

 private:
  struct Stream {
    Attachment::Stream name;
    LogReader reader;
    // What drain() has still to send.
    std::uint64_t left = 0;
  };
  struct Source {
    explicit Source(kernel::Fd sandbox) : directory(std::move(sandbox)) {}
    kernel::Fd directory;
    std::vector<Stream> streams;
  };
  using SourcePtr = std::shared_ptr<Source>;

  async::Task<> handle(http::RequestPtr request, http::ResponderPtr responder);
  async::Task<Result<void>> send(SourcePtr source, ContainerId id, std::string sandbox, bool follow,
                                 http::ResponderPtr responder);
  async::Task<Result<void>> follow(SourcePtr source, ContainerId id, std::string sandbox, http::ResponderPtr responder);
  // Everything there is for now, however fast the container goes on writing.
  static async::Task<Result<void>> drain(SourcePtr source, http::ResponderPtr responder);
  static async::Task<> notifyOfChanges(std::shared_ptr<async::FileWatch> watch, async::Notification changes);
  async::Task<> notifyOfEnd(ContainerId id, async::Event ended, async::Notification changes);

  async::Executor executor_;
  ContainerManager& containers_;
};

}  // namespace gantry::agent::api
