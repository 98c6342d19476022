#include "runtime/device_policy.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace gantry::runtime {
namespace {

using Exception = DevicePolicy::Exception;
using Type = DevicePolicy::Type;

bool covers(const std::optional<std::uint32_t>& wide, const std::optional<std::uint32_t>& narrow) {
  return !wide || wide == narrow;
}

bool covers(const Exception& wide, const Exception& narrow) {
  return wide.type == narrow.type && covers(wide.major, narrow.major) && covers(wide.minor, narrow.minor);
}

bool overlap(const std::optional<std::uint32_t>& one, const std::optional<std::uint32_t>& other) {
  return !one || !other || one == other;
}

bool overlap(const Exception& one, const Exception& other) {
  return one.type == other.type && overlap(one.major, other.major) && overlap(one.minor, other.minor);
}

Result<unsigned> parseAccess(std::string_view text, std::string_view member) {
  unsigned access = 0;
  for (const char letter : text) {
    if (letter == 'r') {
      access |= DevicePolicy::kRead;
    } else if (letter == 'w') {
      access |= DevicePolicy::kWrite;
    } else if (letter == 'm') {
      access |= DevicePolicy::kMknod;
    } else {
      return Error::invalid(member, fmt::format("'{}' is not made of r, w and m", text));
    }
  }
  return access;
}

// Unset for "any", which runtime-spec writes as an absent member and older engines as -1.
Result<std::optional<std::uint32_t>> parseNumber(const std::optional<std::int64_t>& number, std::string_view member) {
  if (!number || *number == -1) return std::optional<std::uint32_t>();
  if (*number < 0 || *number > std::int64_t{UINT32_MAX}) return Error::invalid(member, "is not a device number");
  return std::optional<std::uint32_t>(static_cast<std::uint32_t>(*number));
}

// The rule for the opposite of the default: one more exception, merged with one for the same devices.
void add(std::vector<Exception>& exceptions, const Exception& added) {
  for (Exception& one : exceptions) {
    if (covers(one, added) && covers(added, one)) {
      one.access |= added.access;
      return;
    }
  }
  exceptions.push_back(added);
}

// The rule that says the default again: takes it from what it covers.
Result<void> subtract(std::vector<Exception>& exceptions, const Exception& removed, std::string_view member) {
  for (Exception& one : exceptions) {
    if (!overlap(one, removed) || (one.access & removed.access) == 0) continue;
    if (!covers(removed, one)) {
      return Error::invalid(member,
                            fmt::format("takes back a part of '{}', which no cgroup can express", toString(one)));
    }
    one.access &= ~removed.access;
  }
  std::erase_if(exceptions, [](const Exception& one) { return one.access == 0; });
  return {};
}

Result<void> apply(DevicePolicy& policy, const oci::DeviceRule& rule, const std::string& member) {
  TRY(unsigned access, parseAccess(rule.access, member + ".access"));
  if (access == 0) {
    if (rule.allow) return Error::invalid(member + ".access", "must not be empty");
    access = DevicePolicy::kAll;
  }
  TRY(const auto major, parseNumber(rule.major, member + ".major"));
  TRY(const auto minor, parseNumber(rule.minor, member + ".minor"));

  const bool all = rule.type.empty() || rule.type == "a";
  if (!all && rule.type != "c" && rule.type != "u" && rule.type != "b") {
    return Error::invalid(member + ".type", fmt::format("'{}' is not a, c, u or b", rule.type));
  }
  if (all && !major && !minor && access == DevicePolicy::kAll) {
    policy = {rule.allow, {}};
    return {};
  }
  for (const Type type : {Type::Character, Type::Block}) {
    if (!all && (type == Type::Block) != (rule.type == "b")) continue;
    const Exception exception{type, major, minor, access};
    if (rule.allow != policy.allowByDefault) {
      add(policy.exceptions, exception);
    } else {
      TRY_VOID(subtract(policy.exceptions, exception, member));
    }
  }
  return {};
}

oci::DeviceRule allowRule(const char* type, std::optional<std::int64_t> major, std::optional<std::int64_t> minor,
                          const char* access) {
  return {true, type, major, minor, access};
}

}  // namespace

Result<DevicePolicy> DevicePolicy::fromRules(const std::vector<oci::DeviceRule>& rules) {
  DevicePolicy policy;
  for (std::size_t index = 0; index < rules.size(); ++index) {
    TRY_VOID(apply(policy, rules[index], fmt::format("linux.resources.devices[{}]", index)));
  }
  return policy;
}

bool DevicePolicy::allows(Type type, std::uint32_t major, std::uint32_t minor, unsigned access) const {
  const Exception asked{type, major, minor, access};
  const bool matched = std::any_of(exceptions.begin(), exceptions.end(), [&](const Exception& one) {
    if (!covers(one, asked)) return false;
    return allowByDefault ? (one.access & access) != 0 : (access & ~one.access) == 0;
  });
  return matched != allowByDefault;
}

const std::vector<oci::DeviceRule>& defaultDeviceRules() {
  static const std::vector<oci::DeviceRule> rules{
      allowRule("c", std::nullopt, std::nullopt, "m"),
      allowRule("b", std::nullopt, std::nullopt, "m"),
      allowRule("c", 1, 3, "rwm"),               // null
      allowRule("c", 1, 5, "rwm"),               // zero
      allowRule("c", 1, 7, "rwm"),               // full
      allowRule("c", 1, 8, "rwm"),               // random
      allowRule("c", 1, 9, "rwm"),               // urandom
      allowRule("c", 5, 0, "rwm"),               // tty
      allowRule("c", 5, 2, "rwm"),               // ptmx
      allowRule("c", 136, std::nullopt, "rwm"),  // pts
  };
  return rules;
}

std::string toString(const Exception& exception) {
  const auto number = [](const std::optional<std::uint32_t>& value) {
    return value ? fmt::format("{}", *value) : std::string("*");
  };
  std::string access;
  if ((exception.access & DevicePolicy::kRead) != 0) access += 'r';
  if ((exception.access & DevicePolicy::kWrite) != 0) access += 'w';
  if ((exception.access & DevicePolicy::kMknod) != 0) access += 'm';
  return fmt::format("{} {}:{} {}", exception.type == Type::Character ? 'c' : 'b', number(exception.major),
                     number(exception.minor), access);
}

}  // namespace gantry::runtime
