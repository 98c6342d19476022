#include "agent/wire/resource_values.hpp"

#include <agent/wire/mesos_v1.pb.h>

#include "agent/wire/resource_format.hpp"

namespace gantry::agent::wire {
namespace {

using resources::Range;
using resources::Ranges;
using resources::Scalar;
using resources::Set;
using resources::Value;

Result<Value> amountOf(const mesos::v1::Resource& message) {
  switch (message.type()) {
    case mesos::v1::Value::SCALAR: {
      if (!message.has_scalar()) return Error::invalid("scalar", "is required");
      auto scalar = Scalar::from(message.scalar().value());
      if (!scalar) return Error(Code::InvalidArgument, "scalar.value: " + scalar.error().message());
      return Value(*scalar);
    }
    case mesos::v1::Value::RANGES: {
      if (!message.has_ranges()) return Error::invalid("ranges", "is required");
      std::vector<Range> ranges;
      for (const auto& range : message.ranges().range()) {
        if (range.end() < range.begin()) return Error::invalid("ranges.range", "ends before it begins");
        ranges.push_back({range.begin(), range.end()});
      }
      return Value(Ranges(std::move(ranges)));
    }
    case mesos::v1::Value::SET:
      if (!message.has_set()) return Error::invalid("set", "is required");
      return Value(Set({message.set().item().begin(), message.set().item().end()}));
    case mesos::v1::Value::TEXT:
      break;
  }
  return Error::invalid("type", "must be SCALAR, RANGES or SET");
}

void clearAmount(mesos::v1::Resource& message) {
  message.clear_name();
  message.clear_type();
  message.clear_scalar();
  message.clear_ranges();
  message.clear_set();
}

}  // namespace

Result<resources::Resource> valueOf(const mesos::v1::Resource& message) {
  TRY(Value value, amountOf(message));
  mesos::v1::Resource rest = message;
  clearAmount(rest);
  toStack(rest);
  rest.clear_allocation_info();
  return resources::Resource{message.name(), std::move(value), rest.SerializePartialAsString()};
}

mesos::v1::Resource messageOf(const resources::Resource& resource) {
  mesos::v1::Resource message;
  ENSURE(message.ParsePartialFromString(resource.identity), "a resource's identity is not ours");
  message.set_name(resource.name);
  writeValue(resource.value, message);
  return message;
}

void writeValue(const Value& value, mesos::v1::Resource& message) {
  if (const auto* scalar = std::get_if<Scalar>(&value)) {
    message.set_type(mesos::v1::Value::SCALAR);
    message.mutable_scalar()->set_value(scalar->value());
  } else if (const auto* ranges = std::get_if<Ranges>(&value)) {
    message.set_type(mesos::v1::Value::RANGES);
    message.mutable_ranges();
    for (const Range& range : ranges->list()) {
      auto& entry = *message.mutable_ranges()->add_range();
      entry.set_begin(range.begin);
      entry.set_end(range.end);
    }
  } else if (const auto* set = std::get_if<Set>(&value)) {
    message.set_type(mesos::v1::Value::SET);
    message.mutable_set();
    for (const std::string& item : set->items()) message.mutable_set()->add_item(item);
  }
}

}  // namespace gantry::agent::wire
