// Base64 with the standard alphabet and padding (RFC 4648, section 4).
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gantry {

std::string toBase64(std::string_view bytes);

// Fails with InvalidArgument ("is not base64") for another alphabet, white space, and wrong or missing padding.
Result<std::string> fromBase64(std::string_view text);

}  // namespace gantry
