#include "async/socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "async/run.hpp"
#include "kernel/file.hpp"

namespace gantry::async {
namespace {

using namespace std::chrono_literals;

class SocketTest : public testing::Test {
 protected:
  SocketTest() {
    std::string pattern = testing::TempDir() + "/gantry-socket-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }
  ~SocketTest() override { ignore(kernel::removeTree(directory_), "a temporary directory"); }

  Loop loop_;
  std::string directory_;
};

Task<> echoOnce(std::shared_ptr<Listener> listener, std::shared_ptr<std::optional<Peer>> peer) {
  auto stream = co_await listener->accept();
  if (!stream) co_return;
  *peer = (*stream)->peer();
  auto piece = co_await (*stream)->read(100);
  if (piece) ignore(co_await (*stream)->write(std::move(*piece)), "the test sees what arrives");
}

Task<Result<std::string>> ask(Task<Result<StreamPtr>> connecting) {
  CO_TRY(StreamPtr stream, co_await std::move(connecting));
  CO_TRY_VOID(co_await stream->write("hello"));
  stream->closeWrite();
  co_return co_await stream->read(100);
}

Task<Result<std::string>> roundTrip(std::shared_ptr<Listener> listener, Task<Result<StreamPtr>> connecting,
                                    std::shared_ptr<std::optional<Peer>> peer) {
  const Executor executor = co_await currentExecutor();
  Scope scope(executor);
  scope.spawn(echoOnce(listener, peer));
  auto answer = co_await ask(std::move(connecting));
  scope.cancel();
  co_await scope.join();
  co_return answer;
}

TEST_F(SocketTest, TcpConnectionsCarryBytesBothWays) {
  const auto listener = std::make_shared<Listener>(*Listener::onTcp(loop_.get_executor(), "127.0.0.1", 0));
  const auto peer = std::make_shared<std::optional<Peer>>();
  ASSERT_NE(listener->port(), 0);
  EXPECT_EQ(*runUntilDone(loop_, roundTrip(listener, connectTcp("localhost", listener->port()), peer)), "hello");
  EXPECT_EQ((*peer)->address.substr(0, 10), "127.0.0.1:");
  EXPECT_FALSE((*peer)->credentials);
}

TEST_F(SocketTest, UnixConnectionsTellWhoConnects) {
  const std::string path = directory_ + "/s";
  const auto listener = std::make_shared<Listener>(*Listener::onUnix(loop_.get_executor(), path, 0600));
  const auto peer = std::make_shared<std::optional<Peer>>();
  EXPECT_EQ(*runUntilDone(loop_, roundTrip(listener, connectUnix(path), peer)), "hello");
  ASSERT_TRUE((*peer)->credentials);
  EXPECT_EQ((*peer)->credentials->pid, ::getpid());
  EXPECT_EQ(kernel::statAt(kernel::workingDirectory(), path)->st_mode & 0777U, 0600U);
}

TEST_F(SocketTest, LongPathsWork) {
  const std::string deep = directory_ + "/" + std::string(200, 'd');
  ASSERT_TRUE(kernel::makeDirectories(deep, 0700));
  const std::string path = deep + "/monitor.sock";
  const auto listener = std::make_shared<Listener>(*Listener::onUnix(loop_.get_executor(), path));
  const auto peer = std::make_shared<std::optional<Peer>>();
  EXPECT_EQ(*runUntilDone(loop_, roundTrip(listener, connectUnix(path), peer)), "hello");
}

TEST_F(SocketTest, AStaleSocketFileIsReplacedAndALiveOneIsNot) {
  const std::string path = directory_ + "/s";
  ASSERT_TRUE(Listener::onUnix(loop_.get_executor(), path)) << "closed at once, the file stays";
  ASSERT_TRUE(kernel::exists(path));
  const auto refused = runUntilDone(loop_, connectUnix(path));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::Unavailable);
  const auto second = Listener::onUnix(loop_.get_executor(), path);
  ASSERT_TRUE(second);
  const auto third = Listener::onUnix(loop_.get_executor(), path);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code(), Code::AlreadyExists);
}

TEST_F(SocketTest, ATakenPortIsNamed) {
  const auto first = Listener::onTcp(loop_.get_executor(), "127.0.0.1", 0);
  const auto second = Listener::onTcp(loop_.get_executor(), "127.0.0.1", first->port());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::AlreadyExists);
  EXPECT_NE(second.error().message().find(std::to_string(first->port())), std::string::npos);
}

TEST_F(SocketTest, ConnectingToAClosedPortIsUnavailable) {
  std::uint16_t port = 0;
  {
    const auto listener = Listener::onTcp(loop_.get_executor(), "127.0.0.1", 0);
    port = listener->port();
  }
  const auto stream = runUntilDone(loop_, connectTcp("127.0.0.1", port));
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code(), Code::Unavailable);
}

TEST_F(SocketTest, PacketsKeepTheirBounds) {
  kernel::SocketPair pair = *kernel::socketPair(SOCK_SEQPACKET);
  const PacketSocket first = *PacketSocket::adopt(loop_.get_executor(), std::move(pair.first));
  PacketSocket second = *PacketSocket::adopt(loop_.get_executor(), std::move(pair.second));
  ASSERT_TRUE(runUntilDone(loop_, second.send("one")));
  ASSERT_TRUE(runUntilDone(loop_, second.send("and two")));
  EXPECT_EQ(*runUntilDone(loop_, first.receive()), "one");
  const auto tooLong = runUntilDone(loop_, first.receive(3));
  ASSERT_FALSE(tooLong);
  EXPECT_EQ(tooLong.error().code(), Code::Exhausted);
  second.close();
  EXPECT_EQ(*runUntilDone(loop_, first.receive()), "");
}

}  // namespace
}  // namespace gantry::async
