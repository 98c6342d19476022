// Command lines as runc takes them: "--name value", "--name=value", "-n value", one dash or two.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace gantry::runtime {

struct Flag {
  using Target = std::variant<bool*, std::string*, std::optional<std::string>*, unsigned*, std::vector<std::string>*>;

  // "pid-file"; an alias follows a comma: "detach,d".
  std::string_view names;
  // Where the value goes. A bool* takes none (but "--flag=false" works), a vector collects repetitions.
  Target target;
};

// Consumes the flags at the front of `words`, up to the first word that is none: "exec ID ls --all" leaves --all to ls.
// What remains are the arguments. InvalidArgument names the flag.
Result<void> parseFlags(std::vector<std::string>& words, std::initializer_list<Flag> flags);
// The same, but known flags may also stand behind arguments ("delete ID --force"); a "--" ends them.
Result<void> parseFlagsAnywhere(std::vector<std::string>& words, std::initializer_list<Flag> flags);

}  // namespace gantry::runtime
