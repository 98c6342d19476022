#include "agent/wire/call.hpp"

#include <agent/wire/mesos_v1_agent.pb.h>
#include <gtest/gtest.h>

namespace gantry::agent::wire {
namespace {

template <typename Expected>
Expected parse(const std::string& json) {
  auto call = parseCall(json, Media::Json);
  EXPECT_TRUE(call) << (call ? "" : call.error().message());
  return std::get<Expected>(*call);
}

std::string refusal(const std::string& json) {
  const auto call = parseCall(json, Media::Json);
  return call ? "accepted" : call.error().message();
}

TEST(ParseCall, ReadsEveryCall) {
  parse<GetHealth>(R"({"type":"GET_HEALTH"})");
  parse<GetVersion>(R"({"type":"GET_VERSION"})");
  parse<GetFlags>(R"({"type":"GET_FLAGS"})");
  EXPECT_FALSE(parse<GetContainers>(R"({"type":"GET_CONTAINERS"})").showStandalone);
  EXPECT_TRUE(
      parse<GetContainers>(R"({"type":"GET_CONTAINERS","get_containers":{"show_standalone":true}})").showStandalone);
  EXPECT_EQ(
      parse<WaitContainer>(R"({"type":"WAIT_CONTAINER","wait_container":{"container_id":{"value":"a"}}})").id.text(),
      "a");
  const auto wait = parse<WaitContainer>(
      R"({"type":"WAIT_NESTED_CONTAINER","wait_nested_container":{"container_id":{"value":"a","parent":{"value":"b"}}}})");
  EXPECT_EQ(wait.id.text(), "b.a");
  EXPECT_TRUE(wait.nested);
  EXPECT_EQ(parse<KillContainer>(R"({"type":"KILL_CONTAINER","kill_container":{"container_id":{"value":"a"}}})").signal,
            9);
  EXPECT_EQ(
      parse<KillContainer>(
          R"({"type":"KILL_NESTED_CONTAINER","kill_nested_container":{"container_id":{"value":"a"},"signal":15}})")
          .signal,
      15);
  parse<RemoveContainer>(R"({"type":"REMOVE_CONTAINER","remove_container":{"container_id":{"value":"a"}}})");
  parse<RemoveContainer>(
      R"({"type":"REMOVE_NESTED_CONTAINER","remove_nested_container":{"container_id":{"value":"a"}}})");
  EXPECT_EQ(parse<ListFiles>(R"({"type":"LIST_FILES","list_files":{"path":"/x"}})").path, "/x");
  const auto read = parse<ReadFile>(R"({"type":"READ_FILE","read_file":{"path":"/x","offset":3}})");
  EXPECT_EQ(read.offset, 3U);
  EXPECT_EQ(read.length, std::nullopt);
  parse<AttachOutput>(R"({"type":"ATTACH_CONTAINER_OUTPUT","attach_container_output":{"container_id":{"value":"a"}}})");
  parse<AttachInput>(R"({"type":"ATTACH_CONTAINER_INPUT"})");
}

TEST(ParseCall, TellsCallsItDoesNotServeFromCallsThatDoNotExist) {
  EXPECT_EQ(parse<NotServed>(R"({"type":"UNKNOWN"})").type, "UNKNOWN");
  EXPECT_EQ(parse<NotServed>(R"({"type":"ADD_RESOURCE_PROVIDER_CONFIG"})").type, "ADD_RESOURCE_PROVIDER_CONFIG");
  EXPECT_EQ(parse<NotServed>(R"({"type":"LAUNCH_NESTED_CONTAINER"})").type, "LAUNCH_NESTED_CONTAINER");
  EXPECT_EQ(refusal(R"({"type":"MAKE_COFFEE"})"), "type: 'MAKE_COFFEE' is not one of its values");
  EXPECT_EQ(refusal("{}"), "type: is required");
}

TEST(ParseCall, NamesTheMissingPart) {
  for (const auto& [type, part] :
       {std::pair("LAUNCH_CONTAINER", "launch_container"), std::pair("WAIT_CONTAINER", "wait_container"),
        std::pair("KILL_NESTED_CONTAINER", "kill_nested_container"), std::pair("READ_FILE", "read_file"),
        std::pair("ATTACH_CONTAINER_OUTPUT", "attach_container_output")}) {
    EXPECT_EQ(refusal(std::string(R"({"type":")") + type + "\"}"),
              std::string(part) + ": is required by this type of call");
  }
}

TEST(ParseCall, RefusesWhatIsNoSignal) {
  for (const char* signal : {"0", "-1", "65", "1000"}) {
    EXPECT_EQ(
        refusal(std::string(R"({"type":"KILL_CONTAINER","kill_container":{"container_id":{"value":"a"},"signal":)") +
                signal + "}}"),
        std::string("kill_container.signal: ") + signal + " is not a signal");
  }
}

TEST(ParseCall, ReadsProtobufAsWell) {
  mesos::v1::agent::Call message;
  message.set_type(mesos::v1::agent::Call::KILL_CONTAINER);
  message.mutable_kill_container()->mutable_container_id()->set_value("a");
  message.mutable_kill_container()->set_signal(15);
  const auto call = parseCall(message.SerializeAsString(), Media::Protobuf);
  ASSERT_TRUE(call);
  EXPECT_EQ(std::get<KillContainer>(*call).signal, 15);
  EXPECT_FALSE(parseCall("\x01\x02", Media::Protobuf));
  // A type from a later version of the protocol is an unset type in protobuf.
  EXPECT_FALSE(parseCall(std::string("\x08\x7f", 2), Media::Protobuf));
}

}  // namespace
}  // namespace gantry::agent::wire
