// The part of compileSeccomp that calls libseccomp.
#pragma once

#include <string>

#include "base/result.hpp"
#include "oci/spec.hpp"
#include "runtime/seccomp.hpp"

namespace gantry::runtime {

// See compileSeccomp.
Result<SeccompFilter> compileSeccompNow(const oci::Seccomp& section);
// What besides the section decides how the program looks: "libseccomp 2.5.4 x86_64". Does not call libseccomp.
std::string seccompCompilerVersion();

}  // namespace gantry::runtime
