#include "agent/state/database.hpp"

#include <fcntl.h>

#include <fmt/format.h>

#include "agent/state/sqlite.hpp"
#include "base/scope_exit.hpp"
#include "kernel/file.hpp"

namespace gantry::agent::state {
namespace {

constexpr const char* kSchema = R"(
  CREATE TABLE containers (
    id TEXT PRIMARY KEY, request TEXT NOT NULL, image TEXT NOT NULL, phase TEXT NOT NULL,
    created INTEGER NOT NULL, started INTEGER, finished INTEGER,
    pid INTEGER NOT NULL, start_time INTEGER NOT NULL,
    termination_state TEXT, termination_reason TEXT, termination_message TEXT, wait_status INTEGER
  ) WITHOUT ROWID;
  CREATE TABLE ledger (
    container TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (container, kind, name)
  ) WITHOUT ROWID;
  CREATE TABLE saved_states (
    container TEXT NOT NULL, isolator TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (container, isolator)
  ) WITHOUT ROWID;
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
)";

// What version 2 has beyond version 1.
constexpr const char* kTaskSchema = R"(
  CREATE TABLE frameworks (id TEXT PRIMARY KEY, framework TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE tasks (
    number INTEGER PRIMARY KEY, framework TEXT NOT NULL, task TEXT NOT NULL, request TEXT NOT NULL,
    progress TEXT NOT NULL
  );
  CREATE TABLE statuses (
    task INTEGER NOT NULL, position INTEGER NOT NULL, status TEXT NOT NULL, acknowledged INTEGER NOT NULL,
    PRIMARY KEY (task, position)
  ) WITHOUT ROWID;
)";

// locking_mode=EXCLUSIVE keeps a second agent out, and needs no shared-memory file beside the database.
constexpr const char* kSettings = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;";

Result<int> schemaVersion(const Connection& connection) {
  TRY(auto query, Statement::prepare(connection, "PRAGMA user_version"));
  TRY_VOID(query.step());
  return static_cast<int>(query.integer());
}

Result<void> checkIntegrity(const Connection& connection) {
  TRY(auto check, Statement::prepare(connection, "PRAGMA quick_check(1)"));
  TRY_VOID(check.step());
  const std::string verdict = check.text();
  if (verdict != "ok") return Error(Code::Unavailable, verdict);
  return {};
}

// Makes the tables that version `from` does not have; 0: there are none yet.
Result<void> createTables(const Connection& connection, int from) {
  TRY_VOID(execute(connection, "BEGIN IMMEDIATE"));
  ScopeExit rollBack([&] { ignore(execute(connection, "ROLLBACK"), "the first failure is reported"); });
  if (from < 1) TRY_VOID(execute(connection, kSchema));
  TRY_VOID(execute(connection, kTaskSchema));
  TRY_VOID(execute(connection, fmt::format("PRAGMA user_version={}", Database::kSchemaVersion).c_str()));
  TRY_VOID(execute(connection, "COMMIT"));
  rollBack.release();
  return {};
}

// The first name of the kind "<path>.corrupt-<n>" that is free.
std::string freeName(const std::string& path) {
  for (int n = 1;; ++n) {
    std::string name = fmt::format("{}.corrupt-{}", path, n);
    if (!kernel::exists(name)) return name;
  }
}

Result<std::string> setAside(const std::string& path) {
  std::string name = freeName(path);
  TRY_VOID(kernel::rename(path, name));
  if (kernel::exists(path + "-wal")) TRY_VOID(kernel::rename(path + "-wal", name + "-wal"));
  if (kernel::exists(path + "-shm")) TRY_VOID(kernel::unlink(path + "-shm"));
  return name;
}

}  // namespace

struct Database::Handle {
  // First, so that the statements go before it.
  Connection connection;
  Statement begin, commit, rollback;
  Statement putContainer, deleteContainer, addToLedger, strikeFromLedger, strikeAll, putState, deleteStates, putFact,
      deleteFact;
  Statement putFramework, deleteFramework, putTask, putProgress, deleteTask, deleteStatuses, putStatus, acknowledge;

  static Result<std::unique_ptr<Handle>> prepare(Connection connection);

  Result<void> apply(const PutContainer& change);
  Result<void> apply(const DeleteContainer& change);
  Result<void> apply(const AddToLedger& change);
  Result<void> apply(const StrikeFromLedger& change);
  Result<void> apply(const StrikeAllFromLedger& change);
  Result<void> apply(const PutSavedState& change);
  Result<void> apply(const DeleteSavedStates& change);
  Result<void> apply(const PutFact& change);
  Result<void> apply(const DeleteFact& change);
  Result<void> apply(const PutFramework& change);
  Result<void> apply(const DeleteFramework& change);
  Result<void> apply(const PutTask& change);
  Result<void> apply(const PutTaskProgress& change);
  Result<void> apply(const DeleteTask& change);
  Result<void> apply(const PutStatus& change);
  Result<void> apply(const AcknowledgeStatus& change);
};

Result<std::unique_ptr<Database::Handle>> Database::Handle::prepare(Connection connection) {
  const auto statement = [&](const char* sql) { return Statement::prepare(connection, sql); };
  TRY(auto begin, statement("BEGIN IMMEDIATE"));
  TRY(auto commit, statement("COMMIT"));
  TRY(auto rollback, statement("ROLLBACK"));
  TRY(auto putContainer, statement("INSERT OR REPLACE INTO containers VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"));
  TRY(auto deleteContainer, statement("DELETE FROM containers WHERE id=?"));
  TRY(auto addToLedger, statement("INSERT OR IGNORE INTO ledger VALUES (?,?,?)"));
  TRY(auto strikeFromLedger, statement("DELETE FROM ledger WHERE container=? AND kind=? AND name=?"));
  TRY(auto strikeAll, statement("DELETE FROM ledger WHERE container=?"));
  TRY(auto putState, statement("INSERT OR REPLACE INTO saved_states VALUES (?,?,?)"));
  TRY(auto deleteStates, statement("DELETE FROM saved_states WHERE container=?"));
  TRY(auto putFact, statement("INSERT OR REPLACE INTO facts VALUES (?,?)"));
  TRY(auto deleteFact, statement("DELETE FROM facts WHERE name=?"));
  TRY(auto putFramework, statement("INSERT OR REPLACE INTO frameworks VALUES (?,?)"));
  TRY(auto deleteFramework, statement("DELETE FROM frameworks WHERE id=?"));
  TRY(auto putTask, statement("INSERT OR REPLACE INTO tasks VALUES (?,?,?,?,?)"));
  TRY(auto putProgress, statement("UPDATE tasks SET progress=? WHERE number=?"));
  TRY(auto deleteTask, statement("DELETE FROM tasks WHERE number=?"));
  TRY(auto deleteStatuses, statement("DELETE FROM statuses WHERE task=?"));
  TRY(auto putStatus, statement("INSERT OR REPLACE INTO statuses VALUES (?,?,?,?)"));
  TRY(auto acknowledge, statement("UPDATE statuses SET acknowledged=1 WHERE task=? AND position=?"));
  return std::unique_ptr<Handle>(new Handle{
      std::move(connection),   std::move(begin),           std::move(commit),          std::move(rollback),
      std::move(putContainer), std::move(deleteContainer), std::move(addToLedger),     std::move(strikeFromLedger),
      std::move(strikeAll),    std::move(putState),        std::move(deleteStates),    std::move(putFact),
      std::move(deleteFact),   std::move(putFramework),    std::move(deleteFramework), std::move(putTask),
      std::move(putProgress),  std::move(deleteTask),      std::move(deleteStatuses),  std::move(putStatus),
      std::move(acknowledge)});
}

Result<void> Database::Handle::apply(const PutContainer& change) {
  const ContainerRecord& record = change.record;
  const std::optional<std::int64_t> status =
      record.waitStatus ? std::optional<std::int64_t>(*record.waitStatus) : std::nullopt;
  return putContainer.restart()
      .bind(record.id)
      .bind(record.request)
      .bind(record.image)
      .bind(record.phase)
      .bind(record.created)
      .bind(record.started)
      .bind(record.finished)
      .bind(record.pid)
      .bind(static_cast<std::int64_t>(record.startTime))
      .bind(record.terminationState)
      .bind(record.terminationReason)
      .bind(record.terminationMessage)
      .bind(status)
      .run();
}

Result<void> Database::Handle::apply(const DeleteContainer& change) {
  TRY_VOID(deleteContainer.restart().bind(change.id).run());
  return deleteStates.restart().bind(change.id).run();
}

Result<void> Database::Handle::apply(const AddToLedger& change) {
  const LedgerEntry& entry = change.entry;
  return addToLedger.restart().bind(entry.container).bind(entry.kind).bind(entry.name).run();
}

Result<void> Database::Handle::apply(const StrikeFromLedger& change) {
  const LedgerEntry& entry = change.entry;
  return strikeFromLedger.restart().bind(entry.container).bind(entry.kind).bind(entry.name).run();
}

Result<void> Database::Handle::apply(const StrikeAllFromLedger& change) {
  return strikeAll.restart().bind(change.container).run();
}

Result<void> Database::Handle::apply(const PutSavedState& change) {
  return putState.restart().bind(change.container).bind(change.isolator).bind(change.state).run();
}

Result<void> Database::Handle::apply(const DeleteSavedStates& change) {
  return deleteStates.restart().bind(change.container).run();
}

Result<void> Database::Handle::apply(const PutFact& change) {
  return putFact.restart().bind(change.name).bind(change.value).run();
}

Result<void> Database::Handle::apply(const DeleteFact& change) {
  return deleteFact.restart().bind(change.name).run();
}

Result<void> Database::Handle::apply(const PutFramework& change) {
  return putFramework.restart().bind(change.record.id).bind(change.record.framework).run();
}

Result<void> Database::Handle::apply(const DeleteFramework& change) {
  return deleteFramework.restart().bind(change.id).run();
}

Result<void> Database::Handle::apply(const PutTask& change) {
  const TaskRecord& record = change.record;
  return putTask.restart()
      .bind(record.number)
      .bind(record.framework)
      .bind(record.task)
      .bind(record.request)
      .bind(record.progress)
      .run();
}

Result<void> Database::Handle::apply(const PutTaskProgress& change) {
  return putProgress.restart().bind(change.progress).bind(change.task).run();
}

Result<void> Database::Handle::apply(const DeleteTask& change) {
  TRY_VOID(deleteTask.restart().bind(change.task).run());
  return deleteStatuses.restart().bind(change.task).run();
}

Result<void> Database::Handle::apply(const PutStatus& change) {
  const StatusRecord& record = change.record;
  return putStatus.restart()
      .bind(record.task)
      .bind(record.position)
      .bind(record.status)
      .bind(static_cast<std::int64_t>(record.acknowledged))
      .run();
}

Result<void> Database::Handle::apply(const AcknowledgeStatus& change) {
  return acknowledge.restart().bind(change.task).bind(change.position).run();
}

Database::Database(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

Result<Database> Database::openOne(const std::string& path) {
  // SQLite would make it with 0644; the requests in it carry secrets in their environment.
  TRY_VOID(kernel::open(path, O_RDWR | O_CREAT, 0600));
  sqlite3* raw = nullptr;
  const int status = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Connection connection(raw);
  if (status != SQLITE_OK) return sqliteError(raw, status, "open");
  TRY_VOID(execute(connection, kSettings));
  TRY(const int version, schemaVersion(connection));
  if (version > kSchemaVersion) {
    return Error(Code::Unsupported, fmt::format("was written by a newer agent (schema {}, this agent knows up to {})",
                                                version, kSchemaVersion));
  }
  TRY_VOID(checkIntegrity(connection));
  if (version < kSchemaVersion) TRY_VOID(createTables(connection, version));
  TRY(auto handle, Handle::prepare(std::move(connection)));
  return Database(std::move(handle));
}

Result<Database::Opened> Database::open(const std::string& path) {
  const std::string purpose = fmt::format("state database '{}'", path);
  const auto tryOnce = [&](std::optional<std::string> aside) -> Result<Opened> {
    TRY(auto database, openOne(path));
    TRY(auto contents, database.load());
    return Opened{std::move(database), std::move(contents), std::move(aside)};
  };
  Result<Opened> opened = tryOnce({});
  if (opened || !isCorrupt(opened.error())) return std::move(opened).under(purpose);
  TRY(auto aside, setAside(path).under(purpose));
  return tryOnce(std::move(aside)).under(purpose);
}

Result<void> Database::apply(std::span<const Change> changes) {
  TRY_VOID(handle_->begin.restart().run());
  ScopeExit rollBack([&] { ignore(handle_->rollback.restart().run(), "the first failure is reported"); });
  for (const Change& change : changes) {
    TRY_VOID(std::visit([&](const auto& each) { return handle_->apply(each); }, change));
  }
  TRY_VOID(handle_->commit.restart().run());
  rollBack.release();
  return {};
}

Result<Contents> Database::load() {
  const auto rows = [&](const char* sql, auto&& each) -> Result<void> {
    TRY(auto query, Statement::prepare(handle_->connection, sql));
    for (;;) {
      TRY(const bool row, query.step());
      if (!row) return {};
      each(query);
    }
  };
  // Braced initialisers are evaluated left to right, in the order of the columns.
  Contents contents;
  TRY_VOID(rows("SELECT * FROM containers ORDER BY created, id", [&](Statement& row) {
    ContainerRecord record{.id = row.text(),
                           .request = row.text(),
                           .image = row.text(),
                           .phase = row.text(),
                           .created = row.integer(),
                           .started = row.maybeInteger(),
                           .finished = row.maybeInteger(),
                           .pid = row.integer(),
                           .startTime = static_cast<std::uint64_t>(row.integer()),
                           .terminationState = row.maybeText(),
                           .terminationReason = row.maybeText(),
                           .terminationMessage = row.maybeText()};
    if (const auto status = row.maybeInteger()) record.waitStatus = static_cast<int>(*status);
    contents.containers.push_back(std::move(record));
  }));
  TRY_VOID(rows("SELECT * FROM ledger", [&](Statement& row) {
    contents.ledger.push_back({.container = row.text(), .kind = row.text(), .name = row.text()});
  }));
  TRY_VOID(rows("SELECT * FROM saved_states", [&](Statement& row) {
    std::pair key{row.text(), row.text()};
    contents.savedStates[std::move(key)] = row.text();
  }));
  TRY_VOID(rows("SELECT * FROM facts", [&](Statement& row) {
    std::string name = row.text();
    contents.facts[std::move(name)] = row.text();
  }));
  TRY_VOID(rows("SELECT * FROM frameworks",
                [&](Statement& row) { contents.frameworks.push_back({.id = row.text(), .framework = row.text()}); }));
  TRY_VOID(rows("SELECT * FROM tasks ORDER BY number", [&](Statement& row) {
    contents.tasks.push_back({.number = row.integer(),
                              .framework = row.text(),
                              .task = row.text(),
                              .request = row.text(),
                              .progress = row.text()});
  }));
  TRY_VOID(rows("SELECT * FROM statuses ORDER BY task, position", [&](Statement& row) {
    contents.statuses.push_back(
        {.task = row.integer(), .position = row.integer(), .status = row.text(), .acknowledged = row.integer() != 0});
  }));
  return contents;
}

}  // namespace gantry::agent::state
