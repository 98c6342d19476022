#include "oci/json.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/json_depth.hpp"

namespace gantry::oci {
namespace {

using Json = nlohmann::json;

const Json& node(const void* pointer) {
  return *static_cast<const Json*>(pointer);
}

// "parse error at line 3, column 7: …" without the library's "[json.exception.…] " in front.
std::string withoutPrefix(std::string_view what) {
  const auto end = what.find("] ");
  return std::string(end == std::string_view::npos ? what : what.substr(end + 2));
}

std::string quote(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string_view describe(const Json& json) {
  switch (json.type()) {
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::boolean:
      return "a boolean";
    case Json::value_t::number_float:
      return "a fraction";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return "a number";
    default:
      return "null";
  }
}

std::string isNot(const Json& json, std::string_view wanted) {
  return fmt::format("is {}, not {}", describe(json), wanted);
}

}  // namespace

struct JsonDocument::Tree {
  Json json;
};

JsonDocument::JsonDocument(std::unique_ptr<Tree> tree) : tree_(std::move(tree)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

Result<JsonDocument> JsonDocument::parse(std::string_view text) {
  if (isNestedDeeperThan(kJsonMaxDepth, text)) {
    return Error(Code::InvalidArgument, fmt::format("is nested deeper than {} levels", kJsonMaxDepth));
  }
  try {
    return JsonDocument(std::make_unique<Tree>(Tree{Json::parse(text)}));
  } catch (const Json::exception& error) {
    return Error(Code::InvalidArgument, fmt::format("is not JSON: {}", withoutPrefix(error.what())));
  }
}

const void* JsonDocument::root() const {
  return &tree_->json;
}

std::string JsonValue::path() const {
  if (parent_ == nullptr) return {};
  if (!name_.empty()) return parent_->pathOf(name_);
  return fmt::format("{}[{}]", parent_->path(), index_);
}

std::string JsonValue::pathOf(std::string_view name) const {
  const std::string above = path();
  return above.empty() ? std::string(name) : fmt::format("{}.{}", above, name);
}

void JsonValue::fail(std::string_view reason) const {
  if (firstError_->has_value()) return;
  const std::string where = path();
  *firstError_ = where.empty() ? Error(Code::InvalidArgument, std::string(reason)) : Error::invalid(where, reason);
}

void JsonValue::failMember(std::string_view name, std::string_view reason) const {
  if (!firstError_->has_value()) *firstError_ = Error::invalid(pathOf(name), reason);
}

bool JsonValue::has(std::string_view name) const {
  return find(name).has_value();
}

std::optional<JsonValue> JsonValue::find(std::string_view name) const {
  const Json& json = node(node_);
  if (!json.is_object()) return std::nullopt;
  const auto found = json.find(name);
  if (found == json.end() || found->is_null()) return std::nullopt;
  return JsonValue(&*found, *this, name, 0);
}

bool JsonValue::expectObject() const {
  if (node(node_).is_object()) return true;
  fail(isNot(node(node_), "an object"));
  return false;
}

std::size_t JsonValue::arraySize() const {
  const Json& json = node(node_);
  if (json.is_array()) return json.size();
  fail(isNot(json, "an array"));
  return 0;
}

JsonValue JsonValue::element(std::size_t index) const {
  return JsonValue(&node(node_)[index], *this, {}, index);
}

std::vector<std::string_view> JsonValue::names() const {
  std::vector<std::string_view> names;
  if (!expectObject()) return names;
  for (const auto& [name, value] : node(node_).items()) names.push_back(name);
  return names;
}

std::optional<std::int64_t> JsonValue::integer(std::int64_t low, std::int64_t high) const {
  const Json& json = node(node_);
  if (!json.is_number_integer()) {
    fail(isNot(json, "an integer"));
    return std::nullopt;
  }
  const bool tooLarge = json.is_number_unsigned() &&
                        json.get<std::uint64_t>() > static_cast<std::uint64_t>(std::max<std::int64_t>(high, 0));
  if (tooLarge || json.get<std::int64_t>() < low || json.get<std::int64_t>() > high) {
    fail(fmt::format("{} is not between {} and {}", json.dump(), low, high));
    return std::nullopt;
  }
  return json.get<std::int64_t>();
}

std::optional<std::uint64_t> JsonValue::unsignedInteger(std::uint64_t high) const {
  const Json& json = node(node_);
  if (!json.is_number_integer()) {
    fail(isNot(json, "an integer"));
    return std::nullopt;
  }
  if (!json.is_number_unsigned() || json.get<std::uint64_t>() > high) {
    fail(fmt::format("{} is not between 0 and {}", json.dump(), high));
    return std::nullopt;
  }
  return json.get<std::uint64_t>();
}

void JsonValue::readValue(const JsonValue& json, std::string& into) {
  const Json& value = node(json.node_);
  if (!value.is_string()) return json.fail(isNot(value, "a string"));
  into = value.get_ref<const std::string&>();
  // Every string of a specification ends up in a system call, where a NUL would silently cut it.
  if (into.find('\0') != std::string::npos) json.fail("holds a NUL character");
}

void JsonValue::readValue(const JsonValue& json, bool& into) {
  const Json& value = node(json.node_);
  if (!value.is_boolean()) return json.fail(isNot(value, "a boolean"));
  into = value.get<bool>();
}

void JsonValue::readValue(const JsonValue& json, double& into) {
  const Json& value = node(json.node_);
  if (!value.is_number()) return json.fail(isNot(value, "a number"));
  into = value.get<double>();
}

void JsonWriter::startItem(std::string_view name) {
  if (!first_) text_ += ',';
  if (indent_ != 0 && !closers_.empty()) {
    text_ += '\n';
    text_.append(indent_ * closers_.size(), ' ');
  }
  first_ = false;
  if (!name.empty()) {
    text_ += quote(name);
    text_ += indent_ == 0 ? ":" : ": ";
  }
}

JsonWriter& JsonWriter::open(char kind, std::string_view name) {
  startItem(name);
  text_ += kind;
  closers_ += kind == '{' ? '}' : ']';
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::close() {
  ENSURE(!closers_.empty(), "close() without open()");
  const char closer = closers_.back();
  closers_.pop_back();
  if (indent_ != 0 && !first_) {
    text_ += '\n';
    text_.append(indent_ * closers_.size(), ' ');
  }
  text_ += closer;
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::member(std::string_view name, std::string_view text) {
  return raw(name, quote(text));
}

JsonWriter& JsonWriter::member(std::string_view name, const std::map<std::string, std::string>& values) {
  open('{', name);
  // An empty key is legal JSON; startItem takes it for an array's element, so it is written by hand.
  for (const auto& [key, text] : values) {
    if (key.empty()) {
      raw({}, "\"\":" + quote(text));
    } else {
      member(key, text);
    }
  }
  return close();
}

JsonWriter& JsonWriter::raw(std::string_view name, std::string_view json) {
  startItem(name);
  text_ += json;
  return *this;
}

}  // namespace gantry::oci
