#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "tests/agent/api/served.hpp"

namespace gantry::agent::api {
namespace {

using nlohmann::json;

class SandboxFiles : public Served {
 protected:
  SandboxFiles() {
    launch("web");
    sandbox_ = directory_ + "/web";
    std::ofstream(sandbox_ + "/stdout") << "hello\n";
    ::mkdir((sandbox_ + "/sub").c_str(), 0755);
    std::ofstream(sandbox_ + "/sub/file") << "inner";
    std::ofstream(directory_ + "/secret") << "secret";
  }

  http::Response list(const std::string& path) {
    return call(json{{"type", "LIST_FILES"}, {"list_files", {{"path", path}}}}.dump());
  }
  http::Response read(const std::string& path, const std::string& more = R"("offset":0)") {
    return call(R"({"type":"READ_FILE","read_file":{"path":)" + json(path).dump() + "," + more + "}}");
  }
  std::string contentOf(const http::Response& response) {
    EXPECT_EQ(response.status, 200) << response.body;
    if (response.status != 200) return "";
    return *fromBase64(json::parse(response.body)["read_file"]["data"].get<std::string>());
  }

  std::string sandbox_;
};

TEST_F(SandboxFiles, AreListedByRealAndVirtualPath) {
  for (const std::string& root : {sandbox_, std::string("/containers/web"), std::string("/containers/web/")}) {
    const auto response = list(root);
    ASSERT_EQ(response.status, 200) << response.body;
    const json files = json::parse(response.body)["list_files"]["file_infos"];
    ASSERT_EQ(files.size(), 2U);
    EXPECT_TRUE(files[0]["path"].get<std::string>().ends_with("/web/stdout"));
    EXPECT_EQ(files[0]["size"], 6);
    EXPECT_TRUE(S_ISDIR(files[1]["mode"].get<unsigned>()));
  }
  EXPECT_EQ(json::parse(list(sandbox_ + "/sub").body)["list_files"]["file_infos"].size(), 1U);
}

TEST_F(SandboxFiles, AreReadInPieces) {
  EXPECT_EQ(contentOf(read("/containers/web/stdout")), "hello\n");
  EXPECT_EQ(contentOf(read(sandbox_ + "/stdout", R"("offset":1,"length":3)")), "ell");
  EXPECT_EQ(contentOf(read(sandbox_ + "/stdout", R"("offset":100)")), "");
  EXPECT_EQ(contentOf(read(sandbox_ + "/stdout", R"("offset":18446744073709551615)")), "");
  EXPECT_EQ(json::parse(read(sandbox_ + "/stdout").body)["read_file"]["size"], 6);
  std::ofstream(sandbox_ + "/large") << std::string(200'000, 'x');
  EXPECT_EQ(contentOf(read(sandbox_ + "/large")).size(), 65536U);
}

TEST_F(SandboxFiles, OutsideAreOutOfReach) {
  ASSERT_EQ(::symlink("../secret", (sandbox_ + "/up").c_str()), 0);
  ASSERT_EQ(::symlink("/etc/passwd", (sandbox_ + "/absolute").c_str()), 0);
  ASSERT_EQ(::symlink("/proc/self/root", (sandbox_ + "/magic").c_str()), 0);
  ASSERT_EQ(::symlink("..", (sandbox_ + "/parent").c_str()), 0);
  for (const char* path :
       {"/up", "/absolute", "/magic/etc/passwd", "/parent/secret", "/../secret", "/sub/../../secret"}) {
    const auto response = read(sandbox_ + path);
    EXPECT_EQ(response.status, 400) << path << ": " << response.body;
  }
  for (const char* path : {"/etc/passwd", "/containers/nobody/stdout", "", "/", "relative"}) {
    EXPECT_EQ(read(path).status, 404) << path;
  }
  EXPECT_EQ(read(directory_ + "/website").status, 404) << "a name that begins alike is another one";
  ASSERT_EQ(::symlink("sub/file", (sandbox_ + "/inside").c_str()), 0);
  EXPECT_EQ(contentOf(read(sandbox_ + "/inside")), "inner");
}

TEST_F(SandboxFiles, ThatAreNoFilesAreNotOpened) {
  ASSERT_EQ(::mkfifo((sandbox_ + "/fifo").c_str(), 0600), 0);
  EXPECT_EQ(read(sandbox_ + "/fifo").status, 400) << "and it does not hang";
  EXPECT_EQ(read(sandbox_ + "/sub").status, 400);
  EXPECT_EQ(list(sandbox_ + "/stdout").status, 400);
  EXPECT_EQ(list(sandbox_ + "/nothing").status, 404);
  EXPECT_EQ(list(sandbox_ + "/stdout/nothing").status, 400);
  EXPECT_EQ(read(sandbox_ + "/" + std::string(5000, 'x')).status, 400);
  EXPECT_EQ(read(sandbox_ + "/nothing").status, 404);
}

}  // namespace
}  // namespace gantry::agent::api
