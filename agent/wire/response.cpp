#include "agent/wire/response.hpp"

#include <agent/wire/mesos_v1_agent.pb.h>

#include "agent/wire/container_info.hpp"
#include "agent/wire/encoding.hpp"
#include "agent/wire/messages.hpp"

namespace gantry::agent::wire {
namespace {

using mesos::v1::agent::Response;

void toMessage(const ContainerStatus& status, mesos::v1::ContainerStatus& message) {
  for (const auto& network : status.networks) writeNetwork(network, *message.add_network_infos());
  if (status.pid > 0) message.set_executor_pid(static_cast<std::uint32_t>(status.pid));
  writeContainerId(status.container->id(), *message.mutable_container_id());
}

void toMessage(const isolators::Usage& usage, Clock::time_point measured, mesos::v1::ResourceStatistics& message) {
  message.set_timestamp(secondsSinceEpoch(measured));
  const auto set = [&message](const auto& value, auto setter) {
    if (value) (message.*setter)(*value);
  };
  using Message = mesos::v1::ResourceStatistics;
  set(usage.cpusUserTimeSecs, &Message::set_cpus_user_time_secs);
  set(usage.cpusSystemTimeSecs, &Message::set_cpus_system_time_secs);
  set(usage.cpusLimit, &Message::set_cpus_limit);
  set(usage.cpusSoftLimit, &Message::set_cpus_soft_limit);
  set(usage.cpusNrPeriods, &Message::set_cpus_nr_periods);
  set(usage.cpusNrThrottled, &Message::set_cpus_nr_throttled);
  set(usage.cpusThrottledTimeSecs, &Message::set_cpus_throttled_time_secs);
  set(usage.processes, &Message::set_processes);
  set(usage.threads, &Message::set_threads);
  set(usage.memTotalBytes, &Message::set_mem_total_bytes);
  set(usage.memLimitBytes, &Message::set_mem_limit_bytes);
  set(usage.memSoftLimitBytes, &Message::set_mem_soft_limit_bytes);
  set(usage.memRssBytes, &Message::set_mem_rss_bytes);
  set(usage.memAnonBytes, &Message::set_mem_anon_bytes);
  set(usage.memFileBytes, &Message::set_mem_file_bytes);
  set(usage.memCacheBytes, &Message::set_mem_cache_bytes);
  set(usage.memMappedFileBytes, &Message::set_mem_mapped_file_bytes);
  set(usage.memSwapBytes, &Message::set_mem_swap_bytes);
  set(usage.memUnevictableBytes, &Message::set_mem_unevictable_bytes);
  set(usage.netRxBytes, &Message::set_net_rx_bytes);
  set(usage.netRxPackets, &Message::set_net_rx_packets);
  set(usage.netRxErrors, &Message::set_net_rx_errors);
  set(usage.netRxDropped, &Message::set_net_rx_dropped);
  set(usage.netTxBytes, &Message::set_net_tx_bytes);
  set(usage.netTxPackets, &Message::set_net_tx_packets);
  set(usage.netTxErrors, &Message::set_net_tx_errors);
  set(usage.netTxDropped, &Message::set_net_tx_dropped);
  set(usage.diskUsedBytes, &Message::set_disk_used_bytes);
  set(usage.diskLimitBytes, &Message::set_disk_limit_bytes);
}

void toMessage(const Termination& termination, Response::WaitContainer& message) {
  if (termination.waitStatus) message.set_exit_status(*termination.waitStatus);
  mesos::v1::TaskState state{};
  if (termination.state && mesos::v1::TaskState_Parse(*termination.state, &state)) message.set_state(state);
  mesos::v1::TaskStatus::Reason reason{};
  if (termination.reason && mesos::v1::TaskStatus::Reason_Parse(*termination.reason, &reason)) {
    message.set_reason(reason);
  }
  message.set_message(termination.message);
}

}  // namespace

std::string encodeHealth(bool healthy, Media media) {
  Response response;
  response.set_type(Response::GET_HEALTH);
  response.mutable_get_health()->set_healthy(healthy);
  return encode(response, media);
}

std::string encodeVersion(const BuildInfo& build, Media media) {
  Response response;
  response.set_type(Response::GET_VERSION);
  auto& info = *response.mutable_get_version()->mutable_version_info();
  info.set_version(build.version);
  info.set_build_date(build.date);
  info.set_build_time(static_cast<double>(build.time));
  if (!build.user.empty()) info.set_build_user(build.user);
  return encode(response, media);
}

std::string encodeFlags(const std::map<std::string, std::string>& flags, Media media) {
  Response response;
  response.set_type(Response::GET_FLAGS);
  auto& part = *response.mutable_get_flags();
  for (const auto& [name, value] : flags) {
    auto& flag = *part.add_flags();
    flag.set_name(name);
    flag.set_value(value);
  }
  return encode(response, media);
}

std::string encodeFileList(const std::vector<FileInfo>& files, Media media) {
  Response response;
  response.set_type(Response::LIST_FILES);
  auto& part = *response.mutable_list_files();
  for (const FileInfo& file : files) {
    auto& message = *part.add_file_infos();
    message.set_path(file.path);
    message.set_nlink(static_cast<std::int32_t>(file.links));
    message.set_size(file.size);
    message.mutable_mtime()->set_nanoseconds(file.modified.count());
    message.set_mode(file.mode);
    message.set_uid(file.user);
    message.set_gid(file.group);
  }
  return encode(response, media);
}

std::string encodeFileContent(std::uint64_t size, std::string data, Media media) {
  Response response;
  response.set_type(Response::READ_FILE);
  response.mutable_read_file()->set_size(size);
  response.mutable_read_file()->set_data(std::move(data));
  return encode(response, media);
}

std::string encodeContainers(const std::vector<ContainerEntry>& containers, Media media) {
  Response response;
  response.set_type(Response::GET_CONTAINERS);
  auto& part = *response.mutable_get_containers();
  for (const ContainerEntry& entry : containers) {
    auto& message = *part.add_containers();
    if (entry.executor) {
      message.mutable_framework_id()->set_value(entry.executor->framework);
      message.mutable_executor_id()->set_value(entry.executor->id);
      message.set_executor_name(entry.executor->name);
    }
    writeContainerId(entry.status.container->id(), *message.mutable_container_id());
    toMessage(entry.status, *message.mutable_container_status());
    if (entry.usage) toMessage(*entry.usage, entry.measured, *message.mutable_resource_statistics());
  }
  return encode(response, media);
}

std::string encodeTermination(const Termination& termination, bool nested, Media media) {
  Response response;
  response.set_type(nested ? Response::WAIT_NESTED_CONTAINER : Response::WAIT_CONTAINER);
  toMessage(termination, nested ? *response.mutable_wait_nested_container() : *response.mutable_wait_container());
  return encode(response, media);
}

std::string containerStatusJson(const ContainerStatus& status) {
  mesos::v1::ContainerStatus message;
  toMessage(status, message);
  return encode(message, Media::Json);
}

std::string statisticsJson(const isolators::Usage& usage, Clock::time_point measured) {
  mesos::v1::ResourceStatistics message;
  toMessage(usage, measured, message);
  return encode(message, Media::Json);
}

}  // namespace gantry::agent::wire
