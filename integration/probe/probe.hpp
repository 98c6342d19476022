// The program that integration tests run inside a container: it looks at its surroundings, or tries something, and
// prints what it found as one JSON object. It judges nothing; the tests do, from outside.
//
// It is statically linked and uses nothing of Gantry's own, so that it says the same under any runtime.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace probe {

using Json = nlohmann::json;
using Arguments = std::vector<std::string>;

// {"ok": true, "value": n} or {"ok": false, "errno": "EPERM"}, from what a system call returned.
Json outcome(long returned);
// "EPERM" for 1; the number as text when it has no name.
std::string errnoName(int number);

// facts.cpp: what this process is and sees.
Json facts();
// For each path: kind, mode, owner, device numbers, whether it can be read and written, the number of entries.
Json paths(const Arguments& arguments);

// attempts.cpp: things a container may be forbidden to do. Each is named by its command below.
Json openPaths(const Arguments& arguments);   // FLAGS PATH...   FLAGS of r, w, c(reate), x(ec)
Json makeDevice(const Arguments& arguments);  // PATH b|c MAJOR MINOR
Json systemCall(const Arguments& arguments);  // NAME INTEGER...
Json attempts(const Arguments& arguments);    // each privileged operation by name, all of them when none is given
Json writeFile(const Arguments& arguments);   // PATH TEXT

// load.cpp: using resources up, and staying alive for others to look at.
Json memory(const Arguments& arguments);       // MEBIBYTES: touches that much, one page after another
Json processes(const Arguments& arguments);    // COUNT: how many can be started at once
Json spin(const Arguments& arguments);         // SECONDS THREADS: CPU time had in that wall time
Json listenOn(const Arguments& arguments);     // PORT TEXT: answers every TCP connection with TEXT, for ever
Json connectTo(const Arguments& arguments);    // ADDRESS PORT: what the peer says first
Json ticks(const Arguments& arguments);        // COUNT MILLISECONDS: numbered lines on stdout and stderr
Json awaitSignal(const Arguments& arguments);  // FIRST: prints FIRST, then the name of the signal that comes, exits 0
                                               // on SIGTERM or SIGINT

}  // namespace probe
