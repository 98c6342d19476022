#include "agent/wire/encoding.hpp"

#include <agent/wire/mesos_v1_agent.pb.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace gantry::agent::wire {
namespace {

using mesos::v1::agent::Call;
using mesos::v1::agent::Response;

std::string refusal(const std::string& json) {
  Call call;
  const auto result = decode(json, Media::Json, call);
  return result ? "accepted" : result.error().message();
}

TEST(FromJson, ReadsEveryKindOfField) {
  Call call;
  ASSERT_TRUE(decode(R"({
    "type": "LAUNCH_CONTAINER",
    "launch_container": {
      "container_id": {"value": "c", "parent": {"value": "p"}},
      "command": {"shell": false, "arguments": ["a", "b"]},
      "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}}],
      "container": {"type": "MESOS", "rlimit_info": {"rlimits": [{"type": "RLMT_NOFILE", "hard": 20, "soft": "10"}]}},
      "limits": {"cpus": {"value": 2}, "mem": {"value": "Infinity"}}
    },
    "attach_container_input": {"process_io": {"data": {"data": "aGVsbG8K"}}}
  })",
                     Media::Json, call));
  const auto& launch = call.launch_container();
  EXPECT_EQ(call.type(), Call::LAUNCH_CONTAINER);
  EXPECT_EQ(launch.container_id().parent().value(), "p");
  EXPECT_FALSE(launch.command().shell());
  EXPECT_EQ(launch.command().arguments(1), "b");
  EXPECT_EQ(launch.resources(0).scalar().value(), 0.5);
  EXPECT_EQ(launch.container().rlimit_info().rlimits(0).hard(), 20U);
  EXPECT_EQ(launch.container().rlimit_info().rlimits(0).soft(), 10U);
  EXPECT_EQ(launch.limits().at("cpus").value(), 2);
  EXPECT_TRUE(std::isinf(launch.limits().at("mem").value()));
  EXPECT_EQ(call.attach_container_input().process_io().data().data(), "hello\n");
}

TEST(FromJson, IgnoresWhatItDoesNotKnowAndTakesNullForAbsent) {
  Call call;
  ASSERT_TRUE(decode(R"({"type":"GET_HEALTH","later":[{"x":1}],"list_files":null,"launch_container":null})",
                     Media::Json, call));
  EXPECT_FALSE(call.has_launch_container());
  EXPECT_FALSE(call.has_list_files());
}

TEST(FromJson, NamesTheFieldOfAWrongType) {
  const std::string launch = R"({"launch_container":{"container_id":{"value":"c"},)";
  EXPECT_EQ(refusal(launch + R"("resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":"x"}}]}})"),
            "launch_container.resources[0].scalar.value: is a string, not a number");
  EXPECT_EQ(refusal(launch + R"("resources":{}}})"), "launch_container.resources: is an object, not an array");
  EXPECT_EQ(refusal(launch + R"("resources":[7]}})"), "launch_container.resources[0]: is a number, not an object");
  EXPECT_EQ(refusal(launch + R"("resources":[null]}})"), "launch_container.resources[0]: is null, not an object");
  EXPECT_EQ(refusal(launch + R"("limits":[]}})"), "launch_container.limits: is an array, not an object");
  EXPECT_EQ(refusal(launch + R"("limits":{"mem":3}}})"), "launch_container.limits.mem: is a number, not an object");
  EXPECT_EQ(refusal(launch + R"("command":{"shell":"true"}}})"),
            "launch_container.command.shell: is a string, not a boolean");
  EXPECT_EQ(refusal(launch + R"("command":{"value":true}}})"),
            "launch_container.command.value: is a boolean, not a string");
  EXPECT_EQ(refusal(R"({"launch_container":{"container_id":"c"}})"),
            "launch_container.container_id: is a string, not an object");
  EXPECT_EQ(refusal(R"([])"), "body: is an array, not an object");
}

TEST(FromJson, WantsEnumsByName) {
  EXPECT_EQ(refusal(R"({"type":1})"), "type: is a number, not a name");
  EXPECT_EQ(refusal(R"({"type":"GET_HEALTHS"})"), "type: 'GET_HEALTHS' is not one of its values");
}

TEST(FromJson, NamesWhatIsMissing) {
  EXPECT_EQ(refusal(R"({"launch_container":{}})"), "launch_container.container_id: is required");
  EXPECT_EQ(refusal(R"({"launch_container":{"container_id":{"parent":{"value":"p"}}}})"),
            "launch_container.container_id.value: is required");
  EXPECT_EQ(refusal(R"({"launch_container":{"container_id":null}})"), "launch_container.container_id: is required");
}

TEST(FromJson, ChecksTheRangeOfIntegers) {
  const auto signal = [](const std::string& value) {
    return refusal(R"({"kill_container":{"container_id":{"value":"c"},"signal":)" + value + "}}");
  };
  EXPECT_EQ(signal("9"), "accepted");
  EXPECT_EQ(signal("9.0"), "accepted");
  EXPECT_EQ(signal("\"9\""), "accepted");
  EXPECT_EQ(signal("-2147483648"), "accepted");
  EXPECT_EQ(signal("2147483648"), "kill_container.signal: is out of range");
  EXPECT_EQ(signal("\"2147483648\""), "kill_container.signal: is out of range");
  EXPECT_EQ(signal("1e300"), "kill_container.signal: is out of range");
  EXPECT_EQ(signal("9.5"), "kill_container.signal: is not a whole number");
  EXPECT_EQ(signal("\"9x\""), "kill_container.signal: is a string, not a number");
  EXPECT_EQ(signal("\"\""), "kill_container.signal: is a string, not a number");

  const auto offset = [](const std::string& value) {
    return refusal(R"({"read_file":{"path":"/","offset":)" + value + "}}");
  };
  EXPECT_EQ(offset("18446744073709551615"), "accepted");
  EXPECT_EQ(offset("18446744073709551616"), "read_file.offset: is out of range");
  EXPECT_EQ(offset("-1"), "read_file.offset: is out of range");
}

TEST(FromJson, RefusesBadBase64) {
  EXPECT_EQ(refusal(R"({"attach_container_input":{"process_io":{"data":{"data":"a*"}}}})"),
            "attach_container_input.process_io.data.data: is not base64");
}

TEST(FromJson, RefusesWhatIsNotJson) {
  EXPECT_EQ(refusal("").substr(0, 17), "body: is not JSON");
  EXPECT_EQ(refusal("{\"type\":\"GET_HEALTH\"").substr(0, 17), "body: is not JSON");
  EXPECT_EQ(refusal("{\"type\":\"\xff\"}").substr(0, 17), "body: is not JSON");
  EXPECT_EQ(refusal("{} {}").substr(0, 17), "body: is not JSON");
  EXPECT_EQ(refusal(R"({"x":1e999})").substr(0, 17), "body: is not JSON");
}

TEST(FromJson, RefusesDeepNestingWithoutCostingStack) {
  const auto nested = [](std::size_t depth, const std::string& open, const std::string& close) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += open;
    text += "1";
    for (std::size_t i = 0; i < depth; ++i) text += close;
    return text;
  };
  const std::string tooDeep = "body: is nested more than 200 levels deep";
  EXPECT_EQ(refusal(nested(1'000'000, "[", "]")), tooDeep);
  EXPECT_EQ(refusal(nested(1'000'000, "{\"a\":", "}")), tooDeep);
  EXPECT_EQ(refusal(std::string(1'000'000, '[')), tooDeep);
  EXPECT_EQ(refusal(R"({"x":)" + nested(199, "[", "]") + "}"), "accepted");
  EXPECT_EQ(refusal(R"({"x":)" + nested(200, "[", "]") + "}"), tooDeep);
  // Brackets in strings do not nest.
  EXPECT_EQ(refusal(R"({"x":"\"[[[)" + std::string(500, '[') + R"("})"), "accepted");
}

TEST(FromBytes, RefusesDeepNestingAndGarbage) {
  std::string id = "\x0a\x01p";
  for (int depth = 0; depth < 1000; ++depth) {
    Call::WaitContainer wait;
    std::string outer =
        "\x0a\x01"
        "c\x12";
    // Length as a varint.
    for (std::size_t length = id.size();;) {
      outer += static_cast<char>((length & 0x7fU) | (length > 0x7f ? 0x80U : 0U));
      length >>= 7U;
      if (length == 0) break;
    }
    id = outer + id;
  }
  mesos::v1::ContainerID message;
  EXPECT_FALSE(decode(id, Media::Protobuf, message));
  EXPECT_FALSE(decode("\xff\xff\xff", Media::Protobuf, message));
  const auto result = decode("", Media::Protobuf, message);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "value: is required");
}

TEST(ToJson, WritesDefaultsAndOmitsTheEmpty) {
  Call call;
  call.set_type(Call::LAUNCH_CONTAINER);
  auto& launch = *call.mutable_launch_container();
  launch.mutable_container_id()->set_value("c");
  launch.mutable_command()->set_value("true");
  launch.add_resources()->set_name("cpus");
  launch.mutable_resources(0)->set_type(mesos::v1::Value::SCALAR);
  launch.mutable_resources(0)->mutable_scalar()->set_value(1);
  (*launch.mutable_limits())["mem"].set_value(std::numeric_limits<double>::infinity());
  EXPECT_EQ(toJson(call), R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"c"},)"
                          R"("command":{"value":"true","shell":true},)"
                          R"("resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1.0}}],)"
                          R"("limits":{"mem":{"value":"Infinity"}}}})");
}

TEST(ToJson, SpellsBytesInBase64AndReplacesWhatIsNotUtf8) {
  Response response;
  response.mutable_read_file()->set_size(18446744073709551615U);
  response.mutable_read_file()->set_data("hello\n");
  EXPECT_EQ(toJson(response), R"({"read_file":{"size":18446744073709551615,"data":"aGVsbG8K"}})");
  response.Clear();
  response.mutable_wait_container()->set_message("a\xff");
  EXPECT_EQ(toJson(response), "{\"wait_container\":{\"message\":\"a\xef\xbf\xbd\"}}");
}

TEST(Json, IsTheSameAfterARoundTrip) {
  const std::string text =
      R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"c","parent":{"value":"p"}},)"
      R"("command":{"value":"true","shell":false,"arguments":["a"]},)"
      R"("container":{"type":"MESOS","mesos":{"image":{"type":"DOCKER","docker":{"name":"a"},"cached":true}},)"
      R"("linux_info":{"effective_capabilities":{"capabilities":["CHOWN","BPF"]},"share_cgroups":true}}}})";
  Call call;
  ASSERT_TRUE(fromJson(text, call));
  EXPECT_EQ(toJson(call), text);
}

// Whatever the bytes: an answer, never a crash, a hang or a message that lacks a required field.
TEST(Decode, SurvivesMutatedInput) {
  const std::string seed =
      R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"c","parent":{"value":"p"}},)"
      R"("resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.1}}],"limits":{"mem":{"value":"Infinity"}}}})";
  Call parsed;
  ASSERT_TRUE(fromJson(seed, parsed));
  const std::string bytes = parsed.SerializeAsString();

  std::mt19937 random(20261120);
  const std::string alphabet = "{}[]\":,\\0919.eE-+nultrfas \x01\xff";
  for (int round = 0; round < 20000; ++round) {
    const bool json = round % 2 == 0;
    std::string input = json ? seed : bytes;
    for (unsigned edits = 1 + random() % 4; edits > 0; --edits) {
      const std::size_t at = random() % input.size();
      switch (random() % 3) {
        case 0:
          input[at] = json ? alphabet[random() % alphabet.size()] : static_cast<char>(random());
          break;
        case 1:
          input.erase(at, 1 + random() % 8);
          break;
        default:
          input.insert(at, input.substr(random() % input.size(), random() % 16));
      }
      if (input.empty()) input = "{";
    }
    Call call;
    if (decode(input, json ? Media::Json : Media::Protobuf, call)) {
      EXPECT_TRUE(call.IsInitialized());
      Call again;
      EXPECT_TRUE(fromJson(toJson(call), again)) << input;
    }
  }
}

}  // namespace
}  // namespace gantry::agent::wire
