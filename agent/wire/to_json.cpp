#include <agent/wire/mesos_v1_agent.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/message.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "agent/wire/encoding.hpp"
#include "base/base64.hpp"

namespace gantry::agent::wire {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using json = nlohmann::ordered_json;

json jsonOf(const Message& message);

json jsonOf(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  return number;
}

// The value of a singular field, set or not, or (index >= 0) of one element of a repeated one.
json jsonOf(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& access = *message.GetReflection();
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return jsonOf(one ? access.GetMessage(message, &field) : access.GetRepeatedMessage(message, &field, index));
    case FieldDescriptor::CPPTYPE_BOOL:
      return one ? access.GetBool(message, &field) : access.GetRepeatedBool(message, &field, index);
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string text = one ? access.GetString(message, &field) : access.GetRepeatedString(message, &field, index);
      return field.type() == FieldDescriptor::TYPE_BYTES ? toBase64(text) : text;
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      return (one ? access.GetEnum(message, &field) : access.GetRepeatedEnum(message, &field, index))->name();
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return jsonOf(one ? access.GetDouble(message, &field) : access.GetRepeatedDouble(message, &field, index));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return jsonOf(static_cast<double>(one ? access.GetFloat(message, &field)
                                            : access.GetRepeatedFloat(message, &field, index)));
    case FieldDescriptor::CPPTYPE_INT32:
      return one ? access.GetInt32(message, &field) : access.GetRepeatedInt32(message, &field, index);
    case FieldDescriptor::CPPTYPE_UINT32:
      return one ? access.GetUInt32(message, &field) : access.GetRepeatedUInt32(message, &field, index);
    case FieldDescriptor::CPPTYPE_INT64:
      return one ? access.GetInt64(message, &field) : access.GetRepeatedInt64(message, &field, index);
    case FieldDescriptor::CPPTYPE_UINT64:
      return one ? access.GetUInt64(message, &field) : access.GetRepeatedUInt64(message, &field, index);
  }
  return nullptr;
}

json mapOf(const Message& message, const FieldDescriptor& field) {
  const Reflection& access = *message.GetReflection();
  json object = json::object();
  for (int i = 0; i < access.FieldSize(message, &field); ++i) {
    const Message& entry = access.GetRepeatedMessage(message, &field, i);
    const std::string key = entry.GetReflection()->GetString(entry, field.message_type()->map_key());
    object[key] = jsonOf(entry, *field.message_type()->map_value(), -1);
  }
  return object;
}

json arrayOf(const Message& message, const FieldDescriptor& field) {
  json array = json::array();
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) array += jsonOf(message, field, i);
  return array;
}

json jsonOf(const Message& message) {
  const Reflection& access = *message.GetReflection();
  json object = json::object();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (field.is_repeated()) {
      const bool isWritten = field.options().GetExtension(mesos::v1::agent::written_empty);
      if (access.FieldSize(message, &field) == 0 && !isWritten) continue;
      object[field.name()] = field.is_map() ? mapOf(message, field) : arrayOf(message, field);
    } else if (access.HasField(message, &field) || (field.has_default_value() && !field.options().deprecated())) {
      object[field.name()] = jsonOf(message, field, -1);
    }
  }
  return object;
}

}  // namespace

std::string toJson(const Message& message) {
  // proto2 strings from the protobuf side need not be UTF-8; JSON has to be.
  return jsonOf(message).dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace gantry::agent::wire
