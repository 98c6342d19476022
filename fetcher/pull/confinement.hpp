// What the fetcher's child processes give up before they touch anything from outside.
#pragma once

#include "base/result.hpp"
#include "fetcher/uri_messages.hpp"
#include "kernel/fd.hpp"

namespace gantry::fetcher {

// For the half that speaks to the network or reads an archive's directory: becomes nobody, without groups, capabilities
// or the means to gain any, and may no longer make the system calls that have broken kernels before. It ends with its
// parent.
Result<void> becomeNobody();

// For the half that writes a root file system: `directory` becomes its whole file system (a private mount namespace
// without devices, set-id and execution, with everything else unmounted), and it keeps only the capabilities that
// owners, modes, devices and attributes take. It ends with its parent. Returns the new root.
Result<kernel::Fd> lockInto(const kernel::Fd& directory);

// For opening one file with a task's rights and no others: becomes its user, without capabilities (root, too). It ends
// with its parent.
Result<void> becomeUserAlone(const UriUser& user);

// For the half that writes into a task's sandbox: as lockInto, and it becomes the task's user without any capability.
Result<kernel::Fd> lockIntoAs(const UriUser& user, const kernel::Fd& directory);

}  // namespace gantry::fetcher
