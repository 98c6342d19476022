#include "agent/wire/resource_format.hpp"

#include <agent/wire/mesos_v1.pb.h>

#include <algorithm>

namespace gantry::agent::wire {

using mesos::v1::Resource;

void toStack(Resource& resource) {
  if (resource.reservations_size() == 0 && resource.role() != "*") {
    Resource::ReservationInfo& entry = *resource.add_reservations();
    if (resource.has_reservation()) {
      entry = resource.reservation();
      entry.set_type(Resource::ReservationInfo::DYNAMIC);
    } else {
      entry.set_type(Resource::ReservationInfo::STATIC);
    }
    entry.set_role(resource.role());
  }
  resource.clear_role();
  resource.clear_reservation();
}

void toStack(ResourceMessages& resources) {
  for (Resource& resource : resources) toStack(resource);
}

bool isRefined(const Resource& resource) {
  return resource.reservations_size() > 1;
}

void toSingleRole(Resource& resource) {
  if (isRefined(resource)) return;
  toBoth(resource);
  resource.clear_reservations();
}

void toSingleRole(ResourceMessages& resources) {
  if (std::ranges::any_of(resources, isRefined)) return;
  for (Resource& resource : resources) toSingleRole(resource);
}

void toBoth(Resource& resource) {
  toStack(resource);
  if (isRefined(resource)) return;
  if (resource.reservations_size() == 0) {
    resource.set_role("*");
    return;
  }
  const Resource::ReservationInfo& only = resource.reservations(0);
  resource.set_role(only.role());
  if (only.type() != Resource::ReservationInfo::DYNAMIC) return;
  Resource::ReservationInfo& reservation = *resource.mutable_reservation();
  reservation = only;
  reservation.clear_role();
  reservation.clear_type();
}

std::string reservationRole(const Resource& resource) {
  const int layers = resource.reservations_size();
  return layers > 0 ? resource.reservations(layers - 1).role() : resource.role();
}

}  // namespace gantry::agent::wire
