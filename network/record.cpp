#include "network/record.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace gantry::network {
namespace {

using Json = nlohmann::json;

Json toJson(const CniAttachment& attachment) {
  Json ports = Json::array();
  for (const PortMapping& mapping : attachment.portMappings) {
    ports.push_back({mapping.hostPort, mapping.containerPort, toString(mapping.protocol)});
  }
  return {{"requested", attachment.requested},
          {"network", Json::parse(formatNetwork(attachment.network))},
          {"containerId", attachment.containerId},
          {"interface", attachment.interface},
          {"ports", std::move(ports)},
          {"labels", attachment.labels},
          {"result", attachment.result}};
}

// Throws what nlohmann throws for a missing member or one of another type.
Result<CniAttachment> fromJson(const Json& json) {
  CniAttachment attachment;
  TRY(attachment.network, parseNetwork(json.at("network").dump()));
  attachment.requested = json.at("requested");
  attachment.containerId = json.at("containerId");
  attachment.interface = json.at("interface");
  attachment.result = json.at("result");
  // Records of earlier versions have none.
  attachment.labels = json.value("labels", attachment.labels);
  for (const Json& port : json.at("ports")) {
    const Protocol protocol = port.at(2) == "udp" ? Protocol::Udp : Protocol::Tcp;
    attachment.portMappings.push_back({port.at(0), port.at(1), protocol});
  }
  return attachment;
}

}  // namespace

std::string formatRecord(const Record& record) {
  Json attachments = Json::array();
  for (const CniAttachment& attachment : record.attachments) attachments.push_back(toJson(attachment));
  const Json root = {
      {"container", record.container}, {"complete", record.complete}, {"attachments", std::move(attachments)}};
  return root.dump();
}

Result<Record> parseRecord(std::string_view text) {
  const Json root = Json::parse(text, nullptr, false);
  if (!root.is_object()) return Error(Code::InvalidArgument, "is not a JSON object");
  try {
    Record record;
    record.container = root.at("container");
    record.complete = root.at("complete");
    for (const Json& entry : root.at("attachments")) {
      TRY(CniAttachment attachment, fromJson(entry));
      record.attachments.push_back(std::move(attachment));
    }
    return record;
  } catch (const Json::exception& wrong) {
    return Error(Code::InvalidArgument, fmt::format("is no network record: {}", wrong.what()));
  }
}

}  // namespace gantry::network
