#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "agent/resources/resources.hpp"

namespace gantry::agent::resources {
namespace {

Scalar scalar(double value) {
  const auto result = Scalar::from(value);
  EXPECT_TRUE(result);
  return *result;
}

TEST(Scalar, LeavesNothingBehind) {
  Scalar sum;
  for (int i = 0; i < 10; ++i) sum.add(scalar(0.1));
  EXPECT_EQ(sum, scalar(1));
  sum.subtract(scalar(0.7));
  EXPECT_EQ(sum.value(), 0.3);
  sum.subtract(scalar(5));
  EXPECT_TRUE(sum.isEmpty());
}

TEST(Scalar, RoundsToThousandths) {
  EXPECT_EQ(scalar(0.0004), Scalar());
  EXPECT_EQ(scalar(0.0005).thousandths(), 1);
  EXPECT_EQ(scalar(1e12).value(), 1e12);
}

TEST(Scalar, RefusesWhatIsNoAmount) {
  EXPECT_EQ(Scalar::from(-1).error().message(), "is negative");
  EXPECT_EQ(Scalar::from(std::nan("")).error().message(), "is not a number");
  EXPECT_EQ(Scalar::from(INFINITY).error().message(), "is too large");
}

TEST(Ranges, JoinWhatTouches) {
  EXPECT_EQ(toString(Ranges({{5, 6}, {1, 2}, {3, 3}, {9, 8}})), "[1-3, 5-6]");
  const std::uint64_t last = UINT64_MAX;
  EXPECT_EQ(Ranges({{last, last}, {0, last}}).list(), (std::vector<Range>{{0, last}}));
}

TEST(Ranges, AreCutAtBothEndsOfTheNumbers) {
  const std::uint64_t last = UINT64_MAX;
  Ranges all({{0, last}});
  all.subtract(Ranges({{0, 0}, {10, 20}, {last, last}}));
  EXPECT_EQ(all.list(), (std::vector<Range>{{1, 9}, {21, last - 1}}));
  all.subtract(Ranges({{0, last}}));
  EXPECT_TRUE(all.isEmpty());
}

// The same sums in a form that is obviously right: how many thousandths, or which numbers and words, of each resource.
struct Model {
  std::map<std::string, std::int64_t> scalars;
  std::map<std::string, std::set<std::uint64_t>> numbers;
  std::map<std::string, std::set<std::string>> words;

  void add(const Resource& resource) {
    const std::string key = resource.name + "/" + resource.identity;
    if (const auto* one = std::get_if<Scalar>(&resource.value)) scalars[key] += one->thousandths();
    forNumbers(resource, [&](std::uint64_t number) { numbers[key].insert(number); });
    if (const auto* one = std::get_if<Set>(&resource.value))
      words[key].insert(one->items().begin(), one->items().end());
  }
  void subtract(const Resource& resource) {
    const std::string key = resource.name + "/" + resource.identity;
    if (const auto* one = std::get_if<Scalar>(&resource.value)) {
      scalars[key] = std::max<std::int64_t>(0, scalars[key] - one->thousandths());
    }
    forNumbers(resource, [&](std::uint64_t number) { numbers[key].erase(number); });
    if (const auto* one = std::get_if<Set>(&resource.value)) {
      for (const auto& word : one->items()) words[key].erase(word);
    }
  }
  bool contains(const Model& other) const {
    const auto within = [](const auto& some, const auto& all, auto isWithin) {
      return std::ranges::all_of(some, [&](const auto& entry) {
        const auto found = all.find(entry.first);
        return found == all.end() ? entry.second == decltype(entry.second){} : isWithin(entry.second, found->second);
      });
    };
    const auto subset = [](const auto& some, const auto& all) { return std::ranges::includes(all, some); };
    return within(other.scalars, scalars, std::less_equal<>()) && within(other.numbers, numbers, subset) &&
           within(other.words, words, subset);
  }
  static void forNumbers(const Resource& resource, auto&& visit) {
    const auto* ranges = std::get_if<Ranges>(&resource.value);
    if (ranges == nullptr) return;
    for (const Range& range : ranges->list()) {
      for (std::uint64_t number = range.begin; number <= range.end; ++number) visit(number);
    }
  }
  static Model of(const Resources& resources) {
    Model model;
    for (const Resource& resource : resources.list()) model.add(resource);
    return model;
  }
  // Empty entries say nothing.
  Model withoutEmpty() const {
    Model result = *this;
    std::erase_if(result.scalars, [](const auto& entry) { return entry.second == 0; });
    std::erase_if(result.numbers, [](const auto& entry) { return entry.second.empty(); });
    std::erase_if(result.words, [](const auto& entry) { return entry.second.empty(); });
    return result;
  }
  bool operator==(const Model&) const = default;
};

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  Resource resource() {
    const std::string identity = upTo(1) == 0 ? "" : "eng";
    switch (upTo(2)) {
      case 0:
        return {upTo(1) == 0 ? "cpus" : "mem", Scalar::thousandths(static_cast<std::int64_t>(upTo(3000))), identity};
      case 1: {
        std::vector<Range> ranges;
        for (auto left = upTo(3); left > 0; --left) {
          const auto begin = upTo(30);
          ranges.push_back({begin, begin + upTo(6)});
        }
        return {"ports", Ranges(std::move(ranges)), identity};
      }
      default: {
        std::set<std::string> words;
        for (auto left = upTo(3); left > 0; --left) words.insert(std::string(1, static_cast<char>('a' + upTo(5))));
        return {"zones", Set(std::move(words)), identity};
      }
    }
  }
  Resources resources() {
    Resources result;
    for (auto left = upTo(6); left > 0; --left) EXPECT_TRUE(result.add(resource()));
    return result;
  }

 private:
  std::uint64_t upTo(std::uint64_t largest) {
    return std::uniform_int_distribution<std::uint64_t>(0, largest)(random_);
  }
  std::mt19937 random_;
};

TEST(Resources, AgreeWithThePlainModel) {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(seed);
    Generator generator(seed);
    const Resources a = generator.resources();
    const Resources b = generator.resources();
    Model sum = Model::of(a);
    Model difference = Model::of(a);
    for (const Resource& resource : b.list()) {
      sum.add(resource);
      difference.subtract(resource);
    }
    Resources added = a;
    ASSERT_TRUE(added.add(b));
    Resources taken = a;
    taken.subtract(b);
    ASSERT_EQ(Model::of(added), sum.withoutEmpty());
    ASSERT_EQ(Model::of(taken), difference.withoutEmpty());
    ASSERT_EQ(a.contains(b), Model::of(a).contains(Model::of(b)));
    ASSERT_EQ(a == b, Model::of(a) == Model::of(b));
  }
}

TEST(Resources, KeepTheLawsOfAddition) {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE(seed);
    Generator generator(seed);
    const Resources a = generator.resources();
    const Resources b = generator.resources();
    Resources ab = a;
    ASSERT_TRUE(ab.add(b));
    Resources ba = b;
    ASSERT_TRUE(ba.add(a));
    ASSERT_EQ(ab, ba);
    ASSERT_TRUE(ab.contains(a));
    ASSERT_TRUE(ab.contains(b));
    Resources rest = ab;
    rest.subtract(b);
    ASSERT_TRUE(rest.add(b));
    ASSERT_EQ(rest, ab) << "what is contained can be taken away and given back";
    rest.subtract(rest);
    ASSERT_TRUE(rest.isEmpty());
  }
}

TEST(Resources, RefuseANameOfTwoKinds) {
  Resources resources({{"a", Scalar::thousandths(1), ""}});
  const auto refused = resources.add(Resource{"a", Set({"x"}), ""});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "the resource 'a' is of two types");
  EXPECT_FALSE(resources.contains(Resource{"a", Set({"x"}), ""}));
  EXPECT_TRUE(resources.add(Resource{"a", Set({"x"}), "other"}));
  EXPECT_EQ(resources.scalar("a"), std::nullopt);
}

TEST(Resources, AddUpOverTheirOwners) {
  const Resources resources({{"cpus", scalar(1), ""}, {"cpus", scalar(0.5), "eng"}});
  EXPECT_EQ(resources.scalar("cpus"), 1.5);
  EXPECT_EQ(resources.scalar("gpus"), std::nullopt);
}

}  // namespace
}  // namespace gantry::agent::resources
