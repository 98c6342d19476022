// The agent's database file: SQLite in WAL mode with synchronous=FULL, so that what a transaction changed survives a
// crash of the agent and of the machine. Blocking; agent/state/store.hpp is what the agent's thread uses.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "agent/state/records.hpp"
#include "base/result.hpp"

namespace gantry::agent::state {

// Used by one thread at a time, though not always by the same one.
class Database {
 public:
  // The version of the tables this agent writes, kept in SQLite's user_version.
  static constexpr int kSchemaVersion = 2;

  struct Opened;
  // Opens or creates the file (mode 0600). A corrupt one is renamed to "<path>.corrupt-<n>" together with its journal,
  // and a new one is made. Busy when another process has it open; Unsupported when a newer agent wrote it.
  static Result<Opened> open(const std::string& path);

  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  // All changes or, when it fails, none of them. Exhausted when the disk is full.
  Result<void> apply(std::span<const Change> changes);
  Result<Contents> load();

 private:
  struct Handle;
  explicit Database(std::unique_ptr<Handle> handle);
  static Result<Database> openOne(const std::string& path);

  std::unique_ptr<Handle> handle_;
};

struct Database::Opened {
  Database database;
  // What was in it.
  Contents contents;
  // Where the corrupt file went, when there was one.
  std::optional<std::string> setAside;
};

}  // namespace gantry::agent::state
