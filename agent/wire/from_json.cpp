#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "agent/wire/encoding.hpp"
#include "base/base64.hpp"
#include "base/json_depth.hpp"

namespace gantry::agent::wire {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using nlohmann::json;

std::string_view kindOf(const json& value) {
  switch (value.type()) {
    case json::value_t::null:
      return "null";
    case json::value_t::object:
      return "an object";
    case json::value_t::array:
      return "an array";
    case json::value_t::string:
      return "a string";
    case json::value_t::boolean:
      return "a boolean";
    default:
      return "a number";
  }
}

std::string_view expectedKind(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "an object";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "a boolean";
    case FieldDescriptor::CPPTYPE_STRING:
      return "a string";
    case FieldDescriptor::CPPTYPE_ENUM:
      return "a name";
    default:
      return "a number";
  }
}

// A path that grows on the way down and shrinks on the way up.
class PathStep {
 public:
  PathStep(std::string& path, std::string_view step) : path_(path), length_(path.size()) {
    if (!path.empty() && !step.starts_with('[')) path += '.';
    path += step;
  }
  PathStep(const PathStep&) = delete;
  PathStep& operator=(const PathStep&) = delete;
  ~PathStep() { path_.resize(length_); }

 private:
  std::string& path_;
  std::size_t length_;
};

class Reader {
 public:
  explicit Reader(UnknownNames unknownNames) : unknownNames_(unknownNames) {}

  Result<void> readMessage(const json& object, Message& message) {
    if (!object.is_object()) return wrongKind(object, "an object");
    const Descriptor& type = *message.GetDescriptor();
    for (const auto& [name, value] : object.items()) {
      const FieldDescriptor* field = type.FindFieldByName(name);
      if (field == nullptr || value.is_null()) continue;
      const PathStep step(path_, name);
      TRY_VOID(readField(value, *field, message));
    }
    return requireFields(type, message);
  }

 private:
  Error problem(std::string_view reason) const { return Error::invalid(path_.empty() ? "body" : path_, reason); }
  Error wrongKind(const json& value, std::string_view expected) const {
    return problem(std::string("is ").append(kindOf(value)).append(", not ").append(expected));
  }

  Result<void> requireFields(const Descriptor& type, const Message& message) {
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      if (!field.is_required() || message.GetReflection()->HasField(message, &field)) continue;
      const PathStep step(path_, field.name());
      return problem("is required");
    }
    return {};
  }

  Result<void> readField(const json& value, const FieldDescriptor& field, Message& message) {
    if (field.is_map()) return readMap(value, field, message);
    if (!field.is_repeated()) return readValue(value, field, message);
    if (!value.is_array()) return wrongKind(value, "an array");
    for (std::size_t i = 0; i < value.size(); ++i) {
      const PathStep step(path_, "[" + std::to_string(i) + "]");
      if (value[i].is_null()) return wrongKind(value[i], expectedKind(field));
      TRY_VOID(readValue(value[i], field, message));
    }
    return {};
  }

  // An entry of a map is a message with the fields "key" (always a string in our messages) and "value".
  Result<void> readMap(const json& object, const FieldDescriptor& field, Message& message) {
    if (!object.is_object()) return wrongKind(object, "an object");
    for (const auto& [key, value] : object.items()) {
      const PathStep step(path_, key);
      if (value.is_null()) continue;
      Message& entry = *message.GetReflection()->AddMessage(&message, &field);
      entry.GetReflection()->SetString(&entry, field.message_type()->map_key(), key);
      TRY_VOID(readValue(value, *field.message_type()->map_value(), entry));
    }
    return {};
  }

  // Sets a singular field, or adds to a repeated one.
  Result<void> readValue(const json& value, const FieldDescriptor& field, Message& message) {
    const Reflection& access = *message.GetReflection();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return readMessage(value, field.is_repeated() ? *access.AddMessage(&message, &field)
                                                      : *access.MutableMessage(&message, &field));
      case FieldDescriptor::CPPTYPE_BOOL: {
        if (!value.is_boolean()) return wrongKind(value, "a boolean");
        field.is_repeated() ? access.AddBool(&message, &field, value.get<bool>())
                            : access.SetBool(&message, &field, value.get<bool>());
        return {};
      }
      case FieldDescriptor::CPPTYPE_STRING: {
        TRY(std::string text, stringFrom(value, field));
        field.is_repeated() ? access.AddString(&message, &field, std::move(text))
                            : access.SetString(&message, &field, std::move(text));
        return {};
      }
      case FieldDescriptor::CPPTYPE_ENUM: {
        if (!value.is_string()) return wrongKind(value, "a name");
        const auto& name = value.get_ref<const std::string&>();
        const auto* number = field.enum_type()->FindValueByName(name);
        if (number == nullptr && unknownNames_ == UnknownNames::PassOver) return {};
        if (number == nullptr) return problem("'" + name + "' is not one of its values");
        field.is_repeated() ? access.AddEnum(&message, &field, number) : access.SetEnum(&message, &field, number);
        return {};
      }
      case FieldDescriptor::CPPTYPE_DOUBLE:
      case FieldDescriptor::CPPTYPE_FLOAT: {
        TRY(const double number, doubleFrom(value));
        return setNumber(message, field, number);
      }
      case FieldDescriptor::CPPTYPE_INT32: {
        TRY(const auto number, integerFrom<std::int32_t>(value));
        return setNumber(message, field, number);
      }
      case FieldDescriptor::CPPTYPE_UINT32: {
        TRY(const auto number, integerFrom<std::uint32_t>(value));
        return setNumber(message, field, number);
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        TRY(const auto number, integerFrom<std::int64_t>(value));
        return setNumber(message, field, number);
      }
      case FieldDescriptor::CPPTYPE_UINT64: {
        TRY(const auto number, integerFrom<std::uint64_t>(value));
        return setNumber(message, field, number);
      }
    }
    return problem("has a type that is not supported");
  }

  template <typename Number>
  static Result<void> setNumber(Message& message, const FieldDescriptor& field, Number number) {
    const Reflection& access = *message.GetReflection();
    const bool repeated = field.is_repeated();
    if constexpr (std::is_same_v<Number, double>) {
      if (field.cpp_type() == FieldDescriptor::CPPTYPE_FLOAT) {
        const auto narrow = static_cast<float>(number);
        repeated ? access.AddFloat(&message, &field, narrow) : access.SetFloat(&message, &field, narrow);
      } else {
        repeated ? access.AddDouble(&message, &field, number) : access.SetDouble(&message, &field, number);
      }
    } else if constexpr (std::is_same_v<Number, std::int32_t>) {
      repeated ? access.AddInt32(&message, &field, number) : access.SetInt32(&message, &field, number);
    } else if constexpr (std::is_same_v<Number, std::uint32_t>) {
      repeated ? access.AddUInt32(&message, &field, number) : access.SetUInt32(&message, &field, number);
    } else if constexpr (std::is_same_v<Number, std::int64_t>) {
      repeated ? access.AddInt64(&message, &field, number) : access.SetInt64(&message, &field, number);
    } else {
      repeated ? access.AddUInt64(&message, &field, number) : access.SetUInt64(&message, &field, number);
    }
    return {};
  }

  Result<std::string> stringFrom(const json& value, const FieldDescriptor& field) const {
    if (!value.is_string()) return wrongKind(value, "a string");
    const auto& text = value.get_ref<const std::string&>();
    if (field.type() != FieldDescriptor::TYPE_BYTES) return text;
    auto bytes = fromBase64(text);
    if (!bytes) return problem("is not base64");
    return bytes;
  }

  Result<double> doubleFrom(const json& value) const {
    if (value.is_number()) return value.get<double>();
    if (value.is_string()) {
      const auto& text = value.get_ref<const std::string&>();
      if (text == "Infinity") return std::numeric_limits<double>::infinity();
      if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
      if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
    }
    return wrongKind(value, "a number");
  }

  template <typename Integer>
  Result<Integer> integerFrom(const json& value) const {
    const auto outOfRange = [this] { return problem("is out of range"); };
    if (value.is_number_unsigned()) {
      const auto number = value.get<std::uint64_t>();
      if (!std::in_range<Integer>(number)) return outOfRange();
      return static_cast<Integer>(number);
    }
    if (value.is_number_integer()) {
      const auto number = value.get<std::int64_t>();
      if (!std::in_range<Integer>(number)) return outOfRange();
      return static_cast<Integer>(number);
    }
    if (value.is_number_float()) return wholeNumber<Integer>(value.get<double>());
    if (value.is_string()) {
      const auto& text = value.get_ref<const std::string&>();
      Integer number{};
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error == std::errc::result_out_of_range) return outOfRange();
      if (error == std::errc() && end == text.data() + text.size()) return number;
    }
    return wrongKind(value, "a number");
  }

  // JSON does not tell 5 from 5.0 or 5e0.
  template <typename Integer>
  Result<Integer> wholeNumber(double number) const {
    if (std::trunc(number) != number) return problem("is not a whole number");
    // 2^digits is the first double beyond the type's largest value; the smallest value is a double itself.
    const double beyond = std::ldexp(1.0, std::numeric_limits<Integer>::digits);
    if (number >= beyond || number < static_cast<double>(std::numeric_limits<Integer>::min())) {
      return problem("is out of range");
    }
    return static_cast<Integer>(number);
  }

  UnknownNames unknownNames_;
  std::string path_;
};

}  // namespace

Result<void> fromJson(std::string_view text, Message& message, UnknownNames unknownNames) {
  if (isNestedDeeperThan(kMaxNesting, text)) {
    return Error::invalid("body", "is nested more than " + std::to_string(kMaxNesting) + " levels deep");
  }
  json document;
  try {
    document = json::parse(text);
  } catch (const json::parse_error& error) {
    return Error::invalid("body", "is not JSON, see byte " + std::to_string(error.byte));
  } catch (const json::exception& error) {
    // A number too large for a double.
    return Error::invalid("body", std::string("is not JSON: ") + error.what());
  }
  return Reader(unknownNames).readMessage(document, message);
}

}  // namespace gantry::agent::wire
