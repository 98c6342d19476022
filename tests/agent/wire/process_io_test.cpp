#include "agent/wire/process_io.hpp"

#include <agent/wire/mesos_v1_agent.pb.h>
#include <gtest/gtest.h>

namespace gantry::agent::wire {
namespace {

std::string record(const std::string& input) {
  return R"({"type":"ATTACH_CONTAINER_INPUT","attach_container_input":)" + input + "}";
}

std::string processIo(const std::string& io) {
  return record(R"({"type":"PROCESS_IO","process_io":)" + io + "}");
}

TEST(ProcessIo, SpellsOutputAsMesosDoes) {
  EXPECT_EQ(encodeOutput({Attachment::Stream::Stdout, "hello\n"}, Media::Json),
            R"({"type":"DATA","data":{"type":"STDOUT","data":"aGVsbG8K"}})");
  mesos::v1::agent::ProcessIO io;
  ASSERT_TRUE(io.ParseFromString(encodeOutput({Attachment::Stream::Stderr, "x"}, Media::Protobuf)));
  EXPECT_EQ(io.data().type(), mesos::v1::agent::ProcessIO::Data::STDERR);
  EXPECT_EQ(
      encodeHeartbeat(std::chrono::seconds(30), Media::Json),
      R"({"type":"CONTROL","control":{"type":"HEARTBEAT","heartbeat":{"interval":{"nanoseconds":30000000000}}}})");
}

TEST(ProcessIo, ReadsEveryKindOfInput) {
  const auto id = parseInputRecord(record(R"({"type":"CONTAINER_ID","container_id":{"value":"c"}})"), Media::Json);
  ASSERT_TRUE(id);
  EXPECT_EQ(std::get<ContainerId>(*id).text(), "c");

  const auto data =
      parseInputRecord(processIo(R"({"type":"DATA","data":{"type":"STDIN","data":"bHMK"}})"), Media::Json);
  ASSERT_TRUE(data);
  EXPECT_EQ(std::get<StdinData>(*data).data, "ls\n");

  const auto window = parseInputRecord(
      processIo(
          R"({"type":"CONTROL","control":{"type":"TTY_INFO","tty_info":{"window_size":{"rows":5,"columns":6}}}})"),
      Media::Json);
  ASSERT_TRUE(window);
  EXPECT_EQ(std::get<WindowSize>(*window).columns, 6);

  const auto beat = parseInputRecord(processIo(R"({"type":"CONTROL","control":{"type":"HEARTBEAT"}})"), Media::Json);
  ASSERT_TRUE(beat);
  EXPECT_TRUE(std::holds_alternative<Heartbeat>(*beat));
}

TEST(ProcessIo, NamesWhatIsWrongWithInput) {
  const auto refusal = [](const std::string& text) {
    const auto input = parseInputRecord(text, Media::Json);
    return input ? "accepted" : input.error().message();
  };
  EXPECT_EQ(refusal(R"({"type":"GET_HEALTH"})"), "type: must be ATTACH_CONTAINER_INPUT in a stream of records");
  EXPECT_EQ(refusal(R"({"type":"ATTACH_CONTAINER_INPUT"})"), "attach_container_input: is required");
  EXPECT_EQ(refusal(record("{}")), "attach_container_input.type: must be CONTAINER_ID or PROCESS_IO");
  EXPECT_EQ(refusal(processIo(R"({"type":"DATA","data":{"type":"STDOUT"}})")),
            "attach_container_input.process_io.data.type: must be STDIN");
  EXPECT_EQ(refusal(processIo(R"({"type":"CONTROL","control":{"type":"TTY_INFO"}})")),
            "attach_container_input.process_io.control.tty_info.window_size: is required");
}

}  // namespace
}  // namespace gantry::agent::wire
