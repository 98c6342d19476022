#include "agent/metrics/registry.hpp"

#include <cmath>
#include <memory>

#include <fmt/format.h>

namespace gantry::agent {
namespace {

std::string escaped(std::string_view text, bool quotes) {
  std::string result;
  for (const char letter : text) {
    if (letter == '\\') {
      result += "\\\\";
    } else if (letter == '\n') {
      result += "\\n";
    } else if (letter == '"' && quotes) {
      result += "\\\"";
    } else {
      result.push_back(letter);
    }
  }
  return result;
}

std::string formatNumber(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void appendSample(std::string& text, std::string_view name, const Sample& sample) {
  text += name;
  char separator = '{';
  for (const auto& [label, value] : sample.labels) {
    text += fmt::format("{}{}=\"{}\"", separator, label, escaped(value, true));
    separator = ',';
  }
  if (!sample.labels.empty()) text += '}';
  text += fmt::format(" {}\n", formatNumber(sample.value));
}

}  // namespace

std::vector<Sample> Counter::samples() const {
  std::vector<Sample> samples;
  for (const auto& [labels, value] : values_) samples.push_back({labels, value});
  return samples;
}

Counter& Registry::counter(std::string name, std::string help) {
  const auto counter = std::make_shared<Counter>();
  family(std::move(name), MetricType::Counter, std::move(help), [counter] { return counter->samples(); });
  return *counter;
}

void Registry::family(std::string name, MetricType type, std::string help,
                      std::function<std::vector<Sample>()> measure) {
  families_.push_back({std::move(name), type, std::move(help), std::move(measure)});
}

void Registry::value(std::string name, MetricType type, std::string help, std::function<double()> measure) {
  family(std::move(name), type, std::move(help),
         [measure = std::move(measure)] { return std::vector<Sample>{{{}, measure()}}; });
}

std::string Registry::text() const {
  std::string text;
  for (const Family& family : families_) {
    text += fmt::format("# HELP {} {}\n", family.name, escaped(family.help, false));
    text += fmt::format("# TYPE {} {}\n", family.name, family.type == MetricType::Counter ? "counter" : "gauge");
    for (const Sample& sample : family.measure()) appendSample(text, family.name, sample);
  }
  return text;
}

}  // namespace gantry::agent
