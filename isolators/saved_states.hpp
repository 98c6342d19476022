// What isolators keep for their cleanup, for as long as their container exists.
#pragma once

#include <string>

#include "async/task.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "isolators/isolator.hpp"

namespace gantry::isolators {

// Given to the isolators that need more for cleanup than the request says, such as the network configuration that was
// in force at prepare. The agent deletes a container's states after its last cleanup. Only used on the agent's thread.
class SavedStates {
 public:
  virtual ~SavedStates() = default;
  // Replaces what `isolator` saved for `container`; durable when it completes. Save before making what is described.
  virtual async::Task<Result<void>> save(ContainerId container, std::string isolator, SavedState state) = 0;
  // What was saved last; "" when there is nothing.
  virtual SavedState load(const ContainerId& container, const std::string& isolator) const = 0;
};

}  // namespace gantry::isolators
