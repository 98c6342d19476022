// A container request as JSON text: how the agent's database and the inspect call spell it. Neutral: no wire format of
// an API is followed, and what is unset or empty is left out.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "isolators/request.hpp"

namespace gantry::agent {

// parseRequest(*toJson(request)) equals request. Fails with InvalidArgument when a string in it is not UTF-8.
Result<std::string> toJson(const isolators::ContainerRequest& request);

// Fails with InvalidArgument, naming the member, for anything toJson does not write.
Result<isolators::ContainerRequest> parseRequest(std::string_view json);

}  // namespace gantry::agent
