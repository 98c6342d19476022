#include "agent/metrics/registry.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace gantry::agent {
namespace {

TEST(Registry, PrintsWhatPrometheusReads) {
  Registry registry;
  registry.value("up_seconds", MetricType::Gauge, "Time since the start.", [] { return 1.5; });
  Counter& requests = registry.counter("requests_total", "Requests\nby \\ method.");
  requests.add({{"method", "GET"}});
  requests.add({{"method", "GET"}});
  requests.add({{"method", "a\"\\\n"}}, 0.5);
  EXPECT_EQ(registry.text(),
            "# HELP up_seconds Time since the start.\n"
            "# TYPE up_seconds gauge\n"
            "up_seconds 1.5\n"
            "# HELP requests_total Requests\\nby \\\\ method.\n"
            "# TYPE requests_total counter\n"
            "requests_total{method=\"GET\"} 2\n"
            "requests_total{method=\"a\\\"\\\\\\n\"} 0.5\n");
}

TEST(Registry, LargeAndInfiniteNumbersKeepTheirValue) {
  Registry registry;
  registry.family("x", MetricType::Gauge, "X.", [] {
    return std::vector<Sample>{{{}, 9007199254740991.0}, {{}, std::numeric_limits<double>::infinity()}};
  });
  const std::string text = registry.text();
  EXPECT_NE(text.find("x 9007199254740991"), std::string::npos) << text;
  EXPECT_NE(text.find("x +Inf\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace gantry::agent
