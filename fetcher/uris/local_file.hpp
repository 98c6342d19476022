// Files of this host that a task names: opened with the rights of its user, so that it gets nothing that it could not
// read itself.
#pragma once

#include <string>

#include "base/result.hpp"
#include "fetcher/uri_messages.hpp"
#include "kernel/fd.hpp"

namespace gantry::fetcher {

// Opens the file for reading, by a process that has become the user. NotFound, PermissionDenied; InvalidArgument for
// what is no file: a directory, a device or a pipe.
Result<kernel::Fd> openAsUser(const std::string& path, const UriUser& user);

}  // namespace gantry::fetcher
