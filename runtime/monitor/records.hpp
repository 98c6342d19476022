// The files by which the agent learns, at any later time, what became of the first process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>

#include "runtime/monitor/text.hpp"

namespace gantry::monitor {

using Line = Text<64>;

// "<pid> <start time>", the start time being field 22 of /proc/<pid>/stat. False when there is no such process.
bool describeProcess(pid_t pid, Line& line);
// "<raw wait status> <nanoseconds since 1970>", the time being now.
Line describeExit(int status);

// Writes `line` and a line end to `name` in `directory`: whole or not at all, and on disk when it returns if `durable`.
// False sets errno.
bool writeRecord(int directory, const char* name, std::string_view line, bool durable);
// Reads a decimal pid from the file; 0 when there is none.
pid_t readPid(int directory, const char* name);

}  // namespace gantry::monitor
