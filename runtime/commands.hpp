// The commands of gantry-runtime. Each takes the words after its name, and gives the program's exit status.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "runtime/state_store.hpp"

namespace gantry::runtime {

// What runc's global flags say.
struct Globals {
  std::string root = "/run/gantry/runtime";
  std::string log;
  std::string logFormat = "text";
  bool debug = false;
  bool systemdCgroup = false;
  // Accepted and without effect: what is possible is found out by trying.
  std::string rootless;
  std::string criu;

  StateStore store() const { return StateStore(root); }
};

using Words = std::vector<std::string>;

Result<int> create(const Globals& globals, Words words);
Result<int> run(const Globals& globals, Words words);
Result<int> start(const Globals& globals, Words words);
Result<int> state(const Globals& globals, Words words);
Result<int> kill(const Globals& globals, Words words);
Result<int> remove(const Globals& globals, Words words);
Result<int> exec(const Globals& globals, Words words);
Result<int> list(const Globals& globals, Words words);
Result<int> ps(const Globals& globals, Words words);
Result<int> pause(const Globals& globals, Words words);
Result<int> resume(const Globals& globals, Words words);
Result<int> update(const Globals& globals, Words words);
Result<int> features(const Globals& globals, Words words);
Result<int> spec(const Globals& globals, Words words);

// InvalidArgument "create needs a container id" unless the words are exactly what `usage` names.
Result<void> expectWords(const Words& words, std::size_t least, std::size_t most, const char* usage);
// Standard output, in one piece.
Result<void> print(std::string_view text);

}  // namespace gantry::runtime
