#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "async/time.hpp"
#include "base/bytes.hpp"
#include "cli/commands.hpp"
#include "cli/text.hpp"

namespace gantry::cli {
namespace {

using json = nlohmann::ordered_json;
using namespace std::chrono_literals;

// Between two looks; of the first two a share of processor time can be told.
constexpr auto kFirstInterval = 500ms;
constexpr auto kInterval = 1s;

struct Sample {
  double timestamp = 0;
  double cpuSeconds = 0;
};
using Samples = std::map<std::string, Sample>;

Sample sampleOf(const json& statistics) {
  return {statistics.value("timestamp", 0.0),
          statistics.value("cpus_user_time_secs", 0.0) + statistics.value("cpus_system_time_secs", 0.0)};
}

std::string bytesText(const json& statistics, const char* member) {
  if (!statistics.contains(member)) return "-";
  return toString(Bytes{statistics[member].get<std::uint64_t>()});
}

// Adds "cpu_percent": 100 is one processor.
void addCpuShare(json& container, const Samples& before) {
  const json statistics = container.value("statistics", json::object());
  const auto earlier = before.find(container.value("id", ""));
  const Sample now = sampleOf(statistics);
  if (earlier == before.end() || now.timestamp <= earlier->second.timestamp) return;
  const double share =
      (now.cpuSeconds - earlier->second.cpuSeconds) / (now.timestamp - earlier->second.timestamp) * 100;
  container["cpu_percent"] = std::max(0.0, share);
}

std::vector<std::string> rowOf(const json& container) {
  const json statistics = container.value("statistics", json::object());
  const std::string cpu =
      container.contains("cpu_percent") ? fmt::format("{:.1f}%", container["cpu_percent"].get<double>()) : "-";
  const std::string processes =
      statistics.contains("processes") ? fmt::format("{}", statistics["processes"].get<int>()) : "-";
  return {container.value("id", ""), cpu,
          bytesText(statistics, "mem_total_bytes") + " / " + bytesText(statistics, "mem_limit_bytes"),
          bytesText(statistics, "net_rx_bytes") + " / " + bytesText(statistics, "net_tx_bytes"), processes};
}

Result<json> selected(const std::string& answer, const std::vector<std::string>& wanted) {
  const json document = json::parse(answer, nullptr, false);
  if (!document.is_object()) return Error(Code::Internal, "the agent's answer is not JSON");
  const json all = document.value("containers", json::array());
  if (wanted.empty()) return all;
  json chosen = json::array();
  for (const std::string& id : wanted) {
    const auto found = std::find_if(all.begin(), all.end(), [&id](const json& each) { return each["id"] == id; });
    if (found == all.end()) return Error(Code::NotFound, fmt::format("there is no running container '{}'", id));
    chosen.push_back(*found);
  }
  return chosen;
}

async::Task<Result<json>> look(AgentClient agent, std::vector<std::string> wanted) {
  CO_TRY(const std::string answer, co_await agent.get("/gantry/v1/containers?statistics=true"));
  co_return selected(answer, wanted);
}

Samples samplesOf(const json& containers) {
  Samples samples;
  for (const json& container : containers) {
    samples[container.value("id", "")] = sampleOf(container.value("statistics", json::object()));
  }
  return samples;
}

std::string textOf(const json& containers, Format format) {
  if (format == Format::Json) return containers.dump() + "\n";
  std::vector<std::vector<std::string>> rows = {{"CONTAINER", "CPU", "MEMORY / LIMIT", "NET IN / OUT", "PIDS"}};
  for (const json& container : containers) rows.push_back(rowOf(container));
  return table(rows);
}

}  // namespace

Outcome stats(AgentClient agent, StatsOptions options, Format format) {
  CO_TRY(const json first, co_await look(agent, options.containers));
  Samples before = samplesOf(first);
  CO_TRY_VOID(co_await async::sleep(kFirstInterval));
  while (true) {
    CO_TRY(json containers, co_await look(agent, options.containers));
    Samples now = samplesOf(containers);
    for (json& container : containers) addCpuShare(container, before);
    before = std::move(now);
    // Each new table is drawn over the one before.
    const bool redraw = !options.noStream && format == Format::Table;
    print((redraw ? "\x1b[H\x1b[J" : "") + textOf(containers, format));
    if (options.noStream) co_return 0;
    CO_TRY_VOID(co_await async::sleep(kInterval));
  }
}

}  // namespace gantry::cli
