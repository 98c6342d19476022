#include "agent/wire/agent_info.hpp"

#include <agent/wire/mesos_internal.pb.h>
#include <gtest/gtest.h>

#include "agent/wire/encoding.hpp"
#include "base/base64.hpp"
#include "recorded.hpp"

namespace gantry::agent::wire {
namespace {

AgentSettings settings() {
  AgentSettings result;
  result.hostname = "node-1";
  result.resources = "cpus:8;mem:16384;disk:40960;ports:[31000-32000]";
  result.attributes = "rack:a;level:3;keys:[1-5]";
  return result;
}

tasks::Message made(const AgentSettings& from) {
  const auto message = makeAgentInfo(from);
  EXPECT_TRUE(message) << (message ? "" : message.error().message());
  return message ? *message : tasks::Message();
}

std::string refusalOf(const AgentSettings& from) {
  const auto message = makeAgentInfo(from);
  return message ? "accepted" : message.error().message();
}

std::string refusalOf(const std::string& resources) {
  AgentSettings changed = settings();
  changed.resources = resources;
  return refusalOf(changed);
}

mesos::v1::AgentInfo read(const tasks::Message& message) {
  mesos::v1::AgentInfo info;
  EXPECT_TRUE(decode(message, Media::Protobuf, info));
  return info;
}

TEST(AgentInfo, IsThatOfAnAgentOfMesos) {
  AgentSettings same = settings();
  same.hostname = "127.0.0.1";
  same.attributes = "rack:r1;zone:z9;num:3";
  mesos::internal::RegisterSlaveMessage recorded;
  ASSERT_TRUE(decode(*fromBase64(recorded::kRegister), Media::Protobuf, recorded));
  EXPECT_EQ(read(made(same)).DebugString(), recorded.slave().DebugString());
}

TEST(AgentInfo, TakesFromTheHostWhatIsNotNamed) {
  AgentSettings detected = settings();
  detected.resources = "mem:100";
  detected.host = {4, 8192, 20480};
  const auto resources = resourcesOf(made(detected));
  ASSERT_TRUE(resources);
  EXPECT_EQ(resources->scalar("mem"), 100);
  EXPECT_EQ(resources->scalar("cpus"), 4);
  EXPECT_EQ(resources->scalar("disk"), 15360);
}

TEST(AgentInfo, ReadsResourcesInJson) {
  AgentSettings json = settings();
  json.resources = R"([{"name":"cpus","type":"SCALAR","scalar":{"value":2},"role":"eng"},
                       {"name":"mem","type":"SCALAR","scalar":{"value":64},
                        "reservations":[{"type":"STATIC","role":"ops"}]}])";
  json.defaultRole = "web";
  json.host.diskMegabytes = 20480;
  const auto info = read(made(json));
  ASSERT_EQ(info.resources_size(), 4);
  EXPECT_EQ(info.resources(0).role(), "eng");
  EXPECT_EQ(info.resources(1).role(), "ops");
  EXPECT_EQ(info.resources(1).reservations_size(), 0) << "a registration has the older form";
  EXPECT_EQ(info.resources(2).role(), "web") << "also what is detected";
}

TEST(AgentInfo, AddsUpWhatIsNamedTwice) {
  AgentSettings twice = settings();
  twice.resources = "cpus:1;cpus:2;cpus(eng):4;mem:1;disk:1;ports:[1-2];ports:[2-5]";
  const auto info = read(made(twice));
  ASSERT_EQ(info.resources_size(), 5);
  EXPECT_EQ(info.resources(0).scalar().value(), 3);
  EXPECT_EQ(info.resources(1).role(), "eng");
  EXPECT_EQ(info.resources(4).ranges().range_size(), 1);
}

TEST(AgentInfo, NamesWhatIsWrong) {
  EXPECT_EQ(refusalOf("cpus:x"), "resources: 'cpus:x': the value is no number, no '[ranges]' and no '{set}'");
  EXPECT_EQ(refusalOf("gpus:1"), "resources: 'gpus' are not supported by this agent");
  EXPECT_EQ(refusalOf("[{}]"), "resources[0].name: is required");
  EXPECT_EQ(refusalOf("[{"), "body: is not JSON, see byte 17");
  EXPECT_EQ(refusalOf(R"([{"name":"cpus","type":"SCALAR"}])"), "resources[0].scalar: is required");
  EXPECT_EQ(refusalOf(R"([{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}])"),
            "resources[0].scalar.value: is negative");
  EXPECT_EQ(refusalOf(R"([{"name":"disk","type":"SCALAR","scalar":{"value":1},"disk":{"source":{"type":"MOUNT"}}}])"),
            "resources[0].disk: persistent volumes and disks are not supported by this agent");
  AgentSettings bad = settings();
  bad.attributes = "x";
  EXPECT_EQ(refusalOf(bad), "attributes: 'x': has no ':' between name and value");
  bad = settings();
  bad.defaultRole = "a b";
  EXPECT_EQ(refusalOf(bad), "default_role: contains white space or a backslash");
  bad = settings();
  bad.domain = R"({"fault_domain":{"region":{}}})";
  EXPECT_EQ(refusalOf(bad), "domain: fault_domain.region.name: is required");
}

TEST(AgentInfo, CarriesTheAgentsId) {
  const auto message = made(settings());
  EXPECT_EQ(agentIdOf(message), "");
  EXPECT_EQ(agentIdOf(withAgentId(message, "S1")), "S1");
  EXPECT_EQ(agentIdOf("junk"), "");
}

// What each policy says of a change; "" when it agrees.
std::pair<std::string, std::string> judged(const AgentSettings& now) {
  const auto before = withAgentId(made(settings()), "S1");
  const auto text = [](const Result<void>& result) { return result ? std::string() : result.error().message(); };
  return {text(checkEqual(before, made(now))), text(checkAdditive(before, made(now)))};
}

using Verdict = std::pair<std::string, std::string>;

TEST(Reconfiguration, AgreesToTheSameAgain) {
  EXPECT_EQ(judged(settings()), Verdict("", ""));
  AgentSettings reordered = settings();
  reordered.resources = "ports:[31500-32000,31000-31499];disk:40960;mem:16384;cpus:8.0001";
  reordered.attributes = "keys:[1-5];level:3;rack:a";
  EXPECT_EQ(judged(reordered), Verdict("", ""));
}

TEST(Reconfiguration, MayAddOnlyWhereThatIsAgreed) {
  AgentSettings more = settings();
  more.resources = "cpus:9;mem:16384;disk:40960;ports:[30000-32000];zones:{a}";
  EXPECT_EQ(judged(more), Verdict("resources: 'cpus' was 8 and is 9", ""));
  more = settings();
  more.attributes += ";new:1";
  EXPECT_EQ(judged(more), Verdict("attributes: 'new' is not what it was", ""));
  more = settings();
  more.attributes = "rack:a;level:3;keys:[0-5]";
  EXPECT_EQ(judged(more), Verdict("attributes: 'keys' is not what it was", ""));
  more = settings();
  more.domain = R"({"fault_domain":{"region":{"name":"r"},"zone":{"name":"z"}}})";
  EXPECT_EQ(judged(more), Verdict("domain: was not set and is another", ""));
}

TEST(Reconfiguration, NeverTakesAway) {
  AgentSettings less = settings();
  less.resources = "cpus:4;mem:16384;disk:40960;ports:[31000-32000]";
  EXPECT_EQ(judged(less), Verdict("resources: 'cpus' was 8 and is 4", "resources: 'cpus' was 8 and is 4"));
  less = settings();
  less.resources = "cpus(eng):8;mem:16384;disk:40960;ports:[31000-32000]";
  EXPECT_EQ(judged(less).second, "resources: 'cpus' was 8 and is none");
  less = settings();
  less.attributes = "rack:b;level:3;keys:[1-5]";
  EXPECT_EQ(judged(less).second, "attributes: 'rack' is not what it was");
  less = settings();
  less.hostname = "node-2";
  EXPECT_EQ(judged(less).second, "hostname: was 'node-1' and is 'node-2'");
  less = settings();
  less.port = 5052;
  EXPECT_EQ(judged(less).second, "port: was 5051 and is 5052");
}

TEST(CheckFits, ComparesWithAllThatTheAgentHas) {
  const auto agent = made(settings());
  const auto asked = [&agent](const std::string& resources) {
    AgentSettings task = settings();
    task.resources = resources;
    task.host = {};
    const auto resourcesAsked = resourcesOf(made(task));
    EXPECT_TRUE(resourcesAsked);
    std::vector<tasks::Message> wanted;
    for (const auto& resource : resourcesAsked->list()) wanted.push_back(resourceMessage(resource));
    const auto fits = checkFits(wanted, agent);
    return fits ? std::string() : fits.error().message();
  };
  EXPECT_EQ(asked("cpus:8;mem:16384;ports:[31000-32000]"), "");
  EXPECT_EQ(asked("cpus(eng):4;cpus(ops):4;ports:[]"), "") << "whose it is does not count";
  EXPECT_EQ(asked("cpus(eng):8;cpus:0.001"), "resources: 'cpus' are 8 in all, and 8.001 are asked for");
  EXPECT_EQ(asked("ports:[30999-31000]"),
            "resources: 'ports' are [31000-32000] in all, and [30999-31000] are asked for");
  EXPECT_EQ(asked("bandwidth:1;ports:[]"), "resources: 'bandwidth' are none in all, and 1 are asked for");
}

TEST(ResourceValues, CountReservationsTheSameInEitherSpelling) {
  mesos::v1::Resource older;
  older.set_name("cpus");
  older.set_type(mesos::v1::Value::SCALAR);
  older.mutable_scalar()->set_value(2);
  older.set_role("eng");
  older.mutable_reservation()->set_principal("p");
  mesos::v1::Resource newer = older;
  newer.clear_role();
  newer.clear_reservation();
  auto& reservation = *newer.add_reservations();
  reservation.set_type(mesos::v1::Resource::ReservationInfo::DYNAMIC);
  reservation.set_role("eng");
  reservation.set_principal("p");
  newer.mutable_allocation_info()->set_role("eng/x");
  const auto a = resourceFrom(encode(older, Media::Protobuf));
  const auto b = resourceFrom(encode(newer, Media::Protobuf));
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*a, *b);
  const auto again = resourceFrom(resourceMessage(*a));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *a);
}

}  // namespace
}  // namespace gantry::agent::wire
