// Reading and writing the JSON of the fetcher's messages; for the .cpp files that do.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "oci/digest.hpp"

namespace gantry::fetcher {

using Json = nlohmann::json;

// Bytes that are no UTF-8, as paths and messages may hold, are replaced.
std::string dump(const Json& json);
// InvalidArgument when it is no JSON object.
Result<Json> parseObject(std::string_view text);

// {"error": {"code", "message"}}
Json errorToValue(const Error& error);
// The error in what stands under "error", or the error in reading that.
Error errorFrom(const Json& json);

// Reads one object's members; what is missing or null leaves the variable as it is, and the first error stays.
class Members {
 public:
  // `path` is how messages name the object; `object` must outlive this.
  Members(const Json& object, std::string path);

  void read(const char* name, std::string& into);
  void read(const char* name, bool& into);
  void read(const char* name, std::uint64_t& into);
  void read(const char* name, std::uint32_t& into);
  void read(const char* name, Bytes& into);
  void read(const char* name, std::vector<std::string>& into);
  void read(const char* name, oci::Digest& into);
  const Json* object(const char* name);
  const Json* array(const char* name);

  void refuseOthers(std::span<const std::string_view> known);
  void fail(std::string_view name, std::string_view reason);
  Result<void> outcome() const;

 private:
  const Json* find(const char* name, std::string_view wanted, bool (Json::*is)() const noexcept);

  const Json& object_;
  std::string path_;
  std::optional<Error> error_;
};

}  // namespace gantry::fetcher
