// What an agent has and what its tasks take of it: amounts by name and owner, and the --resources and --attributes
// texts. Values only; agent/wire turns them into Mesos' messages and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/resources/value.hpp"
#include "base/result.hpp"

namespace gantry::agent::resources {

struct Resource {
  std::string name;
  Value value;
  // All that tells it from others of its name (whose it is, which disk it is on), in a form that only its maker reads.
  // Only amounts with the same identity add up.
  std::string identity;

  bool operator==(const Resource&) const = default;
};

// Amounts that add up. The order in which names first came is kept; nothing in it is empty.
class Resources {
 public:
  Resources() = default;
  explicit Resources(const std::vector<Resource>& list);

  const std::vector<Resource>& list() const { return list_; }
  bool isEmpty() const { return list_.empty(); }

  // A name of one identity must always be of one kind: InvalidArgument otherwise, and nothing is added.
  Result<void> add(const Resource& resource);
  Result<void> add(const Resources& other);
  // As much of it as there is.
  void subtract(const Resource& resource);
  void subtract(const Resources& other);
  bool contains(const Resource& resource) const;
  bool contains(const Resources& other) const;

  // The sum of all of one name, whoever owns them; nothing when there is none, or when it is not a scalar.
  std::optional<double> scalar(std::string_view name) const;

  // In any order.
  bool operator==(const Resources& other) const;

 private:
  std::vector<Resource>::iterator find(const Resource& resource);
  std::vector<Resource>::const_iterator find(const Resource& resource) const;

  std::vector<Resource> list_;
};

// One entry of the --resources text.
struct NamedValue {
  std::string name;
  // "" when none is given.
  std::string role;
  Value value;
};
// "cpus:4;mem(role):1024;ports:[31000-32000];zones:{a,b}". InvalidArgument names the entry.
Result<std::vector<NamedValue>> parseResources(std::string_view text);

struct Attribute {
  std::string name;
  AttributeValue value;
};
// "rack:a;level:10;keys:[1000-1500]". A value may contain colons; sets are refused, as Mesos has no such attributes.
Result<std::vector<Attribute>> parseAttributes(std::string_view text);

// Mesos' rule for the names of roles: components between slashes, none of them empty, ".", "..", or beginning with '-';
// no white space and no backslash; "*" only alone.
Result<void> checkRole(std::string_view role, std::string_view field);

// What a host has, for the resources that the operator did not name.
struct Host {
  unsigned cpus = 0;           // online
  double memoryMegabytes = 0;  // all of it
  double diskMegabytes = 0;    // of the file system of the work directory
};
// Reads them of this host.
Result<Host> readHost(const std::string& workDirectory);
// What Mesos offers of it (reference: master-agent, 10): all cpus, memory but for 1 GB or half, disk but for 5 GB or
// half, and the ports 31000 to 32000, each only when `named` has none of it.
std::vector<NamedValue> withHost(std::vector<NamedValue> named, const Host& host);

}  // namespace gantry::agent::resources
