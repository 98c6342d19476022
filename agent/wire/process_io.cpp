#include "agent/wire/process_io.hpp"

#include <agent/wire/mesos_v1_agent.pb.h>

#include "agent/wire/encoding.hpp"
#include "agent/wire/messages.hpp"

namespace gantry::agent::wire {
namespace {

using mesos::v1::agent::ProcessIO;
constexpr const char* kPart = "attach_container_input";

Result<InputRecord> inputFrom(const ProcessIO& io, const std::string& field) {
  if (io.type() == ProcessIO::DATA) {
    if (io.data().type() != ProcessIO::Data::STDIN) return Error::invalid(field + ".data.type", "must be STDIN");
    return InputRecord(StdinData{io.data().data()});
  }
  if (io.type() != ProcessIO::CONTROL) return Error::invalid(field + ".type", "must be DATA or CONTROL");
  const auto& control = io.control();
  if (control.type() == ProcessIO::Control::HEARTBEAT) return InputRecord(Heartbeat{});
  if (control.type() != ProcessIO::Control::TTY_INFO) {
    return Error::invalid(field + ".control.type", "must be TTY_INFO or HEARTBEAT");
  }
  if (!control.tty_info().has_window_size()) {
    return Error::invalid(field + ".control.tty_info.window_size", "is required");
  }
  TRY(const Window window, windowFrom(control.tty_info(), field + ".control.tty_info"));
  return InputRecord(WindowSize{window.rows, window.columns});
}

}  // namespace

std::string encodeOutput(const Attachment::Chunk& chunk, Media media) {
  ProcessIO io;
  io.set_type(ProcessIO::DATA);
  io.mutable_data()->set_type(chunk.stream == Attachment::Stream::Stdout ? ProcessIO::Data::STDOUT
                                                                         : ProcessIO::Data::STDERR);
  io.mutable_data()->set_data(chunk.data);
  return encode(io, media);
}

std::string encodeHeartbeat(std::chrono::nanoseconds interval, Media media) {
  ProcessIO io;
  io.set_type(ProcessIO::CONTROL);
  io.mutable_control()->set_type(ProcessIO::Control::HEARTBEAT);
  io.mutable_control()->mutable_heartbeat()->mutable_interval()->set_nanoseconds(interval.count());
  return encode(io, media);
}

Result<InputRecord> parseInputRecord(std::string_view record, Media media) {
  mesos::v1::agent::Call call;
  TRY_VOID(decode(record, media, call));
  if (call.type() != mesos::v1::agent::Call::ATTACH_CONTAINER_INPUT) {
    return Error(Code::Unsupported, "type: must be ATTACH_CONTAINER_INPUT in a stream of records");
  }
  if (!call.has_attach_container_input()) return Error::invalid(kPart, "is required");
  const auto& input = call.attach_container_input();
  if (input.type() == mesos::v1::agent::Call::AttachContainerInput::PROCESS_IO) {
    return inputFrom(input.process_io(), std::string(kPart) + ".process_io");
  }
  if (input.type() != mesos::v1::agent::Call::AttachContainerInput::CONTAINER_ID || !input.has_container_id()) {
    return Error::invalid(std::string(kPart) + ".type", "must be CONTAINER_ID or PROCESS_IO");
  }
  TRY(ContainerId id, containerIdFrom(input.container_id(), std::string(kPart) + ".container_id"));
  return InputRecord(std::move(id));
}

}  // namespace gantry::agent::wire
