#include "fetcher/uri_messages.hpp"

#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "fetcher/members.hpp"

namespace gantry::fetcher {
namespace {

std::string_view nameOf(UriProgress::Step step) {
  return step == UriProgress::Step::Download ? "download" : "unpack";
}

Result<Uri> uriFrom(const Json& json, std::size_t index) {
  Uri uri;
  Members members(json, fmt::format("uris[{}]", index));
  members.refuseOthers(std::array<std::string_view, 5>{"value", "executable", "extract", "cache", "output_file"});
  members.read("value", uri.value);
  members.read("executable", uri.executable);
  members.read("extract", uri.extract);
  members.read("cache", uri.cache);
  members.read("output_file", uri.outputFile);
  if (uri.value.empty()) members.fail("value", "is missing");
  TRY_VOID(members.outcome());
  return uri;
}

Result<UriUser> userFrom(const Json& json) {
  UriUser user;
  Members members(json, "user");
  members.refuseOthers(std::array<std::string_view, 3>{"uid", "gid", "groups"});
  // The highest ones mean "unchanged" to the kernel.
  user.uid = user.gid = static_cast<uid_t>(-1);
  members.read("uid", user.uid);
  members.read("gid", user.gid);
  if (user.uid == static_cast<uid_t>(-1)) members.fail("uid", "is missing");
  if (user.gid == static_cast<gid_t>(-1)) members.fail("gid", "is missing");
  if (const Json* groups = members.array("groups")) {
    for (const Json& group : *groups) {
      if (!group.is_number_unsigned() || group.get<std::uint64_t>() >= static_cast<gid_t>(-1)) {
        members.fail("groups", "has an element that is no group id");
        break;
      }
      user.groups.push_back(group.get<gid_t>());
    }
  }
  TRY_VOID(members.outcome());
  return user;
}

Result<UriCache> cacheFrom(const Json& json) {
  UriCache cache;
  Members members(json, "cache");
  members.refuseOthers(std::array<std::string_view, 2>{"directory", "size"});
  members.read("directory", cache.directory);
  members.read("size", cache.size);
  if (!cache.directory.starts_with('/')) members.fail("directory", "is not an absolute path");
  TRY_VOID(members.outcome());
  return cache;
}

Result<UriLimits> limitsFrom(const Json& json) {
  UriLimits limits;
  Members members(json, "limits");
  members.refuseOthers(std::array<std::string_view, 2>{"unpacked", "entries"});
  members.read("unpacked", limits.unpacked);
  members.read("entries", limits.entries);
  TRY_VOID(members.outcome());
  return limits;
}

Result<UriProgress> progressFrom(const Json& json) {
  UriProgress progress;
  Members members(json, "progress");
  std::string step;
  std::uint64_t uri = 0;
  members.read("uri", uri);
  members.read("step", step);
  members.read("done", progress.done);
  members.read("total", progress.total);
  progress.uri = uri;
  progress.step = step == "unpack" ? UriProgress::Step::Unpack : UriProgress::Step::Download;
  TRY_VOID(members.outcome());
  return progress;
}

Result<FetchedUris> fetchedFrom(const Json& json) {
  FetchedUris fetched;
  Members members(json, "fetched");
  members.read("transferred", fetched.transferred);
  members.read("from_cache", fetched.fromCache);
  members.read("cache_used", fetched.cacheUsed);
  TRY_VOID(members.outcome());
  return fetched;
}

}  // namespace

std::string toJson(const UriRequest& request) {
  Json uris = Json::array();
  for (const Uri& uri : request.uris) {
    uris.push_back({{"value", uri.value},
                    {"executable", uri.executable},
                    {"extract", uri.extract},
                    {"cache", uri.cache},
                    {"output_file", uri.outputFile}});
  }
  Json json = {{"uris", std::move(uris)},
               {"sandbox", request.sandbox},
               {"user", {{"uid", request.user.uid}, {"gid", request.user.gid}, {"groups", request.user.groups}}},
               {"frameworks_home", request.frameworksHome},
               {"stall_timeout", request.stallTimeout.count()},
               {"ca_file", request.caFile},
               {"limits", {{"unpacked", request.limits.unpacked.count}, {"entries", request.limits.entries}}}};
  if (!request.cache.directory.empty()) {
    json["cache"] = {{"directory", request.cache.directory}, {"size", request.cache.size.count}};
  }
  return dump(json);
}

bool isUriRequest(std::string_view text) {
  const auto json = parseObject(text);
  return json && json->contains("uris");
}

Result<UriRequest> parseUriRequest(std::string_view text) {
  TRY(const Json json, parseObject(text).under("request"));
  UriRequest request;
  Members members(json, "");
  members.refuseOthers(std::array<std::string_view, 8>{"uris", "sandbox", "user", "cache", "frameworks_home",
                                                       "stall_timeout", "ca_file", "limits"});
  const Json* uris = members.array("uris");
  members.read("sandbox", request.sandbox);
  members.read("frameworks_home", request.frameworksHome);
  members.read("ca_file", request.caFile);
  std::uint64_t stallTimeout = static_cast<std::uint64_t>(request.stallTimeout.count());
  members.read("stall_timeout", stallTimeout);
  const Json* user = members.object("user");
  const Json* cache = members.object("cache");
  const Json* limits = members.object("limits");
  constexpr std::uint64_t kMaxStallTimeout = 1'000'000'000;
  if (stallTimeout == 0 || stallTimeout > kMaxStallTimeout) {
    members.fail("stall_timeout", fmt::format("is not from 1 to {} seconds", kMaxStallTimeout));
  }
  if (!request.sandbox.starts_with('/')) members.fail("sandbox", "is not an absolute path");
  if (!request.caFile.empty() && !request.caFile.starts_with('/')) members.fail("ca_file", "is not an absolute path");
  if (user == nullptr) members.fail("user", "is missing");
  TRY_VOID(members.outcome());
  request.stallTimeout = std::chrono::seconds(stallTimeout);
  if (uris != nullptr) {
    for (const Json& each : *uris) {
      TRY(Uri uri, uriFrom(each, request.uris.size()));
      request.uris.push_back(std::move(uri));
    }
  }
  TRY(request.user, userFrom(*user));
  if (cache != nullptr) {
    TRY(request.cache, cacheFrom(*cache));
  }
  if (limits != nullptr) {
    TRY(request.limits, limitsFrom(*limits));
  }
  return request;
}

std::string toJson(const UriAnswer& answer) {
  if (const auto* error = std::get_if<Error>(&answer)) return dump(errorToValue(*error));
  if (const auto* fetched = std::get_if<FetchedUris>(&answer)) {
    return dump({{"fetched",
                  {{"transferred", fetched->transferred.count},
                   {"from_cache", fetched->fromCache},
                   {"cache_used", fetched->cacheUsed.count}}}});
  }
  const auto& progress = std::get<UriProgress>(answer);
  return dump({{"progress",
                {{"uri", progress.uri},
                 {"step", nameOf(progress.step)},
                 {"done", progress.done.count},
                 {"total", progress.total.count}}}});
}

Result<UriAnswer> parseUriAnswer(std::string_view line) {
  TRY(const Json json, parseObject(line).under("the fetcher's answer"));
  Members members(json, "");
  if (const Json* progress = members.object("progress")) {
    TRY(const UriProgress read, progressFrom(*progress));
    return UriAnswer(read);
  }
  if (const Json* fetched = members.object("fetched")) {
    TRY(const FetchedUris read, fetchedFrom(*fetched));
    return UriAnswer(read);
  }
  if (const Json* error = members.object("error")) return UriAnswer(errorFrom(*error));
  return Error(Code::InvalidArgument, "the fetcher's answer: is none of progress, fetched and error");
}

std::string withoutPassword(std::string_view uri) {
  const auto authority = uri.find("://");
  if (authority == std::string_view::npos) return std::string(uri);
  const auto begin = authority + 3;
  const auto end = std::min(uri.find_first_of("/?#", begin), uri.size());
  const auto at = uri.substr(0, end).rfind('@');
  if (at == std::string_view::npos || at < begin) return std::string(uri);
  const auto colon = uri.substr(0, at).find(':', begin);
  if (colon == std::string_view::npos) return std::string(uri);
  return fmt::format("{}:***{}", uri.substr(0, colon), uri.substr(at));
}

}  // namespace gantry::fetcher
