#include "fetcher/messages.hpp"

#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/json.hpp"

namespace gantry::fetcher {
namespace {

using Json = nlohmann::json;

constexpr Code kCodes[] = {Code::NotFound,    Code::AlreadyExists, Code::InvalidArgument, Code::PermissionDenied,
                           Code::Busy,        Code::Exhausted,     Code::Timeout,         Code::Cancelled,
                           Code::Unavailable, Code::Unsupported,   Code::Internal};

Code codeOf(std::string_view name) {
  for (const Code code : kCodes) {
    if (toString(code) == name) return code;
  }
  return Code::Internal;
}

std::string_view nameOf(Progress::Step step) {
  return step == Progress::Step::Download ? "download" : "unpack";
}

// Paths and messages may hold bytes that are no UTF-8.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Json> parse(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) return Error(Code::InvalidArgument, "is no JSON object");
  return json;
}

// Reads one object's members; the first error stays.
class Members {
 public:
  Members(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
    if (!object.is_object()) fail("", "is not an object");
  }

  void read(const char* name, std::string& into) {
    if (const auto* value = find(name, "a string", &Json::is_string)) into = value->get<std::string>();
  }
  void read(const char* name, std::uint64_t& into) {
    if (const auto* value = find(name, "a number", &Json::is_number_unsigned)) into = value->get<std::uint64_t>();
  }
  void read(const char* name, Bytes& into) { read(name, into.count); }
  void read(const char* name, std::vector<std::string>& into) {
    const auto* value = find(name, "an array", &Json::is_array);
    if (value == nullptr) return;
    for (const Json& element : *value) {
      if (!element.is_string()) return fail(name, "has an element that is not a string");
      into.push_back(element.get<std::string>());
    }
  }
  void read(const char* name, oci::Digest& into) {
    std::string text;
    read(name, text);
    auto digest = oci::Digest::parse(text);
    if (digest) {
      into = *std::move(digest);
    } else {
      fail(name, digest.error().message());
    }
  }
  const Json* object(const char* name) { return find(name, "an object", &Json::is_object); }
  const Json* array(const char* name) { return find(name, "an array", &Json::is_array); }

  template <std::size_t N>
  void refuseOthers(const std::array<std::string_view, N>& known) {
    if (!object_.is_object()) return;
    for (const auto& [name, value] : object_.items()) {
      if (std::find(known.begin(), known.end(), name) == known.end()) fail(name, "is not known");
    }
  }
  void fail(std::string_view name, std::string_view reason) {
    if (!error_)
      error_ = Error::invalid(name.empty()    ? path_
                              : path_.empty() ? std::string(name)
                                              : fmt::format("{}.{}", path_, name),
                              reason);
  }
  Result<void> outcome() const {
    if (error_) return *error_;
    return {};
  }

 private:
  const Json* find(const char* name, std::string_view wanted, bool (Json::*is)() const noexcept) {
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    if (found == object_.end() || found->is_null()) return nullptr;
    if ((*found.*is)()) return &*found;
    fail(name, fmt::format("is not {}", wanted));
    return nullptr;
  }

  const Json& object_;
  std::string path_;
  std::optional<Error> error_;
};

Json toValue(const Image& image) {
  Json layers = Json::array();
  for (const Layer& layer : image.layers) {
    layers.push_back({{"chain_id", layer.chainId.text()},
                      {"diff_id", layer.diffId.text()},
                      {"digest", layer.digest.text()},
                      {"directory", layer.directory}});
  }
  return {{"reference", image.reference},
          {"manifest_digest", image.manifestDigest.text()},
          {"config_digest", image.configDigest.text()},
          {"size", image.size.count},
          {"layers", std::move(layers)},
          {"config", Json::parse(image.configJson, nullptr, false)}};
}

Result<Image> imageFrom(const Json& json) {
  Image image;
  Members members(json, "image");
  members.read("reference", image.reference);
  members.read("manifest_digest", image.manifestDigest);
  members.read("config_digest", image.configDigest);
  members.read("size", image.size);
  if (const Json* config = members.object("config")) image.configJson = dump(*config);
  if (const Json* layers = members.array("layers")) {
    for (const Json& each : *layers) {
      Layer layer;
      Members parts(each, fmt::format("image.layers[{}]", image.layers.size()));
      parts.read("chain_id", layer.chainId);
      parts.read("diff_id", layer.diffId);
      parts.read("digest", layer.digest);
      parts.read("directory", layer.directory);
      TRY_VOID(parts.outcome());
      image.layers.push_back(std::move(layer));
    }
  }
  TRY_VOID(members.outcome());
  if (image.reference.empty()) return Error::invalid("image.reference", "is missing");
  if (image.configJson.empty()) return Error::invalid("image.config", "is missing");
  return image;
}

Result<Progress> progressFrom(const Json& json) {
  Progress progress;
  Members members(json, "progress");
  std::string step;
  members.read("digest", progress.digest);
  members.read("step", step);
  members.read("done", progress.done);
  members.read("total", progress.total);
  progress.step = step == "unpack" ? Progress::Step::Unpack : Progress::Step::Download;
  TRY_VOID(members.outcome());
  return progress;
}

Result<Limits> limitsFrom(const Json& json) {
  Limits limits;
  Members members(json, "limits");
  members.refuseOthers(std::array<std::string_view, 5>{"manifest", "config", "layers", "unpacked", "entries"});
  members.read("manifest", limits.manifest);
  members.read("config", limits.config);
  members.read("layers", limits.layers);
  members.read("unpacked", limits.unpacked);
  members.read("entries", limits.entries);
  TRY_VOID(members.outcome());
  return limits;
}

Result<oci::Platform> platformFrom(const Json& json) {
  oci::Platform platform;
  Members members(json, "platform");
  members.refuseOthers(std::array<std::string_view, 3>{"os", "architecture", "variant"});
  members.read("os", platform.os);
  members.read("architecture", platform.architecture);
  members.read("variant", platform.variant);
  if (platform.os.empty()) members.fail("os", "is missing");
  if (platform.architecture.empty()) members.fail("architecture", "is missing");
  TRY_VOID(members.outcome());
  return platform;
}

Result<Credentials> credentialsFrom(const Json& json) {
  Credentials credentials;
  Members members(json, "credentials");
  members.refuseOthers(std::array<std::string_view, 2>{"username", "password"});
  members.read("username", credentials.username);
  members.read("password", credentials.password);
  TRY_VOID(members.outcome());
  return credentials;
}

}  // namespace

std::string toJson(const PullRequest& request) {
  Json platform = {{"os", request.platform.os}, {"architecture", request.platform.architecture}};
  if (!request.platform.variant.empty()) platform["variant"] = request.platform.variant;
  Json json = {{"reference", request.reference},
               {"store", request.store},
               {"platform", std::move(platform)},
               {"insecure_hosts", request.insecureHosts},
               {"default_registry", request.defaultRegistry},
               {"limits",
                {{"manifest", request.limits.manifest.count},
                 {"config", request.limits.config.count},
                 {"layers", request.limits.layers},
                 {"unpacked", request.limits.unpacked.count},
                 {"entries", request.limits.entries}}}};
  if (request.credentials) {
    json["credentials"] = {{"username", request.credentials->username}, {"password", request.credentials->password}};
  }
  return dump(json);
}

Result<PullRequest> parsePullRequest(std::string_view text) {
  TRY(const Json json, parse(text).under("request"));
  PullRequest request;
  Members members(json, "");
  members.refuseOthers(std::array<std::string_view, 7>{"reference", "store", "platform", "insecure_hosts",
                                                       "credentials", "default_registry", "limits"});
  members.read("reference", request.reference);
  members.read("store", request.store);
  members.read("insecure_hosts", request.insecureHosts);
  members.read("default_registry", request.defaultRegistry);
  const Json* platform = members.object("platform");
  const Json* credentials = members.object("credentials");
  const Json* limits = members.object("limits");
  if (request.reference.empty()) members.fail("reference", "is missing");
  if (!request.store.starts_with('/')) members.fail("store", "is not an absolute path");
  TRY_VOID(members.outcome());
  if (platform != nullptr) {
    TRY(request.platform, platformFrom(*platform));
  }
  if (credentials != nullptr) {
    TRY(request.credentials, credentialsFrom(*credentials));
  }
  if (limits != nullptr) {
    TRY(request.limits, limitsFrom(*limits));
  }
  return request;
}

std::string toJson(const Answer& answer) {
  if (const auto* image = std::get_if<Image>(&answer)) return dump({{"image", toValue(*image)}});
  if (const auto* error = std::get_if<Error>(&answer)) {
    return dump({{"error", {{"code", toString(error->code())}, {"message", error->message()}}}});
  }
  const auto& progress = std::get<Progress>(answer);
  return dump({{"progress",
                {{"digest", progress.digest.text()},
                 {"step", nameOf(progress.step)},
                 {"done", progress.done.count},
                 {"total", progress.total.count}}}});
}

Result<Answer> parseAnswer(std::string_view line) {
  TRY(const Json json, parse(line).under("the fetcher's answer"));
  Members members(json, "");
  if (const Json* progress = members.object("progress")) {
    TRY(Progress read, progressFrom(*progress));
    return Answer(std::move(read));
  }
  if (const Json* image = members.object("image")) {
    TRY(Image read, imageFrom(*image));
    return Answer(std::move(read));
  }
  if (const Json* error = members.object("error")) {
    std::string code;
    std::string message;
    Members parts(*error, "error");
    parts.read("code", code);
    parts.read("message", message);
    TRY_VOID(parts.outcome());
    return Answer(Error(codeOf(code), message));
  }
  return Error(Code::InvalidArgument, "the fetcher's answer: is none of progress, image and error");
}

std::string imageToJson(const Image& image) {
  return dump(toValue(image));
}

Result<Image> parseImage(std::string_view text) {
  TRY(const Json json, parse(text));
  return imageFrom(json);
}

}  // namespace gantry::fetcher
