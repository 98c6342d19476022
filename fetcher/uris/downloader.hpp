// The half of a fetch that speaks to servers: a process that is nobody (download.hpp does its work). It is started for
// the first URI that needs it and keeps its connections for the next ones.
//
//   fetcher    ──▶ downloader   get url, etag, last-modified, stamp (with the write end of a pipe)
//   downloader ──▶ fetcher      head size, etag, last-modified, stamp      and then      done      or
//                               unchanged                                  or            failed code, message
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "base/result.hpp"
#include "fetcher/pull/child.hpp"
#include "fetcher/uris/download.hpp"
#include "kernel/fd.hpp"

namespace gantry::fetcher {

class Downloader {
 public:
  // The server's file is the one that was known.
  struct Unchanged {};
  // All of it went into the pipe.
  struct Done {};
  using News = std::variant<DownloadHead, Unchanged, Done>;

  static Result<Downloader> start(const Download::Options& options);

  // Starts to fetch `url`; returns where to read it. The pipe ends early when the download fails: hear() says so. Who
  // closes it before ends the download with Cancelled.
  Result<kernel::Fd> get(const std::string& url, const Version& known) const;
  // For poll: readable when hear() has something to say.
  const kernel::Fd& connection() const { return child_.connection(); }
  // Waits for the next news of the current download; an error is its end.
  Result<News> hear() const;

 private:
  explicit Downloader(Child child) : child_(std::move(child)) {}

  Child child_;
};

}  // namespace gantry::fetcher
