// As much of SQLite as agent/state/database.cpp needs, with Results and owners.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace gantry::agent::state {

// "<purpose>: <what SQLite says>". The code is Busy, Exhausted (disk full), PermissionDenied, NotFound (cannot be
// opened), Unavailable for corrupt files (isCorrupt tells those), else Internal.
Error sqliteError(sqlite3* connection, int status, std::string_view purpose);
bool isCorrupt(const Error& error);

struct CloseConnection {
  void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
};
using Connection = std::unique_ptr<sqlite3, CloseConnection>;

// One or more statements without parameters or results.
Result<void> execute(const Connection& connection, const char* sql);

// A prepared statement, kept for the life of its connection. Bind in order, step, read columns in order.
class Statement {
 public:
  static Result<Statement> prepare(const Connection& connection, std::string_view sql);

  // Forgets the bindings and the row of the last use.
  Statement& restart();
  Statement& bind(std::int64_t value);
  Statement& bind(const std::string& value);
  Statement& bind(const std::optional<std::int64_t>& value);
  Statement& bind(const std::optional<std::string>& value);

  // True with a row, false after the last.
  Result<bool> step();
  // For a statement without rows.
  Result<void> run();

  std::int64_t integer();
  std::string text();
  std::optional<std::int64_t> maybeInteger();
  std::optional<std::string> maybeText();

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  explicit Statement(sqlite3_stmt* raw) : raw_(raw) {}

  std::unique_ptr<sqlite3_stmt, Finalize> raw_;
  int parameter_ = 0;
  int column_ = 0;
  int bindStatus_ = SQLITE_OK;
};

}  // namespace gantry::agent::state
