// One file from a server, by libcurl. Runs in the unprivileged child (downloader.hpp), one at a time: what comes is
// written into a pipe, and waits there for its reader.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::fetcher {

// By which a server tells one version of a file from another one. All empty when it does not.
struct Version {
  // Headers of http, as they came.
  std::string etag;
  std::string lastModified;
  // Of ftp: time and size. Of local files: device, inode, time and size.
  std::string stamp;

  bool isKnown() const { return !etag.empty() || !lastModified.empty() || !stamp.empty(); }
  bool operator==(const Version&) const = default;
};

// What is known before the first byte.
struct DownloadHead {
  std::optional<Bytes> size;
  Version version;
};

class Download {
 public:
  struct Options {
    std::chrono::seconds stallTimeout;
    // PEM certificates that are trusted beside the system's; may be empty.
    std::string certificates;
  };

  explicit Download(Options options);
  ~Download();

  // Fetches `url` into `into`; `head` is called once, before the first byte. False, without that, when the server says
  // that its file is still `known`, which may be empty. Redirects are followed: not from https to anything else, and
  // not to other schemes. What fails before the first byte for a reason that may pass is tried again. Errors: NotFound,
  // PermissionDenied and Unavailable as the server has it; Timeout for a stall; Cancelled when nobody reads any more.
  Result<bool> fetch(const std::string& url, const Version& known, const kernel::Fd& into,
                     const std::function<void(const DownloadHead&)>& head);

 private:
  class Transport;
  std::unique_ptr<Transport> transport_;
};

}  // namespace gantry::fetcher
