// Task<T>: a coroutine on the program's one thread. The one header that brings Asio along; it costs every file that
// includes it half a second.
//
// Coroutine parameters are values (or shared_ptr<const …>), never references or views. A lambda that captures is never
// a coroutine. co_await stands alone, as an initialiser, in CO_TRY or after co_return, and its arguments are names,
// moves of names, or numbers: g++ 12.2 miscompiles the other shapes (tests/checks/coroutine_shapes.py).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "base/result.hpp"

namespace gantry::async {

template <typename T = void>
using Task = boost::asio::awaitable<T>;

using Executor = boost::asio::any_io_executor;
using Loop = boost::asio::io_context;

}  // namespace gantry::async
