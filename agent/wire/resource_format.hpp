// The two spellings of a resource's reservations. Before reservations could be refined a Resource had one `role` and
// perhaps one `reservation`; since then it has a stack of `reservations` (reference: master-agent, 10). For the .cpp
// files of this directory.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <string>

namespace mesos::v1 {
class Resource;
}

namespace gantry::agent::wire {

using ResourceMessages = google::protobuf::RepeatedPtrField<mesos::v1::Resource>;

// To the stack: role "*" is none, a role alone a static reservation, a role with a reservation a dynamic one. Does
// nothing to a resource that has a stack.
void toStack(mesos::v1::Resource& resource);
void toStack(ResourceMessages& resources);

// A stack of more than one, which the older form has no words for.
bool isRefined(const mesos::v1::Resource& resource);

// To the older form, the role "*" spelled out. Nothing happens to a refined resource.
void toSingleRole(mesos::v1::Resource& resource);
// All or, when one of them is refined, none.
void toSingleRole(ResourceMessages& resources);

// The stack, and beside it what the older form says where it can, as in the HTTP endpoints' answers.
void toBoth(mesos::v1::Resource& resource);

// The role that the resource is reserved for, in either form; "*" for none.
std::string reservationRole(const mesos::v1::Resource& resource);

}  // namespace gantry::agent::wire
