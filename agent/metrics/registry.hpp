// Numbers for Prometheus: counters that are counted up, and families that are measured when somebody asks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::agent {

enum class MetricType { Counter, Gauge };

// In the order in which they are printed.
using Labels = std::vector<std::pair<std::string, std::string>>;

struct Sample {
  Labels labels;
  double value = 0;
};

// A number for each set of labels that only grows. Belongs to a Registry.
class Counter {
 public:
  void add(Labels labels, double amount = 1) { values_[std::move(labels)] += amount; }
  std::vector<Sample> samples() const;

 private:
  std::map<Labels, double> values_;
};

// Names, units and types follow Prometheus' conventions ("gantry_launches_total"). Only used on the agent's thread.
class Registry {
 public:
  // The counter lives as long as the registry.
  Counter& counter(std::string name, std::string help);
  // `measure` is called for each text(); what it refers to must outlive the registry's use.
  void family(std::string name, MetricType type, std::string help, std::function<std::vector<Sample>()> measure);
  // A family of one sample without labels.
  void value(std::string name, MetricType type, std::string help, std::function<double()> measure);

  // The text exposition format, version 0.0.4; families in the order in which they were added.
  std::string text() const;

 private:
  struct Family {
    std::string name;
    MetricType type;
    std::string help;
    std::function<std::vector<Sample>()> measure;
  };

  std::vector<Family> families_;
};

}  // namespace gantry::agent
