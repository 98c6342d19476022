// pull and images.
#include <fmt/format.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/bytes.hpp"
#include "cli/commands.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

namespace gantry::cli {
namespace {

// Not ordered_json, whose objects are lists: an image may have 100,000 labels.
using json = nlohmann::json;

// Download and unpacking of all layers in one line: over the last one on a terminal, else only steps of note.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet) : quiet_(quiet), terminal_(isStderrTerminal()) {}
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() {
    if (drawn_) fmt::print(stderr, "\r\x1b[K");
  }

  void show(const json& progress) {
    const std::string digest = progress.value("digest", "");
    const std::string step = progress.value("step", "");
    Layer& layer = layers_[digest];
    const bool unpacks = step == "unpack";
    const bool isNew = !(unpacks ? layer.unpacks : layer.downloads);
    (unpacks ? layer.unpacks : layer.downloads) = true;
    if (!unpacks) {
      layer.done = progress.value("done", std::uint64_t{0});
      layer.total = progress.value("total", std::uint64_t{0});
    }
    if (quiet_) return;
    if (terminal_) {
      draw();
    } else if (isNew) {
      fmt::print(stderr, "{}: {}\n", shortDigest(digest), unpacks ? "unpacking" : "downloading");
    }
  }

 private:
  // A layer is unpacked while it is downloaded.
  struct Layer {
    bool downloads = false;
    bool unpacks = false;
    std::uint64_t done = 0;
    std::uint64_t total = 0;
  };

  void draw() {
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    std::size_t unpacking = 0;
    for (const auto& [digest, layer] : layers_) {
      if (layer.unpacks) ++unpacking;
      done += layer.done;
      total += layer.total;
    }
    fmt::print(stderr, "\r\x1b[K{} layers: {} of {} downloaded, {} unpacked or being unpacked", layers_.size(),
               toString(Bytes{done}), toString(Bytes{total}), unpacking);
    std::fflush(stderr);
    drawn_ = true;
  }

  bool quiet_;
  bool terminal_;
  bool drawn_ = false;
  std::map<std::string, Layer> layers_;
};

// The sentence names the image itself.
Error errorOf(const json& error) {
  const std::string message = error.value("message", "the agent does not say why");
  return Error(error.value("code", "") == "NotFound" ? Code::NotFound : Code::Internal, message);
}

std::string nameOf(const json& image) {
  std::string name = image.value("reference", "");
  for (const std::string prefix :
       {"docker://registry-1.docker.io/library/", "docker://registry-1.docker.io/", "docker://"}) {
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  }
  return name;
}

std::string imagesTable(const json& images) {
  const auto now = std::chrono::system_clock::now();
  std::vector<std::vector<std::string>> rows = {{"IMAGE", "DIGEST", "SIZE", "LAYERS", "PULLED"}};
  for (const json& image : images) {
    const auto pulled = std::chrono::duration_cast<std::chrono::system_clock::duration>(
        std::chrono::nanoseconds(image.value("pulled", std::int64_t{0})));
    rows.push_back({nameOf(image), shortDigest(image.value("manifest_digest", "")),
                    toString(Bytes{image.value("size", std::uint64_t{0})}),
                    fmt::format("{}", image.value("layers", json::array()).size()),
                    age(now.time_since_epoch() - pulled) + " ago"});
  }
  return table(rows);
}

}  // namespace

async::Task<Result<std::string>> pullImage(AgentClient agent, std::string reference, bool cached, bool quiet) {
  const json wanted = {{"reference", reference}, {"cached", cached}};
  std::string body;
  try {
    body = wanted.dump();
  } catch (const json::exception&) {
    co_return Error(Code::InvalidArgument, "the image's name is not UTF-8");
  }
  CO_TRY(const auto exchange, co_await agent.stream("POST", "/gantry/v1/images/pull", std::move(body)));
  http::RecordReader records(exchange->body());
  ProgressLine line(quiet);
  while (true) {
    CO_TRY(const auto text, co_await records.next());
    if (!text) co_return Error(Code::Unavailable, "the agent ended the pull without a result");
    const json record = json::parse(*text, nullptr, false);
    if (!record.is_object()) co_return Error(Code::Internal, "the agent's answer is not JSON");
    if (record.contains("progress")) line.show(record["progress"]);
    if (record.contains("error")) co_return errorOf(record["error"]);
    if (record.contains("image")) co_return record["image"].dump();
  }
}

Outcome pull(AgentClient agent, PullOptions options, Format format) {
  CO_TRY(const std::string text, co_await pullImage(std::move(agent), options.image, false, options.quiet));
  const json image = json::parse(text);
  print(format == Format::Json ? image.dump(2) + "\n" : image.value("manifest_digest", "") + "\n");
  co_return 0;
}

Outcome images(AgentClient agent, ImagesOptions options, Format format) {
  CO_TRY(const std::string answer, co_await agent.get("/gantry/v1/images"));
  const json document = json::parse(answer, nullptr, false);
  if (!document.is_object()) co_return Error(Code::Internal, "the agent's answer is not JSON");
  const json list = document.value("images", json::array());
  if (options.quiet) {
    for (const json& image : list) print(image.value("reference", "") + "\n");
  } else {
    print(format == Format::Json ? list.dump(2) + "\n" : imagesTable(list));
  }
  co_return 0;
}

}  // namespace gantry::cli
