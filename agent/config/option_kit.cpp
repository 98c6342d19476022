#include "agent/config/option_kit.hpp"

#include <fmt/format.h>

namespace gantry::agent {

Option checked(Option made, Check check) {
  made.set = [set = std::move(made.set), check = std::move(check)](Config& config,
                                                                   std::string_view text) -> Result<void> {
    TRY_VOID(check(text));
    return set(config, text);
  };
  return made;
}

Check atMost(std::uint64_t most) {
  return [most](std::string_view text) -> Result<void> {
    Count count;
    TRY_VOID(parseValue(text, count));
    if (count.number <= most) return {};
    return Error(Code::InvalidArgument, fmt::format("must be at most {}, not '{}'", most, text));
  };
}

Check notLongerThan(async::Duration most) {
  return [most](std::string_view text) -> Result<void> {
    async::Duration duration{};
    TRY_VOID(parseValue(text, duration));
    if (duration <= most) return {};
    return Error(Code::InvalidArgument, fmt::format("must be at most {}, not '{}'", formatValue(most), text));
  };
}

}  // namespace gantry::agent
