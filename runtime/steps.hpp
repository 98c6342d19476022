// What a new process does before it becomes the user's program, and how it tells the runtime about it.
//
//   runtime                                          child
//   clone3 ───────────────────────────────────────▶  JoinCgroup
//          ◀────────────── Cloned pid ─────────────  CloneAgain    only to make a user or enter a pid namespace
//   id maps, oom_score_adj
//          ─────────────── Proceed ───────────────▶  Wait          only when there is something to wait for
//                                                    … Mounts, Devices
//   prestart and createRuntime hooks
//          ◀────────────── AtHooks ────────────────
//          ─────────────── Proceed ───────────────▶  Hooks         only with such hooks
//                                                    … Pivot, Credentials, Executable
//          ◀────────────── Ready ──────────────────  Start         only for `create`, which then returns
//   `start` connects to start.sock ───────────────▶
//                                                    Seccomp, Exec
//
// Messages are packets on a socket pair that is closed by exec: the end of the connection means that the program runs,
// a Failed message that it never will. After Ready the connection of `start` takes the pair's place.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::runtime {

// In the order in which they happen.
enum class Step : unsigned char {
  JoinCgroup,
  Namespaces,
  CloneAgain,
  Wait,
  Session,
  Host,
  Sysctl,
  Rootfs,
  Mounts,
  Devices,
  Console,
  Hooks,
  MaskedPaths,
  Pivot,
  Limits,
  Credentials,
  WorkingDirectory,
  Executable,
  Start,
  Seccomp,
  Exec,
};

// "join the namespaces", as the first part of an error.
std::string_view describe(Step step);

struct Message {
  enum class Kind : unsigned char { Failed, Cloned, AtHooks, Ready, Listener, Proceed, End };

  Kind kind = Kind::End;
  // Failed: where, the errno and the code.
  Step step = Step::JoinCgroup;
  int number = 0;
  Code code = Code::Internal;
  // Cloned: the child of the child.
  pid_t pid = 0;
  // Failed: the sentence. Proceed: the OCI state, which hooks get on stdin.
  std::string text;
  // Listener: of the seccomp filter.
  kernel::Fd descriptor;
};

Result<void> send(const kernel::Fd& socket, const Message& message);
// Kind::End when the other side has closed.
Result<Message> receive(const kernel::Fd& socket);

// What a Failed message says, as an error: "mount: open mount '/data': No such file or directory".
Error toError(const Message& failed);

}  // namespace gantry::runtime
