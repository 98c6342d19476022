#include "agent/resources/resources.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace gantry::agent::resources {

Resources::Resources(const std::vector<Resource>& list) {
  for (const Resource& resource : list) ENSURE(add(resource), "a resource of two kinds");
}

std::vector<Resource>::iterator Resources::find(const Resource& resource) {
  return std::ranges::find_if(list_, [&resource](const Resource& one) {
    return one.name == resource.name && one.identity == resource.identity;
  });
}

std::vector<Resource>::const_iterator Resources::find(const Resource& resource) const {
  return const_cast<Resources*>(this)->find(resource);
}

Result<void> Resources::add(const Resource& resource) {
  if (resources::isEmpty(resource.value)) return {};
  const auto found = find(resource);
  if (found == list_.end()) {
    list_.push_back(resource);
    return {};
  }
  if (found->value.index() != resource.value.index()) {
    return Error(Code::InvalidArgument, fmt::format("the resource '{}' is of two types", resource.name));
  }
  resources::add(found->value, resource.value);
  return {};
}

Result<void> Resources::add(const Resources& other) {
  Resources sum = *this;
  for (const Resource& resource : other.list_) TRY_VOID(sum.add(resource));
  *this = std::move(sum);
  return {};
}

void Resources::subtract(const Resource& resource) {
  const auto found = find(resource);
  if (found == list_.end() || found->value.index() != resource.value.index()) return;
  resources::subtract(found->value, resource.value);
  if (resources::isEmpty(found->value)) list_.erase(found);
}

void Resources::subtract(const Resources& other) {
  for (const Resource& resource : std::vector<Resource>(other.list_)) subtract(resource);
}

bool Resources::contains(const Resource& resource) const {
  if (resources::isEmpty(resource.value)) return true;
  const auto found = find(resource);
  return found != list_.end() && resources::contains(found->value, resource.value);
}

bool Resources::contains(const Resources& other) const {
  return std::ranges::all_of(other.list_, [this](const Resource& resource) { return contains(resource); });
}

std::optional<double> Resources::scalar(std::string_view name) const {
  std::optional<Scalar> sum;
  for (const Resource& resource : list_) {
    if (resource.name != name) continue;
    const Scalar* scalar = std::get_if<Scalar>(&resource.value);
    if (scalar == nullptr) return std::nullopt;
    if (!sum) sum.emplace();
    sum->add(*scalar);
  }
  if (!sum) return std::nullopt;
  return sum->value();
}

bool Resources::operator==(const Resources& other) const {
  if (list_.size() != other.list_.size()) return false;
  return std::ranges::all_of(list_, [&other](const Resource& resource) {
    const auto found = other.find(resource);
    return found != other.list_.end() && found->value == resource.value;
  });
}

}  // namespace gantry::agent::resources
