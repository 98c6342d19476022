// Small things that the parts of Cgroup share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "kernel/fd.hpp"
#include "oci/spec.hpp"
#include "runtime/cgroup.hpp"

namespace gantry::runtime {

// For the openat family.
Result<kernel::Fd> openGroup(const std::string& directory);
// A file's text without the line end; "" when it cannot be read.
std::string textOf(const std::string& directory, const std::string& file);
std::string parentOf(const std::string& directory);
std::vector<std::string> splitWords(std::string_view text, char separator);
bool contains(const std::vector<std::string>& all, std::string_view one);

// The group whose files are those of `controller` ("cgroup": the core files of v2); null when none is.
const CgroupGroup* groupWith(const std::vector<CgroupGroup>& groups, std::string_view controller);

// Sets what `resources` names. A fresh group is also closed to all but the allowed devices when no rule is given.
Result<void> applyResources(const std::vector<CgroupGroup>& groups, const oci::Resources& resources, bool fresh);

}  // namespace gantry::runtime
