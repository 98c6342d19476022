// /files/…: listing, reading and downloading files, as Mesos' web UI does it.
//
//   /files/browse?path=            a JSON array of what is in a directory
//   /files/read?path=&offset=&length=   {"data", "offset"}; offset -1 or none: {"data": "", "offset": <the file's
//   size>} /files/download?path=          the file /files/debug                   what is attached: {virtual path:
//   path}
#pragma once

#include "agent/api/api.hpp"
#include "agent/api/attachments.hpp"
#include "http/router.hpp"
#include "kernel/fd.hpp"

namespace gantry::agent::api {

// Only used on the agent's thread; outlives its routes.
class FilePaths {
 public:
  FilePaths(ContainerManager& containers, Settings settings)
      : containers_(containers), settings_(std::move(settings)) {}

  void addRoutes(http::Router& router);

 private:
  Attachments attachments() const;
  http::Response browse(const http::Request& request) const;
  http::Response read(const http::Request& request) const;
  async::Task<> download(http::RequestPtr request, http::ResponderPtr responder);
  static async::Task<Result<void>> send(std::shared_ptr<kernel::Fd> file, http::Response head,
                                        http::ResponderPtr responder);

  ContainerManager& containers_;
  Settings settings_;
};

}  // namespace gantry::agent::api
