#include "agent/metrics/agent_metrics.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <memory>

#include <fmt/format.h>

#include "kernel/file.hpp"

namespace gantry::agent {
namespace {

using Seconds = std::chrono::duration<double>;

double secondsOf(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double cpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return secondsOf(usage.ru_utime) + secondsOf(usage.ru_stime);
}

// The second number of /proc/self/statm, in pages.
double residentBytes() {
  const auto text = kernel::readFile("/proc/self/statm");
  if (!text) return 0;
  const std::size_t begin = text->find(' ') + 1;
  std::uint64_t pages = 0;
  std::from_chars(text->data() + begin, text->data() + text->size(), pages);
  return static_cast<double>(pages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double openDescriptors() {
  const auto names = kernel::listDirectory("/proc/self/fd");
  return names ? static_cast<double>(names->size()) : 0;
}

std::string lowerCase(std::string_view text) {
  std::string lower(text);
  for (char& letter : lower) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return lower;
}

std::vector<Sample> containersByPhase(const ContainerManager& containers) {
  std::map<Phase, std::size_t> counts;
  for (const Phase phase : {Phase::Starting, Phase::Provisioning, Phase::Preparing, Phase::Creating, Phase::Running,
                            Phase::Stopping, Phase::Exited}) {
    counts[phase] = 0;
  }
  for (const ContainerStatus& status : containers.list()) ++counts[status.phase];
  std::vector<Sample> samples;
  for (const auto& [phase, count] : counts) {
    samples.push_back({{{"phase", lowerCase(toString(phase))}}, static_cast<double>(count)});
  }
  return samples;
}

// One measurement of a container, and where it is found in its usage.
struct UsageMetric {
  const char* name;
  MetricType type;
  const char* help;
  Labels labels;
  std::function<std::optional<double>(const isolators::Usage&)> value;
};

template <typename T>
std::function<std::optional<double>(const isolators::Usage&)> field(std::optional<T> isolators::Usage::* member) {
  return [member](const isolators::Usage& usage) -> std::optional<double> {
    if (!(usage.*member)) return std::nullopt;
    return static_cast<double>(*(usage.*member));
  };
}

std::vector<UsageMetric> usageMetrics() {
  using isolators::Usage;
  return {
      {"gantry_container_cpu_seconds_total",
       MetricType::Counter,
       "CPU time used.",
       {{"mode", "user"}},
       field(&Usage::cpusUserTimeSecs)},
      {"gantry_container_cpu_seconds_total",
       MetricType::Counter,
       "CPU time used.",
       {{"mode", "system"}},
       field(&Usage::cpusSystemTimeSecs)},
      {"gantry_container_cpu_throttled_seconds_total",
       MetricType::Counter,
       "Time the container could not run for its CPU limit.",
       {},
       field(&Usage::cpusThrottledTimeSecs)},
      {"gantry_container_cpu_limit_cores", MetricType::Gauge, "CPU limit.", {}, field(&Usage::cpusLimit)},
      {"gantry_container_memory_bytes",
       MetricType::Gauge,
       "Memory charged to the container.",
       {},
       field(&Usage::memTotalBytes)},
      {"gantry_container_memory_rss_bytes",
       MetricType::Gauge,
       "Of that, anonymous memory.",
       {},
       field(&Usage::memRssBytes)},
      {"gantry_container_memory_limit_bytes", MetricType::Gauge, "Memory limit.", {}, field(&Usage::memLimitBytes)},
      {"gantry_container_processes", MetricType::Gauge, "Processes.", {}, field(&Usage::processes)},
      {"gantry_container_threads", MetricType::Gauge, "Threads.", {}, field(&Usage::threads)},
      {"gantry_container_network_bytes_total",
       MetricType::Counter,
       "Bytes over the container's own interfaces.",
       {{"direction", "received"}},
       field(&Usage::netRxBytes)},
      {"gantry_container_network_bytes_total",
       MetricType::Counter,
       "Bytes over the container's own interfaces.",
       {{"direction", "sent"}},
       field(&Usage::netTxBytes)},
      {"gantry_container_disk_used_bytes",
       MetricType::Gauge,
       "Sandbox and writable layer.",
       {},
       field(&Usage::diskUsedBytes)},
  };
}

// The usage of all running containers, measured once for one text(): the first family asks, the others look.
class UsageSnapshot {
 public:
  explicit UsageSnapshot(ContainerManager& containers) : containers_(containers) {}

  void measure() {
    usage_.clear();
    for (const ContainerStatus& status : containers_.list()) {
      if (status.phase != Phase::Running || status.container->id().isNested()) continue;
      auto usage = containers_.usage(status.container->id());
      if (usage) usage_.emplace_back(status.container->id().text(), std::move(*usage));
    }
  }
  const std::vector<std::pair<std::string, isolators::Usage>>& all() const { return usage_; }

 private:
  ContainerManager& containers_;
  std::vector<std::pair<std::string, isolators::Usage>> usage_;
};

std::vector<Sample> samplesOf(const UsageSnapshot& snapshot, const std::vector<UsageMetric>& metrics) {
  std::vector<Sample> samples;
  for (const auto& [container, usage] : snapshot.all()) {
    for (const UsageMetric& metric : metrics) {
      const auto value = metric.value(usage);
      if (!value) continue;
      Labels labels{{"container", container}};
      labels.insert(labels.end(), metric.labels.begin(), metric.labels.end());
      samples.push_back({std::move(labels), *value});
    }
  }
  return samples;
}

}  // namespace

void addProcessMetrics(Registry& registry, std::string hostname) {
  const auto started = std::chrono::system_clock::now();
  registry.family("gantry_build_info", MetricType::Gauge, "The version that runs, and on which host; always 1.",
                  [hostname = std::move(hostname)] {
                    return std::vector<Sample>{{{{"hostname", hostname}, {"version", GANTRY_VERSION}}, 1}};
                  });
  registry.value("gantry_uptime_seconds", MetricType::Gauge, "Time since the agent started.",
                 [started] { return Seconds(std::chrono::system_clock::now() - started).count(); });
  registry.value("process_start_time_seconds", MetricType::Gauge, "When the agent started, in Unix time.",
                 [started] { return Seconds(started.time_since_epoch()).count(); });
  registry.value("process_cpu_seconds_total", MetricType::Counter, "CPU time the agent used.", cpuSeconds);
  registry.value("process_resident_memory_bytes", MetricType::Gauge, "The agent's resident memory.", residentBytes);
  registry.value("process_open_fds", MetricType::Gauge, "The agent's open descriptors.", openDescriptors);
}

void addEngineMetrics(Registry& registry, const ContainerManager& containers, const EngineCounters& counters) {
  registry.family("gantry_containers", MetricType::Gauge, "Containers and sessions by phase.",
                  [&containers] { return containersByPhase(containers); });
  const auto counter = [&](const char* name, std::uint64_t EngineCounters::* member, const char* help) {
    registry.value(name, MetricType::Counter, help,
                   [&counters, member] { return static_cast<double>(counters.*member); });
  };
  counter("gantry_launches_total", &EngineCounters::launches, "Launches asked for, refused ones included.");
  counter("gantry_launch_refusals_total", &EngineCounters::refusals, "Launches refused before anything was touched.");
  counter("gantry_launch_failures_total", &EngineCounters::launchFailures, "Launches that failed.");
  counter("gantry_exits_total", &EngineCounters::exits, "Containers whose program ran and ended.");
  counter("gantry_limitations_total", &EngineCounters::limitations, "Containers stopped because of a limit.");
  counter("gantry_sessions_total", &EngineCounters::sessions, "Programs run inside running containers.");
  counter("gantry_recovered_total", &EngineCounters::recovered, "Containers found running after a restart.");
  counter("gantry_orphans_destroyed_total", &EngineCounters::orphansDestroyed,
          "Things found on the host that belonged to no container.");
  counter("gantry_cleanup_failures_total", &EngineCounters::cleanupFailures, "Clean-ups that failed.");
}

void addUsageMetrics(Registry& registry, ContainerManager& containers) {
  const auto snapshot = std::make_shared<UsageSnapshot>(containers);
  std::vector<std::vector<UsageMetric>> families;
  for (UsageMetric& metric : usageMetrics()) {
    const bool isNew = families.empty() || std::string_view(families.back().front().name) != metric.name;
    if (isNew) families.emplace_back();
    families.back().push_back(std::move(metric));
  }
  bool first = true;
  for (std::vector<UsageMetric>& metrics : families) {
    const UsageMetric& head = metrics.front();
    const std::string name = head.name;
    const MetricType type = head.type;
    const std::string help = head.help;
    registry.family(name, type, help, [snapshot, first, metrics = std::move(metrics)] {
      if (first) snapshot->measure();
      return samplesOf(*snapshot, metrics);
    });
    first = false;
  }
}

std::function<void(const http::Served&)> addHttpMetrics(Registry& registry) {
  Counter& requests = registry.counter("gantry_http_requests_total", "Requests answered, by method and status.");
  Counter& seconds =
      registry.counter("gantry_http_request_seconds_total",
                       "Time from a request's first byte to the end of its answer; waiting for a container counts.");
  return [&requests, &seconds](const http::Served& served) {
    // Clients choose the method: an unknown one must not make a series of its own.
    constexpr std::array<std::string_view, 6> kMethods{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"};
    const bool known = std::find(kMethods.begin(), kMethods.end(), served.method) != kMethods.end();
    const std::string method(known ? served.method : "other");
    requests.add({{"code", fmt::format("{}", served.status)}, {"method", method}});
    seconds.add({{"method", method}}, Seconds(served.duration).count());
  };
}

}  // namespace gantry::agent
