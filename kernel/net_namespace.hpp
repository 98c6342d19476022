// Network namespaces that live without a process, kept by a bind mount as ip-netns(8) does.
#pragma once

#include <functional>
#include <string>

#include "base/result.hpp"

namespace gantry::kernel {

// Makes the file `path`, and a new network namespace with loopback up mounted on it. AlreadyExists when the file is
// there. The calling thread is in it for a moment: not for a thread that others expect in the host's namespace.
Result<void> createNetNamespace(const std::string& path);
// Unmounts (lazily: a process may still be in it) and removes the file. A missing one, or one where nothing is mounted
// any more, is success.
Result<void> removeNetNamespace(const std::string& path);
// True when a network namespace is mounted at `path`.
bool isNetNamespace(const std::string& path);
// Calls `function` with the calling thread in the namespace at `path`, and brings the thread back; a thread that cannot
// be brought back is a bug that aborts. What was made inside (sockets, open files of /proc/thread-self/net) stays.
Result<void> inNetNamespace(const std::string& path, const std::function<Result<void>()>& function);

// Takes the bridge `name` down and removes it (ioctl SIOCBRDELBR). NotFound when there is none.
Result<void> removeBridge(const std::string& name);

}  // namespace gantry::kernel
