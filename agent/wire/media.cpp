#include "agent/wire/media.hpp"

namespace gantry::agent::wire {

std::string_view contentType(Media media) {
  return media == Media::Json ? "application/json" : "application/x-protobuf";
}

}  // namespace gantry::agent::wire
