#include "oci/state.hpp"

#include "oci/json.hpp"

namespace gantry::oci {

static void read(const JsonValue& json, State& state) {
  json.required("ociVersion", state.ociVersion);
  json.required("id", state.id);
  json.required("status", state.status);
  json.member("pid", state.pid);
  json.required("bundle", state.bundle);
  json.member("annotations", state.annotations);
}

Result<State> parseState(std::string_view json) {
  return parseJson<State>(json);
}

std::string toJson(const State& state) {
  JsonWriter json;
  json.open('{').member("ociVersion", state.ociVersion).member("id", state.id).member("status", state.status);
  if (state.pid != 0) json.member("pid", state.pid);
  json.member("bundle", state.bundle).optional("annotations", state.annotations).close();
  return json.text();
}

}  // namespace gantry::oci
