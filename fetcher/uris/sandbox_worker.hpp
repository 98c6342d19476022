// The half of a fetch that writes: a process that has become the task's user, and whose whole world is the sandbox.
//
//   fetcher ──▶ worker    store (with what to read)           worker ──▶ fetcher   written N …
//                         keep path, mode                                          done N
//                         drop                                                     failed code, message
//                         unpack packing, name (with what to unpack, or what was kept)
//
// Each request has one answer, "done" or "failed"; the first "done" says that the worker is ready.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "fetcher/pull/child.hpp"
#include "fetcher/pull/layer_path.hpp"
#include "fetcher/uri_messages.hpp"
#include "fetcher/uris/target.hpp"
#include "kernel/fd.hpp"

namespace gantry::fetcher {

class SandboxWorker {
 public:
  // Called a few times per second while bytes are written, with the count so far.
  using Written = std::function<void(Bytes)>;

  // `sandbox` is the opened directory.
  static Result<SandboxWorker> start(const UriUser& user, const UriLimits& limits, const kernel::Fd& sandbox);

  // SandboxWriter's, and waiting for it to be done.
  Result<Bytes> store(const kernel::Fd& from, const Written& written);
  Result<void> keep(const LayerPath& path, mode_t mode);
  Result<void> drop();
  // `file` may be empty: what was kept last.
  Result<void> unpack(const kernel::Fd& file, Packing packing, const std::string& name, const Written& written);

  // The two halves of store(), for a pipe that somebody else writes to at the same time.
  Result<void> startStore(const kernel::Fd& from) const;
  // For poll: readable when hear() has something to say.
  const kernel::Fd& connection() const { return child_.connection(); }
  // The next packet: nothing while the request goes on, then how much was written in all.
  Result<std::optional<Bytes>> hear(const Written& written) const;

 private:
  explicit SandboxWorker(Child child) : child_(std::move(child)) {}
  Result<Bytes> wait(const Written& written) const;

  Child child_;
};

}  // namespace gantry::fetcher
