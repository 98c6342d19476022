// The master that never changes: `--master=host:port`.
#pragma once

#include "agent/master/detector.hpp"

namespace gantry::agent::master {

// A name is looked up at each detection, with pauses until that works: the master's messages come from its address.
class StaticDetector final : public Detector {
 public:
  // `pause` is what is waited after a look-up that failed.
  explicit StaticDetector(Upid master, async::Duration pause = std::chrono::seconds(2));

  async::Task<Result<std::optional<Master>>> detect(std::optional<Master> previous) override;

 private:
  Upid master_;
  async::Duration pause_;
};

}  // namespace gantry::agent::master
