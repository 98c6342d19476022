#include "isolators/request.hpp"

namespace gantry::isolators {

std::string hostnameOf(const ContainerRequest& request) {
  constexpr std::size_t kMaxLabel = 63;
  return request.hostname.value_or(request.id.text().substr(0, kMaxLabel));
}

}  // namespace gantry::isolators
