// Mesos' GET endpoints that say nothing of tasks: files, logging, the host.
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/log.hpp"
#include "tests/agent/api/served.hpp"

namespace gantry::agent::api {
namespace {

using nlohmann::json;

class Files : public Served {
 protected:
  Files() {
    launch("web");
    sandbox_ = directory_ + "/web";
    std::ofstream(sandbox_ + "/stdout") << "hello\n";
    ::mkdir((sandbox_ + "/sub").c_str(), 0755);
    ::chmod((sandbox_ + "/sub").c_str(), 01755);
    ::chmod((sandbox_ + "/stdout").c_str(), 0640);
  }

  std::string sandbox_;
};

TEST_F(Files, AreBrowsedAsTheWebUiDoes) {
  for (const std::string& target :
       {"/files/browse?path=" + sandbox_, std::string("/slave(1)/files/browse.json?path=/containers//web/")}) {
    const auto response = get(target);
    ASSERT_EQ(response.status, 200) << response.body;
    const json files = json::parse(response.body);
    ASSERT_EQ(files.size(), 2U);
    EXPECT_EQ(files[0]["mode"], "-rw-r-----");
    EXPECT_EQ(files[0]["size"], 6);
    EXPECT_EQ(files[0]["nlink"], 1);
    EXPECT_TRUE(files[0]["path"].get<std::string>().ends_with("web/stdout"));
    EXPECT_TRUE(files[0]["mtime"].is_number_float());
    EXPECT_TRUE(files[0]["uid"].is_string());
    EXPECT_TRUE(files[0]["gid"].is_string());
    EXPECT_EQ(files[1]["mode"], "drwxr-xr-t");
  }
  EXPECT_EQ(get("/files/browse").status, 400);
  EXPECT_EQ(get("/files/browse?path=/nowhere").status, 404);
  EXPECT_EQ(get("/files/browse?path=" + sandbox_ + "/../..").status, 400);
}

TEST_F(Files, AreReadFromAnOffset) {
  const std::string path = "/files/read?path=" + sandbox_ + "/stdout";
  EXPECT_EQ(get(path).body, R"({"data":"","offset":6})");
  EXPECT_EQ(get(path + "&offset=-1").body, R"({"data":"","offset":6})");
  EXPECT_EQ(get(path + "&offset=0&length=-1").body, R"({"data":"hello\n","offset":0})");
  EXPECT_EQ(get(path + "&offset=1&length=3").body, R"({"data":"ell","offset":1})");
  EXPECT_EQ(get(path + "&offset=7").body, R"({"data":"","offset":7})");
  EXPECT_EQ(get(path + "&offset=-2").status, 400);
  EXPECT_EQ(get(path + "&offset=x").body, "offset: must be a whole number from -1 on, not 'x'");
  EXPECT_EQ(get("/files/read?path=" + sandbox_).status, 400);
  EXPECT_EQ(get("/files/read").body, "path: is required");
  std::ofstream(sandbox_ + "/bytes") << "a\xff";
  EXPECT_EQ(get("/files/read?path=" + sandbox_ + "/bytes&offset=0").body, "{\"data\":\"a\xef\xbf\xbd\",\"offset\":0}");
}

TEST_F(Files, AreDownloadedWhole) {
  std::ofstream(sandbox_ + "/a\"\nb.txt") << std::string(200'000, 'x');
  const auto response = get("/files/download?path=" + http::percentEncode(sandbox_ + "/a\"\nb.txt"));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, std::string(200'000, 'x'));
  EXPECT_EQ(response.headers.find("Content-Type"), "text/plain");
  EXPECT_EQ(response.headers.find("Content-Disposition"), "attachment; filename=\"a__b.txt\"");
  EXPECT_EQ(get("/files/download?path=" + sandbox_ + "/stdout").headers.find("Content-Type"),
            "application/octet-stream");
  EXPECT_EQ(get("/files/download?path=" + sandbox_).status, 400);
  EXPECT_EQ(get("/files/download?path=/nowhere").status, 404);
}

TEST_F(Files, AreAttachedByRealAndVirtualName) {
  const json attached = json::parse(get("/files/debug").body);
  EXPECT_EQ(attached, (json{{sandbox_, sandbox_}, {"/containers/web", sandbox_}}));
}

TEST_F(Served, WrapsJsonForPagesOfOtherHosts) {
  const auto response = get("/flags?jsonp=angular.callbacks._0");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.find("Content-Type"), "text/javascript");
  EXPECT_EQ(response.body, R"(angular.callbacks._0({"flags":{"port":"5051"}});)");
  EXPECT_EQ(get("/flags?jsonp=alert(1)//").body, "jsonp: 'alert(1)//' is no name of a function");
  EXPECT_EQ(get("/flags.json").body, R"({"flags":{"port":"5051"}})");
}

class WithOddFlags : public Served {
 protected:
  WithOddFlags() : Served(odd()) {}

  static Settings odd() {
    Settings made = settings();
    made.flags = {{"attributes", "site:caf\xe9"}};
    return made;
  }
};

TEST_F(WithOddFlags, ShowsThemWhetherTheyAreUtf8OrNot) {
  const auto response = get("/flags");
  EXPECT_NE(response.body.find("\"attributes\":\"site:caf\xef\xbf\xbd\""), std::string::npos) << response.body;
}

TEST_F(Served, TellsHowBusyTheHostIs) {
  const json stats = json::parse(get("/system/stats.json").body);
  EXPECT_EQ(stats.size(), 6U);
  EXPECT_GT(stats["cpus_total"].get<int>(), 0);
  EXPECT_GE(stats["avg_load_1min"].get<double>(), 0);
  EXPECT_GT(stats["mem_total_bytes"].get<std::uint64_t>(), stats["mem_free_bytes"].get<std::uint64_t>());
}

TEST_F(Served, RaisesTheLogLevelForAWhile) {
  const gantry::log::Level before = gantry::log::level();
  EXPECT_EQ(get("/logging/toggle").body, "0\n");
  EXPECT_EQ(get("/logging/toggle?level=1&duration=10ms").status, 200);
  EXPECT_EQ(gantry::log::level(), gantry::log::Level::Debug);
  EXPECT_EQ(get("/logging/toggle").body, "1\n");
  EXPECT_EQ(get("/logging/toggle?level=2&duration=20ms").status, 200) << "the later one counts";
  for (int i = 0; i < 500 && gantry::log::level() != before; ++i) {
    ASSERT_TRUE(run(async::sleep(5ms)));
  }
  EXPECT_EQ(gantry::log::level(), before);
  EXPECT_EQ(get("/logging/toggle").body, "0\n");
  EXPECT_EQ(get("/logging/toggle?level=1").body, "duration: is required beside 'level'");
  EXPECT_EQ(get("/logging/toggle?level=x&duration=1secs").body, "level: must be a whole number, not 'x'");
  EXPECT_EQ(get("/logging/toggle?level=1&duration=1").status, 400);
  EXPECT_EQ(get("/logging/toggle?level=3&duration=1hrs").status, 200);
}

}  // namespace
}  // namespace gantry::agent::api
