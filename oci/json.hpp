// JSON for the value types of this directory: a reader whose errors name the member by its path, and a writer.
//
// A type takes part by a function `void read(const JsonValue&, Type&)` beside it; optionals, vectors and maps of such
// types follow. A document reads in one pass and keeps its first error, so that the functions stay lists of members:
//
//   void read(const JsonValue& json, Root& root) {
//     json.required("path", root.path);
//     json.member("readonly", root.readonly);
//   }
//   Result<Root> parseRoot(std::string_view text) { return parseJson<Root>(text); }
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace gantry::oci {

// Deeper documents are refused before they are parsed (CVE-2018-11793 and its kind).
inline constexpr int kJsonMaxDepth = 128;

// One parsed document. Views into it (JsonValue) must not outlive it.
class JsonDocument {
 public:
  // InvalidArgument says where the text stops being JSON, or that it is nested deeper than kJsonMaxDepth.
  static Result<JsonDocument> parse(std::string_view text);
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();

  const void* root() const;

 private:
  struct Tree;
  explicit JsonDocument(std::unique_ptr<Tree> tree);

  std::unique_ptr<Tree> tree_;
};

// A view of one value, and how it was reached. Lives on the stack below its parent's.
class JsonValue {
 public:
  JsonValue(const JsonDocument& document, std::optional<Error>& firstError)
      : node_(document.root()), firstError_(&firstError) {}

  // The path from the document's root: "linux.resources.devices[2].access"; empty for the root.
  std::string path() const;
  // Records "<path>: <reason>" unless an earlier error was recorded.
  void fail(std::string_view reason) const;
  // The same for a member that may be missing.
  void failMember(std::string_view name, std::string_view reason) const;

  bool has(std::string_view name) const;
  // Reads a member when it is there; a null counts as absent, as Go programs write it.
  template <typename T>
  void member(std::string_view name, T& into) const {
    if (const auto child = find(name)) readValue(*child, into);
  }
  template <typename T>
  void required(std::string_view name, T& into) const {
    if (const auto child = find(name)) {
      readValue(*child, into);
    } else {
      failMember(name, "is missing");
    }
  }
  // The member as a view, for what no type fits.
  std::optional<JsonValue> find(std::string_view name) const;

 private:
  JsonValue(const void* node, const JsonValue& parent, std::string_view name, std::size_t index)
      : node_(node), firstError_(parent.firstError_), parent_(&parent), name_(name), index_(index) {}

  std::string pathOf(std::string_view name) const;
  bool expectObject() const;
  std::size_t arraySize() const;  // records an error unless it is an array
  JsonValue element(std::size_t index) const;
  std::vector<std::string_view> names() const;  // records an error unless it is an object

  std::optional<std::int64_t> integer(std::int64_t low, std::int64_t high) const;
  std::optional<std::uint64_t> unsignedInteger(std::uint64_t high) const;

  static void readValue(const JsonValue& json, std::string& into);
  static void readValue(const JsonValue& json, bool& into);
  static void readValue(const JsonValue& json, double& into);
  template <std::signed_integral T>
  static void readValue(const JsonValue& json, T& into) {
    if (const auto number = json.integer(std::numeric_limits<T>::min(), std::numeric_limits<T>::max())) {
      into = static_cast<T>(*number);
    }
  }
  template <std::unsigned_integral T>
  static void readValue(const JsonValue& json, T& into) {
    if (const auto number = json.unsignedInteger(std::numeric_limits<T>::max())) into = static_cast<T>(*number);
  }
  template <typename T>
  static void readValue(const JsonValue& json, std::optional<T>& into) {
    readValue(json, into.emplace());
  }
  template <typename T>
  static void readValue(const JsonValue& json, std::vector<T>& into) {
    const std::size_t count = json.arraySize();
    into.resize(count);
    for (std::size_t index = 0; index < count; ++index) {
      const JsonValue child = json.element(index);
      readValue(child, into[index]);
    }
  }
  template <typename T>
  static void readValue(const JsonValue& json, std::map<std::string, T>& into) {
    for (const std::string_view name : json.names()) {
      T& value = into[std::string(name)];
      if (const auto child = json.find(name)) readValue(*child, value);
    }
  }
  template <typename T>
    requires std::is_class_v<T>
  static void readValue(const JsonValue& json, T& into) {
    if (json.expectObject()) read(json, into);
  }
  template <typename T>
  friend Result<T> parseJson(std::string_view text);

  const void* node_;
  std::optional<Error>* firstError_;
  const JsonValue* parent_ = nullptr;
  std::string_view name_;
  std::size_t index_ = 0;
};

// Reads a whole document as one object.
template <typename T>
Result<T> parseJson(std::string_view text) {
  TRY(const JsonDocument document, JsonDocument::parse(text));
  std::optional<Error> firstError;
  T value{};
  JsonValue::readValue(JsonValue(document, firstError), value);
  if (firstError) return *std::move(firstError);
  return value;
}

// Appends JSON text. Members come out in the order of the calls; a name is empty for an array's elements.
//
//   JsonWriter json;
//   json.open('{').member("id", id).member("pid", pid).open('[', "args").value("sh").close().close();
class JsonWriter {
 public:
  // Pretty-printed with this many spaces per level; 0 is one line.
  explicit JsonWriter(unsigned indent = 0) : indent_(indent) {}

  // kind: '{' or '['.
  JsonWriter& open(char kind, std::string_view name = {});
  JsonWriter& close();

  JsonWriter& member(std::string_view name, std::string_view text);
  JsonWriter& member(std::string_view name, const std::string& text) { return member(name, std::string_view(text)); }
  JsonWriter& member(std::string_view name, const char* text) { return member(name, std::string_view(text)); }
  JsonWriter& member(std::string_view name, bool truth) { return raw(name, truth ? "true" : "false"); }
  template <std::integral Number>
    requires(!std::same_as<Number, bool>)
  JsonWriter& member(std::string_view name, Number number) {
    return raw(name, std::to_string(number));
  }
  template <typename T>
  JsonWriter& member(std::string_view name, const std::vector<T>& values) {
    open('[', name);
    for (const T& each : values) member({}, each);
    return close();
  }
  JsonWriter& member(std::string_view name, const std::map<std::string, std::string>& values);
  template <typename T>
  JsonWriter& value(const T& each) {
    return member({}, each);
  }
  // Left out when empty, zero or false.
  template <typename T>
  JsonWriter& optional(std::string_view name, const T& value) {
    return value == T{} ? *this : member(name, value);
  }
  template <typename T>
  JsonWriter& optional(std::string_view name, const std::optional<T>& value) {
    return value ? member(name, *value) : *this;
  }
  // `json` is JSON text already.
  JsonWriter& raw(std::string_view name, std::string_view json);

  // What was written; every open() must have been closed.
  const std::string& text() const { return text_; }

 private:
  void startItem(std::string_view name);

  unsigned indent_;
  std::string text_;
  std::string closers_;
  bool first_ = true;
};

}  // namespace gantry::oci
