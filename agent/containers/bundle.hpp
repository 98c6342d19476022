// The OCI bundle of a container, as a pure function of what was asked and what the isolators contributed: same input,
// same bundle, testable without a kernel.
#pragma once

#include <string>
#include <vector>

#include "agent/containers/manager.hpp"
#include "agent/containers/user.hpp"
#include "base/result.hpp"
#include "isolators/isolator.hpp"
#include "oci/image.hpp"
#include "oci/spec.hpp"

namespace gantry::agent {

// What to run, by the table of Mesos' docker/runtime isolator (reference: containerizer, 5.13). InvalidArgument names
// the field of `command` that is missing, unused or unusable. `image` is empty for a container without an image.
Result<std::vector<std::string>> commandLine(const isolators::Command& command, const oci::ImageProcess& image);

// The bundle's config.json.
//
// - Command line: commandLine(). Working directory: the request's, else the image's, else the sandbox.
// - Environment, later ones override earlier ones: PATH, HOSTNAME, TERM (with a terminal) and HOME; the image's; the
//   isolators'; the request's.
// - Contributions are folded in order. Of two namespaces, rlimits or devices with the same type or path the later one
//   stays; a mount replaces the default mount at the same destination; the request's rlimits come last.
// - A user other than root keeps capabilities only when the request asks for them and does not want them for root
// alone: otherwise just the bounding set stays.
//
// `sandbox` is where the container sees its sandbox. InvalidArgument names what is wrong.
Result<oci::Spec> buildBundle(const isolators::Container& container,
                              const std::vector<isolators::Contribution>& contributions, const ResolvedUser& user,
                              const std::string& sandbox);

// The process of a session in the container whose bundle is `bundle`: the same user, capabilities, seccomp, limits,
// directory and environment, but for what `request` sets. `user` is given when the request names one. A session has no
// image to take a command from.
Result<oci::Process> buildSession(const oci::Spec& bundle, const SessionRequest& request,
                                  const std::optional<ResolvedUser>& user);

}  // namespace gantry::agent
