#include "async/descriptor.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "async/waiting.hpp"
#include "kernel/io.hpp"
#include "kernel/poll.hpp"

namespace gantry::async {

// Held by pending operations, too: closing makes them fail, and the last one frees this.
struct Descriptor::State {
  explicit State(const Executor& executor) : registered(executor) {}

  kernel::Fd fd;
  // Asio's registration with epoll; the descriptor itself stays ours.
  boost::asio::posix::stream_descriptor registered;
  bool shared = false;

  void close() {
    if (registered.is_open()) registered.release();
    fd.reset();
  }
};

namespace {

using StatePtr = std::shared_ptr<Descriptor::State>;
using Direction = boost::asio::posix::descriptor_base::wait_type;

// Asks the kernel once more whenever Asio says that a descriptor is ready. Boost 1.81 keeps one state per registered
// descriptor in a pool; one that still has an event of a closed descriptor in the loop's queue may be handed to the
// next one registered, whose first wait then completes though nothing is ready. Not needed any more once
// Descriptor.AnEventOfAClosedOneIsNotItsSuccessors passes without it.
Task<Result<void>> waitUntilReady(StatePtr state, Direction direction) {
  const auto wanted = direction == Direction::wait_read ? kernel::Readiness::ToRead : kernel::Readiness::ToWrite;
  while (true) {
    const bool already = co_await isCancelled();
    if (already || !state->registered.is_open()) co_return cancelledError();
    boost::system::error_code failure;
    auto token = boost::asio::redirect_error(boost::asio::use_awaitable, failure);
    co_await state->registered.async_wait(direction, token);
    // What epoll does not know (a regular file) is always ready.
    if (failure == boost::asio::error::operation_not_supported) co_return Result<void>();
    if (failure == boost::asio::error::operation_aborted) co_return cancelledError();
    if (failure) co_return Error::fromErrno(failure.value(), "wait for a descriptor");
    if (!state->fd) co_return cancelledError();
    CO_TRY(const bool ready, kernel::isReady(state->fd, wanted));
    if (ready) co_return Result<void>();
  }
}

Task<Result<std::string>> readFrom(StatePtr state, std::size_t limit) {
  bool wait = state->shared;
  while (true) {
    if (wait) CO_TRY_VOID(co_await waitUntilReady(state, Direction::wait_read));
    const bool stopped = co_await isCancelled();
    if (stopped || !state->fd) co_return cancelledError();
    CO_TRY(auto data, kernel::readSome(state->fd, limit));
    if (data) co_return std::move(*data);
    wait = true;
  }
}

Task<Result<void>> writeTo(StatePtr state, std::string data) {
  std::size_t done = 0;
  bool wait = state->shared;
  while (done < data.size()) {
    if (wait) CO_TRY_VOID(co_await waitUntilReady(state, Direction::wait_write));
    const bool stopped = co_await isCancelled();
    if (stopped || !state->fd) co_return cancelledError();
    CO_TRY(const auto count, kernel::writeSome(state->fd, std::string_view(data).substr(done)));
    done += count.value_or(0);
    wait = state->shared || !count;
  }
  co_return Result<void>();
}

Result<StatePtr> enrol(const Executor& executor, kernel::Fd fd) {
  auto state = std::make_shared<Descriptor::State>(executor);
  boost::system::error_code failure;
  state->registered.assign(fd.raw(), failure);
  if (failure) return Error::fromErrno(failure.value(), "add a descriptor to the loop");
  state->fd = std::move(fd);
  return state;
}

}  // namespace

Result<Descriptor> Descriptor::adopt(Executor executor, kernel::Fd fd) {
  TRY_VOID(kernel::setNonBlocking(fd));
  TRY(auto state, enrol(executor, std::move(fd)));
  return Descriptor(std::move(state));
}

Result<Descriptor> Descriptor::share(Executor executor, kernel::Fd fd) {
  TRY(auto state, enrol(executor, std::move(fd)));
  state->shared = true;
  return Descriptor(std::move(state));
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    close();
    state_ = std::move(other.state_);
  }
  return *this;
}

Descriptor::~Descriptor() {
  close();
}

const kernel::Fd& Descriptor::fd() const {
  ENSURE(state_ != nullptr, "fd() of an empty Descriptor");
  return state_->fd;
}

void Descriptor::close() {
  if (state_) state_->close();
}

Task<Result<void>> Descriptor::readable() const {
  return waitUntilReady(state_, Direction::wait_read);
}

Task<Result<void>> Descriptor::writable() const {
  return waitUntilReady(state_, Direction::wait_write);
}

Task<Result<std::string>> Descriptor::read(std::size_t limit) const {
  return readFrom(state_, limit);
}

Result<std::string> Descriptor::readNow(std::size_t limit) const {
  TRY(auto data, kernel::readSome(fd(), limit));
  return std::move(data).value_or(std::string());
}

Task<Result<void>> Descriptor::write(std::string data) const {
  return writeTo(state_, std::move(data));
}

}  // namespace gantry::async
