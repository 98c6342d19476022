#include "runtime/commands.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include "kernel/file.hpp"

namespace gantry::runtime {

Result<void> expectWords(const Words& words, std::size_t least, std::size_t most, const char* usage) {
  if (words.size() >= least && words.size() <= most) return {};
  return Error(Code::InvalidArgument, fmt::format("usage: {}", usage));
}

Result<void> print(std::string_view text) {
  TRY(const kernel::Fd output, kernel::duplicate(STDOUT_FILENO));
  return kernel::writeAll(output, text).under("standard output");
}

}  // namespace gantry::runtime
