#include "fetcher/uris/downloader.hpp"

#include <charconv>
#include <csignal>

#include "fetcher/pull/confinement.hpp"
#include "kernel/descriptor_passing.hpp"

namespace gantry::fetcher {
namespace {

// The first field of a packet.
constexpr std::string_view kGet = "get";    // url, etag, last-modified, stamp
constexpr std::string_view kHead = "head";  // size or nothing, etag, last-modified, stamp
constexpr std::string_view kUnchanged = "unchanged";
constexpr std::string_view kDone = "done";
constexpr std::string_view kFailed = "failed";  // code, message

// --- in the child

void say(const kernel::Fd& connection, const std::vector<std::string>& fields) {
  ignore(kernel::sendWithDescriptor(connection, joinFields(fields), {}), "the fetcher has ended; so shall we");
}

void sayFailed(const kernel::Fd& connection, const Error& error) {
  auto fields = errorFields(error);
  fields.insert(fields.begin(), std::string(kFailed));
  say(connection, fields);
}

Result<void> serve(const Download::Options& options, const kernel::Fd& connection) {
  // A pipe that nobody reads any more is an error of writing.
  std::signal(SIGPIPE, SIG_IGN);
  TRY_VOID(becomeNobody().under("confine the downloader"));
  Download download(options);
  while (true) {
    TRY(auto packet, kernel::receiveWithDescriptor(connection, kMaxPacket));
    const auto fields = splitFields(packet.text);
    if (fields.empty()) return {};
    ENSURE(fields.size() == 5 && fields[0] == kGet, "the fetcher speaks nonsense");
    const Version known{fields[2], fields[3], fields[4]};
    const auto fetched = download.fetch(fields[1], known, packet.descriptor, [&](const DownloadHead& head) {
      say(connection, {std::string(kHead), head.size ? std::to_string(head.size->count) : "", head.version.etag,
                       head.version.lastModified, head.version.stamp});
    });
    packet.descriptor.reset();
    if (fetched) {
      say(connection, {std::string(*fetched ? kDone : kUnchanged)});
    } else {
      sayFailed(connection, fetched.error());
    }
  }
}

}  // namespace

// --- in the fetcher

Result<Downloader> Downloader::start(const Download::Options& options) {
  TRY(auto child, Child::start({}, [&](const kernel::Fd& connection) {
        const auto served = serve(options, connection);
        if (!served) sayFailed(connection, served.error());
      }));
  return Downloader(std::move(child));
}

Result<kernel::Fd> Downloader::get(const std::string& url, const Version& known) const {
  TRY(kernel::Pipe pipe, kernel::pipe());
  kernel::growPipe(pipe.write);
  TRY_VOID(child_.send({std::string(kGet), url, known.etag, known.lastModified, known.stamp}, pipe.write));
  return std::move(pipe.read);
}

Result<Downloader::News> Downloader::hear() const {
  TRY(const auto fields, child_.receive());
  if (fields.empty()) return Error(Code::Internal, "the downloader ended unexpectedly");
  if (fields[0] == kFailed) return errorFromFields(fields, 1);
  if (fields[0] == kUnchanged) return News(Unchanged());
  if (fields[0] == kDone) return News(Done());
  if (fields[0] != kHead || fields.size() != 5) return Error(Code::Internal, "the downloader speaks nonsense");
  DownloadHead head;
  head.version = {fields[2], fields[3], fields[4]};
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(fields[1].data(), fields[1].data() + fields[1].size(), size);
  if (error == std::errc() && !fields[1].empty()) head.size = Bytes{size};
  return News(std::move(head));
}

}  // namespace gantry::fetcher
