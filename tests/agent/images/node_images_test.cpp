#include "agent/images/node_images.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>

#include "async/event.hpp"
#include "async/run.hpp"
#include "kernel/file.hpp"
#include "kernel/node.hpp"

namespace gantry::agent {
namespace {

namespace fs = std::filesystem;

oci::Digest digest(char c) {
  return oci::Digest::parse("sha256:" + std::string(64, c)).value();
}

// Makes images out of nothing, as slowly as the test wants.
class FakeFetcher final : public fetcher::Fetcher {
 public:
  explicit FakeFetcher(async::Executor executor) : go(executor), begun(executor) {}

  async::Task<Result<fetcher::Image>> pull(fetcher::PullRequest request, fetcher::ProgressSink progress) override {
    ++pulls;
    begun.set();
    fetcher::Progress step;
    step.done = Bytes{1};
    progress(step);
    const auto waited = co_await go.wait();
    if (!waited) {
      ++cancelled;
      co_return waited.error();
    }
    if (failure) co_return *failure;
    fetcher::Image image;
    image.reference = request.reference;
    image.manifestDigest = digest(manifest);
    image.configDigest = digest('c');
    image.configJson = "{}";
    image.layers = {{digest('1'), digest('1'), digest('1'), request.store + "/layers/" + layer}};
    fs::create_directories(image.layers[0].directory);
    co_return image;
  }

  async::Event go;
  async::Event begun;
  int pulls = 0;
  int cancelled = 0;
  char manifest = 'a';
  std::string layer = "one";
  std::optional<Error> failure;
};

class NodeImagesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "images-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    open();
  }
  void TearDown() override {
    close();
    fs::remove_all(directory_);
  }

  void open() {
    fetcher::PullRequest pulls;
    pulls.store = directory_.string();
    auto opened = NodeImages::open(loop_.get_executor(), fetcher_, workers_, pulls);
    ASSERT_TRUE(opened) << opened.error().message();
    images_ = *std::move(opened);
  }
  void close() {
    if (images_) async::runUntilDone(loop_, images_->close());
    images_.reset();
  }

  Result<fetcher::Image> get(const std::string& reference, bool useCached = true) {
    fetcher_.go.set();
    return async::runUntilDone(loop_, images_->get(reference, useCached, {}));
  }

  async::Loop loop_;
  async::WorkerPool workers_;
  FakeFetcher fetcher_{loop_.get_executor()};
  fs::path directory_;
  std::unique_ptr<NodeImages> images_;
};

TEST_F(NodeImagesTest, AKnownImageIsNotPulledAgain) {
  ASSERT_TRUE(get("a"));
  ASSERT_TRUE(get("docker.io/library/a:latest")) << "the same image in other words";
  EXPECT_EQ(fetcher_.pulls, 1);
  ASSERT_TRUE(get("a", false));
  EXPECT_EQ(fetcher_.pulls, 2);
}

TEST_F(NodeImagesTest, RemembersAcrossARestart) {
  ASSERT_TRUE(get("a:1"));
  close();
  open();
  ASSERT_EQ(images_->list().size(), 1U);
  EXPECT_GT(images_->list()[0].pulled, 0);
  EXPECT_EQ(get("a:1")->manifestDigest, digest('a'));
  EXPECT_EQ(fetcher_.pulls, 1);
}

TEST_F(NodeImagesTest, DropsRecordsThatCannotBeReadOrHaveNoLayers) {
  ASSERT_TRUE(get("a:1"));
  ASSERT_TRUE(get("a:2"));
  close();
  std::ofstream(directory_ / "refs" / "broken.json") << "{";
  fs::remove_all(directory_ / "layers" / "one");
  open();
  EXPECT_TRUE(images_->list().empty());
  EXPECT_TRUE(fs::is_empty(directory_ / "refs"));
}

TEST_F(NodeImagesTest, AFailedPullIsNotRemembered) {
  fetcher_.failure = Error(Code::NotFound, "no such image");
  EXPECT_EQ(get("a").error().code(), Code::NotFound);
  EXPECT_TRUE(images_->list().empty());
  fetcher_.failure.reset();
  EXPECT_TRUE(get("a"));
}

TEST_F(NodeImagesTest, ARefusedReferenceStartsNothing) {
  EXPECT_EQ(get("A B").error().code(), Code::InvalidArgument);
  EXPECT_EQ(fetcher_.pulls, 0);
}

async::Task<> getInto(NodeImages* images, std::shared_ptr<std::vector<Result<fetcher::Image>>> results,
                      std::shared_ptr<int> steps) {
  fetcher::ProgressSink sink = [steps](const fetcher::Progress&) { ++*steps; };
  auto result = co_await images->get("a", true, std::move(sink));
  results->push_back(std::move(result));
}

async::Task<> getTwice(NodeImages* images, FakeFetcher* fetcher,
                       std::shared_ptr<std::vector<Result<fetcher::Image>>> results, std::shared_ptr<int> steps) {
  const auto executor = co_await async::currentExecutor();
  async::Scope scope(executor);
  scope.spawn(getInto(images, results, steps));
  scope.spawn(getInto(images, results, steps));
  const auto begun = co_await fetcher->begun.wait();
  EXPECT_TRUE(begun);
  fetcher->go.set();
  co_await scope.join();
}

TEST_F(NodeImagesTest, TwoWhoWantTheSameShareOnePull) {
  const auto results = std::make_shared<std::vector<Result<fetcher::Image>>>();
  const auto steps = std::make_shared<int>(0);
  async::runUntilDone(loop_, getTwice(images_.get(), &fetcher_, results, steps));
  ASSERT_EQ(results->size(), 2U);
  EXPECT_TRUE(results->at(0));
  EXPECT_TRUE(results->at(1));
  EXPECT_EQ(fetcher_.pulls, 1);
  EXPECT_EQ(*steps, 2) << "both hear of the progress";
}

async::Task<> cancelOneOfTwo(NodeImages* images, FakeFetcher* fetcher,
                             std::shared_ptr<std::vector<Result<fetcher::Image>>> results, std::shared_ptr<int> steps) {
  const auto executor = co_await async::currentExecutor();
  async::Scope leaves(executor);
  async::Scope stays(executor);
  leaves.spawn(getInto(images, results, steps));
  stays.spawn(getInto(images, results, steps));
  const auto begun = co_await fetcher->begun.wait();
  EXPECT_TRUE(begun);
  leaves.cancel();
  co_await leaves.join();
  fetcher->go.set();
  co_await stays.join();
}

TEST_F(NodeImagesTest, OneWhoLeavesDoesNotEndThePullOfTheOther) {
  const auto results = std::make_shared<std::vector<Result<fetcher::Image>>>();
  const auto steps = std::make_shared<int>(0);
  async::runUntilDone(loop_, cancelOneOfTwo(images_.get(), &fetcher_, results, steps));
  ASSERT_EQ(results->size(), 2U);
  EXPECT_EQ(results->at(0).error().code(), Code::Cancelled);
  EXPECT_TRUE(results->at(1));
}

async::Task<> cancelTheOnlyOne(NodeImages* images, FakeFetcher* fetcher,
                               std::shared_ptr<std::vector<Result<fetcher::Image>>> results,
                               std::shared_ptr<int> steps) {
  const auto executor = co_await async::currentExecutor();
  async::Scope scope(executor);
  scope.spawn(getInto(images, results, steps));
  const auto begun = co_await fetcher->begun.wait();
  EXPECT_TRUE(begun);
  scope.cancel();
  co_await scope.join();
  for (int i = 0; i < 10 && fetcher->cancelled == 0; ++i) co_await async::yield();
}

TEST_F(NodeImagesTest, APullThatNobodyWaitsForIsEnded) {
  const auto results = std::make_shared<std::vector<Result<fetcher::Image>>>();
  const auto steps = std::make_shared<int>(0);
  async::runUntilDone(loop_, cancelTheOnlyOne(images_.get(), &fetcher_, results, steps));
  EXPECT_EQ(fetcher_.cancelled, 1);
  EXPECT_TRUE(get("a")) << "and does not stand in the way of the next one";
}

TEST_F(NodeImagesTest, ForgottenImagesAreUnknown) {
  ASSERT_TRUE(get("a"));
  EXPECT_EQ(images_->forget("b").error().code(), Code::NotFound);
  EXPECT_TRUE(images_->forget("a"));
  EXPECT_TRUE(images_->list().empty());
  close();
  open();
  EXPECT_TRUE(images_->list().empty());
}

TEST_F(NodeImagesTest, PruneKeepsWhatImagesAndContainersNeed) {
  ASSERT_TRUE(get("a"));
  fetcher_.layer = "two";
  ASSERT_TRUE(get("b"));
  fetcher_.layer = "three";
  ASSERT_TRUE(get("c"));
  ASSERT_TRUE(images_->forget("b"));
  ASSERT_TRUE(images_->forget("c"));
  fs::create_directories(directory_ / "blobs/sha256");
  std::ofstream(directory_ / "blobs/sha256" / std::string(64, 'a')) << "x";
  std::ofstream(directory_ / "blobs/sha256" / std::string(64, 'f')) << "x";
  const std::set<std::string> inUse = {(directory_ / "layers/three").string()};
  const auto pruned = async::runUntilDone(loop_, images_->prune(inUse));
  ASSERT_TRUE(pruned) << pruned.error().message();
  EXPECT_EQ(pruned->layers, 1U);
  EXPECT_EQ(pruned->blobs, 1U);
  EXPECT_TRUE(fs::exists(directory_ / "layers/one"));
  EXPECT_FALSE(fs::exists(directory_ / "layers/two"));
  EXPECT_TRUE(fs::exists(directory_ / "layers/three"));
  EXPECT_TRUE(fs::is_empty(directory_ / "staging"));
}

TEST_F(NodeImagesTest, PruneIsRefusedWhileAFetcherHoldsTheStore) {
  const auto lock = kernel::open((directory_ / "lock").string(), O_RDWR | O_CREAT, 0600);
  ASSERT_TRUE(lock);
  ASSERT_TRUE(kernel::lockFile(*lock, kernel::Lock::Shared, false).value());
  EXPECT_EQ(async::runUntilDone(loop_, images_->prune({})).error().code(), Code::Busy);
}

TEST_F(NodeImagesTest, PruneKeepsFetchersOutFromItsFirstLookOn) {
  std::promise<void> promise;
  const std::shared_future<void> release = promise.get_future().share();
  std::function<bool()> wait = [release] {
    release.wait();
    return true;
  };
  async::Scope scope(loop_.get_executor());
  const auto waited = std::make_shared<std::optional<bool>>();
  const auto pruned = std::make_shared<std::optional<Result<ImageStore::Pruned>>>();
  for (int thread = 0; thread < 2; ++thread) scope.spawn(async::detail::keep(workers_.run(wait), waited));
  scope.spawn(async::detail::keep(images_->prune({}), pruned));
  ASSERT_TRUE(async::runUntilDone(loop_, async::sleep(std::chrono::milliseconds(20))));
  {
    const auto lock = kernel::open((directory_ / "lock").string(), O_RDWR | O_CREAT, 0600);
    EXPECT_FALSE(kernel::lockFile(*lock, kernel::Lock::Shared, false).value()) << "no worker has begun";
  }
  promise.set_value();
  async::runUntilDone(loop_, scope.join());
  EXPECT_TRUE(**pruned);
  EXPECT_TRUE(async::runUntilDone(loop_, images_->prune({}))) << "it is given back";
}

TEST_F(NodeImagesTest, LongReferencesHaveRecordsToo) {
  const std::string longName = "h.example/" + std::string(240, 'a') + ":" + std::string(128, 't');
  ASSERT_TRUE(get(longName));
  ASSERT_TRUE(get("h.example/" + std::string(240, 'a') + ":" + std::string(127, 't')));
  close();
  open();
  EXPECT_EQ(images_->list().size(), 2U);
}

}  // namespace
}  // namespace gantry::agent
