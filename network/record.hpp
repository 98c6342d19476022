// What one container has of networks, as it is kept on disk from before it is made until after it is gone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "network/cni.hpp"

namespace gantry::network {

struct Record {
  std::string container;
  // In the order of the request; each enters before its ADD begins.
  std::vector<CniAttachment> attachments;
  // All of it is made.
  bool complete = false;

  bool operator==(const Record&) const = default;
};

// JSON, and back. InvalidArgument when it is none of ours.
std::string formatRecord(const Record& record);
Result<Record> parseRecord(std::string_view text);

}  // namespace gantry::network
