#include "fetcher/messages.hpp"

#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "fetcher/members.hpp"

namespace gantry::fetcher {
namespace {

std::string_view nameOf(Progress::Step step) {
  return step == Progress::Step::Download ? "download" : "unpack";
}

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
               {"ca_file", request.caFile},
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
  TRY(const Json json, parseObject(text).under("request"));
  PullRequest request;
  Members members(json, "");
  members.refuseOthers(std::array<std::string_view, 8>{"reference", "store", "platform", "insecure_hosts",
                                                       "credentials", "default_registry", "ca_file", "limits"});
  members.read("reference", request.reference);
  members.read("store", request.store);
  members.read("insecure_hosts", request.insecureHosts);
  members.read("default_registry", request.defaultRegistry);
  members.read("ca_file", request.caFile);
  const Json* platform = members.object("platform");
  const Json* credentials = members.object("credentials");
  const Json* limits = members.object("limits");
  if (request.reference.empty()) members.fail("reference", "is missing");
  if (!request.store.starts_with('/')) members.fail("store", "is not an absolute path");
  if (!request.caFile.empty() && !request.caFile.starts_with('/')) members.fail("ca_file", "is not an absolute path");
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
  if (const auto* error = std::get_if<Error>(&answer)) return dump(errorToValue(*error));
  const auto& progress = std::get<Progress>(answer);
  return dump({{"progress",
                {{"digest", progress.digest.text()},
                 {"step", nameOf(progress.step)},
                 {"done", progress.done.count},
                 {"total", progress.total.count}}}});
}

Result<Answer> parseAnswer(std::string_view line) {
  TRY(const Json json, parseObject(line).under("the fetcher's answer"));
  Members members(json, "");
  if (const Json* progress = members.object("progress")) {
    TRY(Progress read, progressFrom(*progress));
    return Answer(std::move(read));
  }
  if (const Json* image = members.object("image")) {
    TRY(Image read, imageFrom(*image));
    return Answer(std::move(read));
  }
  if (const Json* error = members.object("error")) return Answer(errorFrom(*error));
  return Error(Code::InvalidArgument, "the fetcher's answer: is none of progress, image and error");
}

std::string imageToJson(const Image& image) {
  return dump(toValue(image));
}

Result<Image> parseImage(std::string_view text) {
  TRY(const Json json, parseObject(text));
  return imageFrom(json);
}

}  // namespace gantry::fetcher
