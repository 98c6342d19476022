// Capabilities of the calling process (capabilities(7)), as sets of bits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace gantry::kernel {

// Bit n is capability n.
using CapabilitySet = std::uint64_t;

// "CAP_CHOWN" in any case; nothing for a name this program does not know.
std::optional<unsigned> capabilityNumber(std::string_view name);
// "CAP_CHOWN"; "CAP_63" for a number without a name.
std::string capabilityName(unsigned number);
std::vector<std::string> capabilityNames(CapabilitySet set);
// Every capability that has a name here, known to this machine's kernel or not.
CapabilitySet namedCapabilities();

struct CapabilitySets {
  CapabilitySet effective = 0;
  CapabilitySet permitted = 0;
  CapabilitySet inheritable = 0;
};
Result<CapabilitySets> capabilities();
Result<void> setCapabilities(const CapabilitySets& sets);

// The calling thread's bounding set, and every capability the kernel knows. prctl(PR_CAPBSET_READ).
CapabilitySet boundingCapabilities();
CapabilitySet knownCapabilities();
// prctl(PR_CAPBSET_DROP) for what is in the bounding set and not in `keep`.
Result<void> limitBoundingCapabilities(CapabilitySet keep);
// prctl(PR_CAP_AMBIENT): clears the set, then raises these. Each must be permitted and inheritable.
Result<void> setAmbientCapabilities(CapabilitySet set);

}  // namespace gantry::kernel
