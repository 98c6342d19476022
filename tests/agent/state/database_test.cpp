#include "agent/state/database.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace gantry::agent::state {
namespace {

class DatabaseTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "gantry-state-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    path_ = directory_ + "/state.db";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  Database::Opened open() {
    Result<Database::Opened> opened = Database::open(path_);
    EXPECT_TRUE(opened) << opened.error().message();
    return std::move(*opened);
  }

  std::string directory_;
  std::string path_;
};

ContainerRecord record(std::string id) {
  return {.id = std::move(id),
          .request = R"({"id":"web"})",
          .image = "{}",
          .phase = "Running",
          .created = 5,
          .started = 6,
          .pid = 4711,
          .startTime = 12,
          .terminationMessage = "was killed",
          .waitStatus = 256};
}

TEST_F(DatabaseTest, KeepsWhatWasAppliedOverAReopen) {
  const std::array<Change, 6> changes{
      PutContainer{record("web")},   PutContainer{record("db")},         AddToLedger{{"web", "cgroup", "/gantry/web"}},
      AddToLedger{{"web", "a", ""}}, PutSavedState{"web", "net", "{x}"}, PutFact{"boot", "1"}};
  ASSERT_TRUE(open().database.apply(changes));

  const Contents contents = open().contents;
  EXPECT_EQ(contents.containers, (std::vector{record("db"), record("web")}));
  EXPECT_EQ(contents.ledger, (std::vector<LedgerEntry>{{"web", "a", ""}, {"web", "cgroup", "/gantry/web"}}));
  EXPECT_EQ(contents.savedStates.at({"web", "net"}), "{x}");
  EXPECT_EQ(contents.facts.at("boot"), "1");
}

TEST_F(DatabaseTest, KeepsTasksAndTheirStatusesInOrder) {
  const TaskRecord first{.number = 1, .framework = "f", .task = "a", .request = "{}", .progress = "{}"};
  const TaskRecord second{.number = 2, .framework = "f", .task = "b"};
  const StatusRecord starting{.task = 1, .position = 0, .status = "starting"};
  const StatusRecord running{.task = 1, .position = 1, .status = "running"};
  const std::array<Change, 9> changes{PutFramework{{"f", "{}"}},
                                      PutTask{second},
                                      PutTask{first},
                                      PutStatus{running},
                                      PutStatus{starting},
                                      PutStatus{{.task = 2, .status = "lost"}},
                                      AcknowledgeStatus{1, 0},
                                      PutTaskProgress{1, "{killed}"},
                                      PutFact{"drain", "x"}};
  ASSERT_TRUE(open().database.apply(changes));
  Database::Opened again = open();
  TaskRecord killed = first;
  killed.progress = "{killed}";
  StatusRecord acknowledged = starting;
  acknowledged.acknowledged = true;
  EXPECT_EQ(again.contents.frameworks, (std::vector<FrameworkRecord>{{"f", "{}"}}));
  EXPECT_EQ(again.contents.tasks, (std::vector{killed, second}));
  EXPECT_EQ(again.contents.statuses, (std::vector{acknowledged, running, StatusRecord{.task = 2, .status = "lost"}}));

  const std::array<Change, 3> deletes{DeleteTask{1}, DeleteFramework{"f"}, DeleteFact{"drain"}};
  ASSERT_TRUE(again.database.apply(deletes));
  const Result<Contents> left = again.database.load();
  ASSERT_TRUE(left);
  EXPECT_TRUE(left->frameworks.empty());
  EXPECT_EQ(left->tasks, (std::vector{second}));
  EXPECT_EQ(left->statuses.size(), 1U);
  EXPECT_FALSE(left->facts.contains("drain"));
}

TEST_F(DatabaseTest, TakesUpTheFileOfAnAgentThatKnewNoTasks) {
  open();
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &raw), SQLITE_OK);
  sqlite3_exec(raw,
               "INSERT INTO facts VALUES ('boot', '1'); PRAGMA user_version=1;"
               "DROP TABLE frameworks; DROP TABLE tasks; DROP TABLE statuses",
               nullptr, nullptr, nullptr);
  sqlite3_close(raw);

  const std::array<Change, 1> change{PutTask{{.number = 1, .framework = "f", .task = "a"}}};
  ASSERT_TRUE(open().database.apply(change));
  const Contents contents = open().contents;
  EXPECT_EQ(contents.facts.at("boot"), "1");
  EXPECT_EQ(contents.tasks.size(), 1U);
}

TEST_F(DatabaseTest, DeletesAreNoErrorWhenNothingIsThere) {
  Database::Opened opened = open();
  const std::array<Change, 4> changes{DeleteContainer{"web"}, StrikeFromLedger{{"web", "a", "b"}},
                                      StrikeAllFromLedger{"web"}, DeleteSavedStates{"web"}};
  EXPECT_TRUE(opened.database.apply(changes));
}

TEST_F(DatabaseTest, DeletingAContainerDeletesItsSavedStatesAndKeepsTheLedger) {
  Database::Opened opened = open();
  const std::array<Change, 4> changes{PutContainer{record("web")}, PutSavedState{"web", "net", "1"},
                                      AddToLedger{{"web", "cgroup", "/gantry/web"}}, DeleteContainer{"web"}};
  ASSERT_TRUE(opened.database.apply(changes));
  const Result<Contents> contents = opened.database.load();
  ASSERT_TRUE(contents);
  EXPECT_TRUE(contents->containers.empty());
  EXPECT_TRUE(contents->savedStates.empty());
  EXPECT_EQ(contents->ledger.size(), 1U);
}

TEST_F(DatabaseTest, IsReadableByItsOwnerOnly) {
  open();
  struct stat status{};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(DatabaseTest, KeepsASecondAgentOut) {
  const Database::Opened first = open();
  const Result<Database::Opened> second = Database::open(path_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::Busy);
}

TEST_F(DatabaseTest, RefusesTheFileOfANewerAgent) {
  open();
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &raw), SQLITE_OK);
  sqlite3_exec(raw, "PRAGMA user_version=99", nullptr, nullptr, nullptr);
  sqlite3_close(raw);

  const Result<Database::Opened> opened = Database::open(path_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::Unsupported);
  EXPECT_EQ(opened.error().message(),
            "state database '" + path_ + "': was written by a newer agent (schema 99, this agent knows up to 2)");
}

TEST_F(DatabaseTest, SetsACorruptFileAsideAndStartsAnew) {
  std::ofstream(path_) << std::string(8192, 'x');
  const Database::Opened opened = open();
  EXPECT_EQ(opened.setAside, path_ + ".corrupt-1");
  EXPECT_TRUE(std::filesystem::exists(path_ + ".corrupt-1"));
  EXPECT_TRUE(opened.contents.containers.empty());
}

TEST_F(DatabaseTest, NoticesDamageInsideATable) {
  {
    Database::Opened opened = open();
    std::vector<Change> changes;
    for (int i = 0; i < 500; ++i) changes.push_back(PutContainer{record("container-" + std::to_string(i))});
    ASSERT_TRUE(opened.database.apply(changes));
  }
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3 * 4096);
    file << std::string(8192, '\xee');
  }
  EXPECT_EQ(open().setAside, path_ + ".corrupt-1");
}

TEST_F(DatabaseTest, NamesTheFileItCannotOpen) {
  const Result<Database::Opened> opened = Database::open(directory_ + "/missing/state.db");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::NotFound);
}

}  // namespace
}  // namespace gantry::agent::state
