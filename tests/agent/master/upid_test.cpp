#include "agent/master/upid.hpp"

#include <gtest/gtest.h>

namespace gantry::agent::master {
namespace {

TEST(Upid, IsReadAndWrittenAsOneWord) {
  const auto upid = parseUpid("slave(1)@10.0.0.7:5051");
  ASSERT_TRUE(upid);
  EXPECT_EQ(upid->id, "slave(1)");
  EXPECT_EQ(upid->address, (Address{"10.0.0.7", 5051}));
  EXPECT_EQ(toString(*upid), "slave(1)@10.0.0.7:5051");
  EXPECT_FALSE(upid->isEmpty());
}

TEST(Upid, KeepsAnAtSignInTheId) {
  const auto upid = parseUpid("scheduler-a@b@10.0.0.7:1");
  ASSERT_TRUE(upid);
  EXPECT_EQ(upid->id, "scheduler-a@b");
}

TEST(Upid, HasAFormForNobody) {
  for (const char* text : {"", "@0.0.0.0:0"}) {
    const auto upid = parseUpid(text);
    ASSERT_TRUE(upid);
    EXPECT_TRUE(upid->isEmpty());
    EXPECT_EQ(toString(*upid), "@0.0.0.0:0");
  }
}

TEST(Upid, RefusesWhatIsNone) {
  for (const char* text : {"master", "master@", "master@host", "master@:1", "master@host:", "master@host:70000",
                           "master@host:1x", "a b@host:1", "a@host:1\r\nX: y", "a@h/ost:1"}) {
    EXPECT_FALSE(parseUpid(text)) << text;
  }
}

TEST(Address, NeedsAHostAndAPort) {
  EXPECT_EQ(parseAddress("master.example:5050").value(), (Address{"master.example", 5050}));
  for (const char* text : {"", "host", ":1", "host:0", "host:", "ho st:1"}) EXPECT_FALSE(parseAddress(text)) << text;
}

}  // namespace
}  // namespace gantry::agent::master
