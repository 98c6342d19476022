// How deep a JSON text nests, counted before it is parsed: a tree of a million levels costs memory and stack even when
// it is refused afterwards (CVE-2018-11793 and its kind).
#pragma once

#include <string_view>

namespace gantry {

// Whether arrays and objects stand more than `levels` deep in each other. Says nothing about other mistakes.
bool isNestedDeeperThan(int levels, std::string_view json);

}  // namespace gantry
