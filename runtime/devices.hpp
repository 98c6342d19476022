// Device nodes and the customary symlinks in the container's /dev (runtime-spec, config-linux.md, "Default Devices").
#pragma once

#include <vector>

#include "base/result.hpp"
#include "oci/spec.hpp"
#include "runtime/root_directory.hpp"

namespace gantry::runtime {

// The default devices and those of linux.devices; a later one of the same path wins.
std::vector<oci::Device> devicesOf(const oci::Spec& spec);

// False when the bundle binds a /dev of its own, which is then left as it is.
bool makesDevices(const oci::Spec& spec);

// Makes the nodes; in a user namespace, where mknod is forbidden, the host's nodes are bound over empty files.
Result<void> makeDevices(const RootDirectory& root, const std::vector<oci::Device>& devices, bool inUserNamespace);

// /dev/fd, /dev/stdin, /dev/stdout, /dev/stderr, /dev/core and /dev/ptmx; what the image has there stays.
Result<void> makeDeviceLinks(const RootDirectory& root);

}  // namespace gantry::runtime
