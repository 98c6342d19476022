// Starting gantry-fetcher: what is common to its kinds of requests.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "async/task.hpp"

namespace gantry::fetcher {

// Runs `program` with `request` on its standard input. Each line of its answer goes to `onLine`, on the loop's thread;
// what it logs is logged here. Returns how it ended, as a sentence. When cancelled the program is killed first.
async::Task<Result<std::string>> runProgram(std::string program, std::string request,
                                            std::function<void(std::string_view line)> onLine);

}  // namespace gantry::fetcher
