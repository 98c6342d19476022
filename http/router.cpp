#include "http/router.hpp"

#include <algorithm>

namespace gantry::http {
namespace {

std::vector<std::string> patternSegments(std::string_view pattern) {
  std::vector<std::string> segments;
  while (!pattern.empty()) {
    const std::string_view segment = pattern.substr(0, pattern.find('/'));
    if (!segment.empty()) segments.emplace_back(segment);
    pattern.remove_prefix(std::min(pattern.size(), segment.size() + 1));
  }
  return segments;
}

bool isParameter(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

}  // namespace

Result<std::vector<std::string>> splitPath(std::string_view path) {
  std::vector<std::string> segments;
  // Split first and decode then: an escaped slash belongs to its segment.
  for (const std::string& raw : patternSegments(path)) {
    TRY(std::string segment, percentDecode(raw));
    if (segment == "." || segment == "..") {
      return Error(Code::InvalidArgument, "a path with '.' or '..' is not accepted");
    }
    segments.push_back(std::move(segment));
  }
  return segments;
}

void Router::add(std::string method, std::string_view pattern, Handler handler) {
  routes_.push_back({std::move(method), patternSegments(pattern), std::move(handler)});
}

void Router::optionalPrefix(std::string_view prefix) {
  prefixes_.push_back(patternSegments(prefix));
}

void Router::optionalSuffix(std::string suffix) {
  suffix_ = std::move(suffix);
}

Router::Match Router::find(std::string_view method, const std::vector<std::string>& segments) const {
  std::size_t skipped = 0;
  for (const auto& prefix : prefixes_) {
    if (segments.size() > prefix.size() && std::equal(prefix.begin(), prefix.end(), segments.begin())) {
      skipped = prefix.size();
    }
  }
  std::vector<std::string> path(segments.begin() + static_cast<std::ptrdiff_t>(skipped), segments.end());
  Match match = findExactly(method, path);
  const bool hasSuffix = !suffix_.empty() && !path.empty() && path.back().ends_with(suffix_);
  if (match.handler != nullptr || !match.allowed.empty() || !hasSuffix) return match;
  path.back().resize(path.back().size() - suffix_.size());
  return findExactly(method, path);
}

Router::Match Router::findExactly(std::string_view method, const std::vector<std::string>& path) const {
  Match best;
  std::size_t fewestParameters = path.size() + 1;
  for (const Route& route : routes_) {
    if (route.segments.size() != path.size()) continue;
    std::map<std::string, std::string> parameters;
    bool matches = true;
    for (std::size_t i = 0; i < path.size() && matches; ++i) {
      const std::string& expected = route.segments[i];
      if (isParameter(expected)) {
        parameters[expected.substr(1, expected.size() - 2)] = path[i];
      } else {
        matches = expected == path[i];
      }
    }
    if (!matches) continue;
    const bool methodFits = route.method == method || (method == "HEAD" && route.method == "GET");
    if (!methodFits) {
      best.allowed.push_back(route.method);
    } else if (parameters.size() < fewestParameters) {
      fewestParameters = parameters.size();
      best.handler = &route.handler;
      best.parameters = std::move(parameters);
    }
  }
  return best;
}

}  // namespace gantry::http
