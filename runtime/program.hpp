// The last part of a new process's way, alike for `create` and `exec`: from the runtime's rights to the user's program.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"
#include "oci/spec.hpp"
#include "runtime/process_setup.hpp"
#include "runtime/seccomp.hpp"

namespace gantry::runtime {

// Refers to what it is given, which must outlive it. The functions are called in this order.
class Program {
 public:
  Program(const oci::Process& process, const GrantedCapabilities& capabilities, const SeccompFilter& seccomp,
          bool mayDropGroups)
      : process_(process), capabilities_(capabilities), seccomp_(seccomp), mayDropGroups_(mayDropGroups) {}

  // Labels, no_new_privs, ids and capabilities. `proc` is the host's /proc. The root is the container's by then.
  Result<void> becomeUser(const kernel::Fd& proc);
  Result<void> enterDirectory() const;
  // Relative names count from the working directory.
  Result<void> find();
  // Default signals, the seccomp filter (whose listener goes through `channel`, see steps.hpp), and the last capability
  // that was only kept for loading it.
  Result<void> dropLastRights(const kernel::Fd& channel);
  // Does not return but with an error.
  Error execute() const;

 private:
  // Without no_new_privs a filter takes CAP_SYS_ADMIN to load.
  bool keepsAdmin() const { return !process_.noNewPrivileges && !seccomp_.program.empty(); }

  const oci::Process& process_;
  const GrantedCapabilities& capabilities_;
  const SeccompFilter& seccomp_;
  bool mayDropGroups_;
  bool isInside_ = false;
  std::vector<std::string> environment_;
  std::string path_;
};

}  // namespace gantry::runtime
