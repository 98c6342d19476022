#include "agent/master/tls.hpp"

#include <unistd.h>
#include <cstdlib>
#include <filesystem>
#include <map>

#include <gtest/gtest.h>

#include "async/run.hpp"
#include "async/scope.hpp"
#include "async/socket.hpp"

namespace gantry::agent::master {
namespace {

using namespace std::chrono_literals;
using async::Task;

Result<TlsSettings> settingsOf(const std::map<std::string, std::string>& environment) {
  return readTlsSettings([&](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional<std::string>(found->second);
  });
}

TEST(TlsSettings, AreOffByDefault) {
  const auto settings = settingsOf({{"SSL_CERT_FILE", "/elsewhere"}, {"SSL_VERIFICATION_DEPTH", "nonsense"}});
  ASSERT_TRUE(settings);
  EXPECT_FALSE(settings->enabled);
}

TEST(TlsSettings, AreReadFromEitherName) {
  const auto settings = settingsOf({{"LIBPROCESS_SSL_ENABLED", "1"},
                                    {"SSL_KEY_FILE", "/k"},
                                    {"LIBPROCESS_SSL_CERT_FILE", "/c"},
                                    {"SSL_CERT_FILE", "/not-this"},
                                    {"LIBPROCESS_SSL_REQUIRE_CERT", "true"},
                                    {"LIBPROCESS_SSL_VERIFICATION_DEPTH", "7"},
                                    {"LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME", "openssl"}});
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(settings->keyFile, "/k");
  EXPECT_EQ(settings->certificateFile, "/c");
  EXPECT_TRUE(settings->requireClient);
  EXPECT_TRUE(settings->verifyServer);
  EXPECT_EQ(settings->verificationDepth, 7);
  EXPECT_EQ(settings->validation, TlsSettings::Validation::OpenSsl);
  EXPECT_TRUE(settings->tls12);
  EXPECT_FALSE(settings->tls13);
}

TEST(TlsSettings, NameTheVariableThatIsWrong) {
  const std::map<std::string, std::string> good = {
      {"LIBPROCESS_SSL_ENABLED", "true"}, {"LIBPROCESS_SSL_KEY_FILE", "/k"}, {"LIBPROCESS_SSL_CERT_FILE", "/c"}};
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"LIBPROCESS_SSL_ENABLED", "perhaps"},
                                          {"LIBPROCESS_SSL_KEY_FILE", ""},
                                          {"LIBPROCESS_SSL_CERT_FILE", ""},
                                          {"LIBPROCESS_SSL_VERIFICATION_DEPTH", "deep"},
                                          {"LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME", "guess"}}) {
    auto bad = good;
    bad[name] = value;
    const auto settings = settingsOf(bad);
    ASSERT_FALSE(settings) << name;
    EXPECT_NE(settings.error().message().find(name), std::string::npos) << settings.error().message();
  }
}

// Certificates for "localhost" and 127.0.0.1, made once: one that is trusted, and one that is not.
class TlsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string directory = testing::TempDir() + "gantry-tls-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    directory_ = directory;
    for (const char* name : {"good", "other"}) {
      const std::string command =
          "cd " + directory_ + " && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout " + name + ".key -out " +
          name + ".pem -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>log";
      ASSERT_EQ(std::system(command.c_str()), 0);
    }
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(directory_); }

  static TlsSettings settings(const std::string& name = "good") {
    TlsSettings settings;
    settings.enabled = true;
    settings.certificateFile = directory_ + "/" + name + ".pem";
    settings.keyFile = directory_ + "/" + name + ".key";
    settings.caFile = directory_ + "/good.pem";
    return settings;
  }

  // A server that writes back what it reads, for one connection.
  static Task<> echo(const async::Listener* listener, const Tls* tls, std::string* failure) {
    auto plain = co_await listener->accept();
    if (!plain) co_return;
    auto stream = co_await tls->accept(std::move(*plain));
    if (!stream) {
      *failure = stream.error().message();
      co_return;
    }
    while (true) {
      auto piece = co_await (*stream)->read(4096);
      if (!piece || piece->empty()) co_return;
      const auto written = co_await (*stream)->write(std::move(*piece));
      if (!written) co_return;
    }
  }
  static Task<Result<std::string>> say(async::ByteStream* stream, std::string text) {
    const std::size_t size = text.size();
    const async::Executor executor = co_await async::currentExecutor();
    async::Scope scope(executor);
    scope.spawn(writeAll(stream, std::move(text)));
    std::string back;
    while (back.size() < size) {
      auto piece = co_await stream->read(4096);
      if (!piece || piece->empty()) break;
      back += *piece;
    }
    co_await scope.join();
    co_return back;
  }
  // On the loop: cancelling what is about to end anyway is not safe from outside it.
  static async::Task<> endAll(async::Scope* scope) {
    scope->cancel();
    co_await scope->join();
  }
  static Task<> writeAll(async::ByteStream* stream, std::string text) {
    ignore(co_await stream->write(std::move(text)), "the test sees what comes back");
  }
  static Task<Result<std::string>> converse(const Tls* client, Address to, std::string text) {
    Result<async::StreamPtr> stream = Error(Code::Internal, "none");
    if (client == nullptr) {
      stream = co_await async::connectTcp(to.host, to.port);
    } else {
      stream = co_await client->connect(to, "");
    }
    if (!stream) co_return stream.error();
    auto back = co_await say(stream->get(), std::move(text));
    (*stream)->close();
    co_return back;
  }

  // What comes back of `text`; the client speaks plainly without settings.
  Result<std::string> talk(TlsSettings server, std::optional<TlsSettings> client, std::string text = "hello",
                           const std::string& host = "127.0.0.1") {
    auto theirs = Tls::make(std::move(server));
    EXPECT_TRUE(theirs) << theirs.error().message();
    std::optional<Tls> ours;
    if (client) {
      auto made = Tls::make(std::move(*client));
      EXPECT_TRUE(made) << made.error().message();
      ours = *made;
    }
    auto listener = async::Listener::onTcp(loop_.get_executor(), "127.0.0.1", 0);
    EXPECT_TRUE(listener);
    async::Scope scope(loop_.get_executor());
    scope.spawn(echo(&*listener, &*theirs, &serverFailure_));
    auto talking = converse(ours ? &*ours : nullptr, {host, listener->port()}, std::move(text));
    auto back = async::runUntilDone(loop_, async::withTimeout(10s, std::move(talking)));
    async::runUntilDone(loop_, endAll(&scope));
    return back;
  }

  static inline std::string directory_;
  async::Loop loop_;
  std::string serverFailure_;
};

TEST_F(TlsTest, CarriesBytesBothWays) {
  const auto back = talk(settings(), settings());
  ASSERT_TRUE(back) << back.error().message() << serverFailure_;
  EXPECT_EQ(*back, "hello");
}

TEST_F(TlsTest, CarriesManyBytesBothWaysAtOnce) {
  const std::string text(3U << 20U, 'x');
  const auto back = talk(settings(), settings(), text);
  ASSERT_TRUE(back) << back.error().message() << serverFailure_;
  EXPECT_EQ(back->size(), text.size());
}

TEST_F(TlsTest, SpeaksWithTheCiphersThatMesosHasByDefault) {
  TlsSettings mesos = settings();
  mesos.ciphers = "AES128-SHA:AES256-SHA:RC4-SHA:DHE-RSA-AES128-SHA:DHE-DSS-AES128-SHA:DHE-RSA-AES256-SHA";
  EXPECT_TRUE(talk(mesos, settings()));
  EXPECT_TRUE(talk(settings(), mesos));
}

TEST_F(TlsTest, TrustsACertificateThatIsForTheName) {
  TlsSettings client = settings();
  client.verifyServer = true;
  client.validation = TlsSettings::Validation::OpenSsl;
  const auto back = talk(settings(), client, "hello", "localhost");
  EXPECT_TRUE(back) << back.error().message();
  const auto byAddress = talk(settings(), client);
  ASSERT_FALSE(byAddress);
  EXPECT_NE(byAddress.error().message().find("VERIFY_IPADD"), std::string::npos);
  client.verifyAddress = true;
  EXPECT_TRUE(talk(settings(), client));
}

TEST_F(TlsTest, TrustsACertificateThatIsForTheAddressesName) {
  TlsSettings client = settings();
  client.verifyServer = true;
  client.verifyAddress = true;
  const auto back = talk(settings(), client);
  EXPECT_TRUE(back) << back.error().message();
}

TEST_F(TlsTest, RefusesAServerThatNobodyVouchesFor) {
  TlsSettings client = settings();
  client.verifyServer = true;
  const auto back = talk(settings("other"), client);
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code(), Code::PermissionDenied) << back.error().message();
}

TEST_F(TlsTest, RefusesAClientThatNobodyVouchesFor) {
  TlsSettings server = settings();
  server.requireClient = true;
  server.verifyAddress = true;
  EXPECT_EQ(talk(server, settings()).value_or(""), "hello") << serverFailure_;
  EXPECT_NE(talk(server, settings("other")).value_or(""), "hello");
  EXPECT_NE(serverFailure_.find("certificate"), std::string::npos) << serverFailure_;
}

TEST_F(TlsTest, ServesPlainClientsOnlyWhereItMayDowngrade) {
  EXPECT_NE(talk(settings(), std::nullopt).value_or(""), "hello");
  TlsSettings lenient = settings();
  lenient.supportDowngrade = true;
  EXPECT_EQ(talk(lenient, std::nullopt).value_or(""), "hello");
  EXPECT_EQ(talk(lenient, settings()).value_or(""), "hello");
}

TEST_F(TlsTest, HasNoCommonGroundWithNewerProtocolsOnly) {
  TlsSettings newer = settings();
  newer.tls12 = false;
  newer.tls13 = true;
  EXPECT_FALSE(talk(settings(), newer));
  EXPECT_TRUE(talk(newer, newer));
}

TEST_F(TlsTest, SaysWhichFileIsWrong) {
  TlsSettings wrong = settings();
  wrong.keyFile = directory_ + "/other.key";
  EXPECT_NE(Tls::make(wrong).error().message().find("KEY_FILE"), std::string::npos);
  wrong = settings();
  wrong.certificateFile = "/nonexistent";
  EXPECT_NE(Tls::make(wrong).error().message().find("CERT_FILE"), std::string::npos);
  wrong = settings();
  wrong.caFile = "/nonexistent";
  EXPECT_NE(Tls::make(wrong).error().message().find("CA_FILE"), std::string::npos);
  wrong = settings();
  wrong.ciphers = "NONE-OF-THESE";
  EXPECT_NE(Tls::make(wrong).error().message().find("CIPHERS"), std::string::npos);
}

}  // namespace
}  // namespace gantry::agent::master
