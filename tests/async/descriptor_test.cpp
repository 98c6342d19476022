#include "async/descriptor.hpp"

#include <fcntl.h>
#include <sys/inotify.h>

#include <gtest/gtest.h>

#include "async/file_watch.hpp"
#include "async/run.hpp"
#include "kernel/file.hpp"

namespace gantry::async {
namespace {

using namespace std::chrono_literals;

struct Ends {
  Descriptor read;
  Descriptor write;
};

Ends openPipe(Loop& loop) {
  kernel::Pipe pipe = *kernel::pipe();
  Ends ends;
  ends.read = *Descriptor::adopt(loop.get_executor(), std::move(pipe.read));
  ends.write = *Descriptor::adopt(loop.get_executor(), std::move(pipe.write));
  return ends;
}

Task<> writeAndClose(std::shared_ptr<Ends> ends, std::string data) {
  ignore(co_await ends->write.write(std::move(data)), "the reader reads all");
  ends->write.close();
}

Task<std::size_t> transfer(std::shared_ptr<Ends> ends, std::size_t size) {
  const Executor executor = co_await currentExecutor();
  Scope scope(executor);
  scope.spawn(writeAndClose(ends, std::string(size, 'x')));
  std::size_t total = 0;
  while (true) {
    const auto piece = co_await ends->read.read(1000);
    if (!piece || piece->empty()) break;
    total += piece->size();
  }
  co_await scope.join();
  co_return total;
}

TEST(Descriptor, MovesMoreThanAPipeHolds) {
  Loop loop;
  const auto ends = std::make_shared<Ends>(openPipe(loop));
  EXPECT_EQ(runUntilDone(loop, transfer(ends, 500'000)), 500'000U);
}

Task<> closeSoon(std::shared_ptr<Ends> ends) {
  ignore(co_await sleep(1ms), "not cancelled here");
  ends->read.close();
}

Task<Result<std::string>> readWhileClosing(std::shared_ptr<Ends> ends) {
  const Executor executor = co_await currentExecutor();
  Scope scope(executor);
  scope.spawn(closeSoon(ends));
  auto piece = co_await ends->read.read(10);
  co_await scope.join();
  co_return piece;
}

TEST(Descriptor, ClosingEndsAPendingRead) {
  Loop loop;
  const auto ends = std::make_shared<Ends>(openPipe(loop));
  const auto piece = runUntilDone(loop, readWhileClosing(ends));
  ASSERT_FALSE(piece);
  EXPECT_EQ(piece.error().code(), Code::Cancelled);
}

TEST(Descriptor, WritingToAPipeWithoutReaderIsUnavailable) {
  Loop loop;
  Ends ends = openPipe(loop);
  ends.read.close();
  const auto written = runUntilDone(loop, ends.write.write("x"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), Code::Unavailable);
}

TEST(Descriptor, SharedOnesKeepTheirFlags) {
  Loop loop;
  kernel::Pipe pipe = *kernel::pipe();
  const kernel::Fd copy = *kernel::duplicate(pipe.read);
  const Descriptor reader = *Descriptor::share(loop.get_executor(), std::move(pipe.read));
  EXPECT_EQ(::fcntl(copy.raw(), F_GETFL) & O_NONBLOCK, 0);
  ASSERT_TRUE(kernel::writeAll(pipe.write, "hello"));
  EXPECT_EQ(*runUntilDone(loop, reader.read(100)), "hello");
}

TEST(Descriptor, ARegularFileIsAlwaysReady) {
  Loop loop;
  const Descriptor file = *Descriptor::share(loop.get_executor(), *kernel::open("/proc/self/exe", O_RDONLY));
  EXPECT_EQ(runUntilDone(loop, file.read(4))->substr(1), "ELF");
}

// An event of the first pipe is in the loop's queue when the first pipe goes and the second one comes.
Task<Result<void>> waitAfterAnother() {
  const Executor executor = co_await currentExecutor();
  CO_TRY(kernel::Pipe first, kernel::pipe());
  CO_TRY(kernel::Pipe second, kernel::pipe());
  CO_TRY(Descriptor closed, Descriptor::adopt(executor, std::move(first.read)));
  co_await yield();
  CO_TRY_VOID(kernel::writeAll(first.write, "x"));
  co_await yield();
  closed = Descriptor();
  CO_TRY(const Descriptor empty, Descriptor::adopt(executor, std::move(second.read)));
  co_return co_await empty.readable();
}

TEST(Descriptor, AnEventOfAClosedOneIsNotItsSuccessors) {
  Loop loop;
  const auto readable = runUntilDone(loop, withTimeout(100ms, waitAfterAnother()));
  ASSERT_FALSE(readable) << "nothing was written to it";
  EXPECT_EQ(readable.error().code(), Code::Timeout) << readable.error().message();
}

TEST(FileWatch, TellsWhatChanged) {
  Loop loop;
  const std::string path = testing::TempDir() + "/gantry-watch-" + std::to_string(::getpid());
  ASSERT_TRUE(kernel::replaceFile(path, ""));
  const FileWatch watch = *FileWatch::open(loop.get_executor());
  const int number = *watch.add(path, IN_MODIFY);
  ASSERT_TRUE(kernel::writeAll(*kernel::open(path, O_WRONLY), "more"));
  const auto changes = runUntilDone(loop, watch.next());
  ASSERT_TRUE(changes);
  EXPECT_EQ(changes->front().watch, number);
  EXPECT_TRUE(changes->front().mask & IN_MODIFY);
  ignore(kernel::unlink(path), "a temporary file");
}

}  // namespace
}  // namespace gantry::async
