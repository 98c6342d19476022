// Task<T>: a coroutine on the program's one thread. The one header that brings Asio along; it costs every file that
// includes it half a second.
//
// Coroutine parameters are values (or shared_ptr<const …>), never references or views. A lambda that captures is never
// a coroutine. co_await stands alone, as an initialiser, in CO_TRY or after co_return, and its arguments are names,
// moves of names, or numbers: g++ 12.2 miscompiles the other shapes (tests/checks/coroutine_shapes.py).
//
// Cancellation. A coroutine is cancelled through the Scope it was spawned in (scope.hpp) or by a deadline (time.hpp).
// From then on every wait of async/ in it, and in the coroutines it awaits, fails at once with Code::Cancelled; the
// coroutine returns that error like any other, through CO_TRY, and so comes to its end. Nothing throws. Clean-up that
// must itself wait is wrapped in shield() (scope.hpp).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "base/result.hpp"

namespace gantry::async {

template <typename T = void>
using Task = boost::asio::awaitable<T>;

// Names the loop to objects that wait; copied freely.
using Executor = boost::asio::any_io_executor;
// The program's one loop; run.hpp drives it.
using Loop = boost::asio::io_context;

// The executor of the coroutine that awaits it.
Task<Executor> currentExecutor();
// Whether the coroutine that awaits it was cancelled. For loops that compute; every wait checks by itself.
Task<bool> isCancelled();

}  // namespace gantry::async
