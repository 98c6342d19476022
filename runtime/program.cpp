#include "runtime/program.hpp"

#include "kernel/credentials.hpp"
#include "kernel/poll.hpp"
#include "runtime/steps.hpp"

namespace gantry::runtime {

Result<void> Program::becomeUser(const kernel::Fd& proc) {
  // With the runtime's rights first, as runc does: images name directories that their user may not enter.
  isInside_ = enterWorkingDirectory(process_.cwd).has_value();
  TRY_VOID(setSecurityLabels(proc, process_));
  if (process_.noNewPrivileges) TRY_VOID(kernel::setNoNewPrivileges());
  return becomeProcessUser(process_, capabilities_, mayDropGroups_, keepsAdmin());
}

Result<void> Program::enterDirectory() const {
  // Where only the user may go (a network file system without root), and for the reason why nobody can.
  return isInside_ ? Result<void>() : enterWorkingDirectory(process_.cwd);
}

Result<void> Program::find() {
  environment_ = completeEnvironment(process_);
  TRY(path_, findExecutable(process_.args[0], environment_));
  return {};
}

Result<void> Program::dropLastRights(const kernel::Fd& channel) {
  kernel::resetSignals();
  if (!seccomp_.program.empty()) {
    TRY(kernel::Fd listener, loadSeccomp(seccomp_));
    if (listener) {
      Message message;
      message.kind = Message::Kind::Listener;
      message.descriptor = std::move(listener);
      TRY_VOID(send(channel, message));
      TRY_VOID(kernel::waitReadable({&channel}));
      TRY(const Message answer, receive(channel));
      if (answer.kind != Message::Kind::Proceed) return Error(Code::Cancelled, "the runtime has ended");
    }
  }
  // The one call that a filter must allow beside execve, and only without no_new_privs.
  return keepsAdmin() ? dropAdmin(capabilities_) : Result<void>();
}

Error Program::execute() const {
  return runtime::execute(path_, process_.args, environment_);
}

}  // namespace gantry::runtime
