// Compressing what is answered, for clients that say they take it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace gantry::http {

// Below this compressing costs more than it saves; where mesos-agent begins, too.
constexpr std::size_t kLeastToCompress = 1024;

// Whether an Accept-Encoding of `value` (nothing: there is none) takes gzip: by name or by "*", unless with q=0.
bool acceptsGzip(std::optional<std::string_view> value);

// `text` as one gzip member (RFC 1952); fast rather than small.
std::string gzip(std::string_view text);

}  // namespace gantry::http
