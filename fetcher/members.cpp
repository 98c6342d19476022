#include "fetcher/members.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gantry::fetcher {
namespace {

constexpr Code kCodes[] = {Code::NotFound,    Code::AlreadyExists, Code::InvalidArgument, Code::PermissionDenied,
                           Code::Busy,        Code::Exhausted,     Code::Timeout,         Code::Cancelled,
                           Code::Unavailable, Code::Unsupported,   Code::Internal};

Code codeOf(std::string_view name) {
  for (const Code code : kCodes) {
    if (toString(code) == name) return code;
  }
  return Code::Internal;
}

}  // namespace

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Json> parseObject(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) return Error(Code::InvalidArgument, "is no JSON object");
  return json;
}

Json errorToValue(const Error& error) {
  return {{"error", {{"code", toString(error.code())}, {"message", error.message()}}}};
}

Error errorFrom(const Json& json) {
  std::string code;
  std::string message;
  Members members(json, "error");
  members.read("code", code);
  members.read("message", message);
  if (auto read = members.outcome(); !read) return std::move(read).error();
  return {codeOf(code), std::move(message)};
}

Members::Members(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
  if (!object.is_object()) fail("", "is not an object");
}

void Members::read(const char* name, std::string& into) {
  if (const Json* value = find(name, "a string", &Json::is_string)) into = value->get<std::string>();
}

void Members::read(const char* name, bool& into) {
  if (const Json* value = find(name, "a boolean", &Json::is_boolean)) into = value->get<bool>();
}

void Members::read(const char* name, std::uint64_t& into) {
  if (const Json* value = find(name, "a number", &Json::is_number_unsigned)) into = value->get<std::uint64_t>();
}

void Members::read(const char* name, std::uint32_t& into) {
  std::uint64_t wide = into;
  read(name, wide);
  if (wide > std::numeric_limits<std::uint32_t>::max()) return fail(name, "is too large");
  into = static_cast<std::uint32_t>(wide);
}

void Members::read(const char* name, Bytes& into) {
  read(name, into.count);
}

void Members::read(const char* name, std::vector<std::string>& into) {
  const Json* value = array(name);
  if (value == nullptr) return;
  for (const Json& element : *value) {
    if (!element.is_string()) return fail(name, "has an element that is not a string");
    into.push_back(element.get<std::string>());
  }
}

void Members::read(const char* name, oci::Digest& into) {
  std::string text;
  read(name, text);
  auto digest = oci::Digest::parse(text);
  if (digest) {
    into = *std::move(digest);
  } else {
    fail(name, digest.error().message());
  }
}

const Json* Members::object(const char* name) {
  return find(name, "an object", &Json::is_object);
}

const Json* Members::array(const char* name) {
  return find(name, "an array", &Json::is_array);
}

void Members::refuseOthers(std::span<const std::string_view> known) {
  if (!object_.is_object()) return;
  for (const auto& [name, value] : object_.items()) {
    if (std::ranges::find(known, name) == known.end()) fail(name, "is not known");
  }
}

void Members::fail(std::string_view name, std::string_view reason) {
  if (error_) return;
  const std::string_view separator = path_.empty() || name.empty() ? "" : ".";
  error_ = Error::invalid(fmt::format("{}{}{}", path_, separator, name), reason);
}

Result<void> Members::outcome() const {
  if (error_) return *error_;
  return {};
}

const Json* Members::find(const char* name, std::string_view wanted, bool (Json::*is)() const noexcept) {
  if (!object_.is_object()) return nullptr;
  const auto found = object_.find(name);
  if (found == object_.end() || found->is_null()) return nullptr;
  if ((*found.*is)()) return &*found;
  fail(name, fmt::format("is not {}", wanted));
  return nullptr;
}

}  // namespace gantry::fetcher
