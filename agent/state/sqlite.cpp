#include "agent/state/sqlite.hpp"

#include <fmt/format.h>

namespace gantry::agent::state {
namespace {

Code codeOf(int status) {
  switch (status & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::Busy;
    case SQLITE_FULL:
      return Code::Exhausted;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return Code::PermissionDenied;
    case SQLITE_CANTOPEN:
      return Code::NotFound;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::Unavailable;
    default:
      return Code::Internal;
  }
}

}  // namespace

Error sqliteError(sqlite3* connection, int status, std::string_view purpose) {
  const char* text = connection == nullptr ? sqlite3_errstr(status) : sqlite3_errmsg(connection);
  return Error(codeOf(status), fmt::format("{}: {}", purpose, text));
}

bool isCorrupt(const Error& error) {
  return error.code() == Code::Unavailable;
}

Result<void> execute(const Connection& connection, const char* sql) {
  const int status = sqlite3_exec(connection.get(), sql, nullptr, nullptr, nullptr);
  if (status != SQLITE_OK) return sqliteError(connection.get(), status, sql);
  return {};
}

Result<Statement> Statement::prepare(const Connection& connection, std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int status = sqlite3_prepare_v3(connection.get(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (status != SQLITE_OK) return sqliteError(connection.get(), status, fmt::format("prepare '{}'", sql));
  return Statement(raw);
}

Statement& Statement::restart() {
  sqlite3_reset(raw_.get());
  sqlite3_clear_bindings(raw_.get());
  parameter_ = 0;
  column_ = 0;
  bindStatus_ = SQLITE_OK;
  return *this;
}

Statement& Statement::bind(std::int64_t value) {
  const int status = sqlite3_bind_int64(raw_.get(), ++parameter_, value);
  if (bindStatus_ == SQLITE_OK) bindStatus_ = status;
  return *this;
}

Statement& Statement::bind(const std::string& value) {
  const int status =
      sqlite3_bind_text64(raw_.get(), ++parameter_, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (bindStatus_ == SQLITE_OK) bindStatus_ = status;
  return *this;
}

// An unset value leaves the parameter NULL, as restart() made it.
Statement& Statement::bind(const std::optional<std::int64_t>& value) {
  if (value) return bind(*value);
  ++parameter_;
  return *this;
}

Statement& Statement::bind(const std::optional<std::string>& value) {
  if (value) return bind(*value);
  ++parameter_;
  return *this;
}

Result<bool> Statement::step() {
  sqlite3* connection = sqlite3_db_handle(raw_.get());
  if (bindStatus_ != SQLITE_OK) return sqliteError(connection, bindStatus_, sqlite3_sql(raw_.get()));
  column_ = 0;
  const int status = sqlite3_step(raw_.get());
  if (status == SQLITE_ROW) return true;
  if (status == SQLITE_DONE) return false;
  return sqliteError(connection, status, sqlite3_sql(raw_.get()));
}

Result<void> Statement::run() {
  TRY(const bool row, step());
  ENSURE(!row, "a statement that changes the database gave a row");
  sqlite3_reset(raw_.get());
  return {};
}

std::int64_t Statement::integer() {
  return sqlite3_column_int64(raw_.get(), column_++);
}

std::string Statement::text() {
  const int column = column_++;
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(raw_.get(), column));
  return bytes == nullptr ? std::string()
                          : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(raw_.get(), column)));
}

std::optional<std::int64_t> Statement::maybeInteger() {
  if (sqlite3_column_type(raw_.get(), column_) == SQLITE_NULL) {
    ++column_;
    return {};
  }
  return integer();
}

std::optional<std::string> Statement::maybeText() {
  if (sqlite3_column_type(raw_.get(), column_) == SQLITE_NULL) {
    ++column_;
    return {};
  }
  return text();
}

}  // namespace gantry::agent::state
