#include "fetcher/uris/sandbox_worker.hpp"

#include <charconv>
#include <chrono>

#include "fetcher/pull/confinement.hpp"
#include "fetcher/uris/sandbox_writer.hpp"
#include "kernel/node.hpp"

namespace gantry::fetcher {
namespace {

constexpr auto kProgressInterval = std::chrono::milliseconds(200);

// The first field of a packet.
constexpr std::string_view kStore = "store";
constexpr std::string_view kKeep = "keep";  // path, mode
constexpr std::string_view kDrop = "drop";
constexpr std::string_view kUnpack = "unpack";    // packing, name
constexpr std::string_view kWritten = "written";  // bytes
constexpr std::string_view kDone = "done";        // bytes
constexpr std::string_view kFailed = "failed";    // code, message

constexpr std::string_view kArchive = "archive";
constexpr std::string_view kFile = "file";

std::uint64_t numberOf(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// --- in the worker

void say(const kernel::Fd& connection, const std::vector<std::string>& fields) {
  ignore(kernel::sendWithDescriptor(connection, joinFields(fields), {}), "the fetcher has ended; so shall we");
}

Result<Bytes> serve(SandboxWriter& writer, const std::vector<std::string>& fields, const kernel::Fd& descriptor) {
  if (fields[0] == kStore) return writer.store(descriptor);
  if (fields[0] == kDrop) {
    TRY_VOID(writer.drop());
    return Bytes();
  }
  ENSURE(fields.size() == 3, "the fetcher speaks nonsense");
  if (fields[0] == kKeep) {
    TRY(const LayerPath path, parseLayerPath(fields[1]));
    TRY_VOID(writer.keep(path, static_cast<mode_t>(numberOf(fields[2]))));
    return Bytes();
  }
  const Packing packing = fields[1] == kFile ? Packing::File : Packing::Archive;
  TRY_VOID(descriptor ? writer.unpack(descriptor, packing, fields[2]) : writer.unpackKept(packing, fields[2]));
  return Bytes();
}

Result<void> work(const UriUser& user, const UriLimits& limits, const kernel::Fd& sandbox,
                  const kernel::Fd& connection) {
  TRY(kernel::Fd root, lockIntoAs(user, sandbox).under("confine the writer"));
  auto lastSaid = std::chrono::steady_clock::now();
  SandboxWriter writer(std::move(root), limits, [&](Bytes count) {
    const auto now = std::chrono::steady_clock::now();
    if (now - lastSaid < kProgressInterval) return;
    lastSaid = now;
    say(connection, {std::string(kWritten), std::to_string(count.count)});
  });
  say(connection, {std::string(kDone), "0"});
  while (true) {
    TRY(auto packet, kernel::receiveWithDescriptor(connection, kMaxPacket));
    const auto fields = splitFields(packet.text);
    if (fields.empty()) return {};
    auto served = serve(writer, fields, packet.descriptor);
    // Whoever fills the pipe we read is to notice when we do not any more.
    packet.descriptor.reset();
    if (served) {
      say(connection, {std::string(kDone), std::to_string(served->count)});
      continue;
    }
    ignore(writer.drop(), "the next fetch removes it");
    auto failure = errorFields(served.error());
    failure.insert(failure.begin(), std::string(kFailed));
    say(connection, failure);
  }
}

}  // namespace

// --- in the fetcher

Result<SandboxWorker> SandboxWorker::start(const UriUser& user, const UriLimits& limits, const kernel::Fd& sandbox) {
  TRY(auto child, Child::start({&sandbox}, [&](const kernel::Fd& connection) {
        kernel::setFileModeMask(0);
        const auto worked = work(user, limits, sandbox, connection);
        if (worked) return;
        auto fields = errorFields(worked.error());
        fields.insert(fields.begin(), std::string(kFailed));
        say(connection, fields);
      }));
  SandboxWorker worker(std::move(child));
  TRY([[maybe_unused]] const Bytes none, worker.wait({}));
  return worker;
}

Result<void> SandboxWorker::startStore(const kernel::Fd& from) const {
  return child_.send({std::string(kStore)}, from);
}

Result<Bytes> SandboxWorker::store(const kernel::Fd& from, const Written& written) {
  TRY_VOID(startStore(from));
  return wait(written);
}

Result<void> SandboxWorker::keep(const LayerPath& path, mode_t mode) {
  TRY_VOID(child_.send({std::string(kKeep), path.text(), std::to_string(mode)}));
  TRY([[maybe_unused]] const Bytes none, wait({}));
  return {};
}

Result<void> SandboxWorker::drop() {
  TRY_VOID(child_.send({std::string(kDrop)}));
  TRY([[maybe_unused]] const Bytes none, wait({}));
  return {};
}

Result<void> SandboxWorker::unpack(const kernel::Fd& file, Packing packing, const std::string& name,
                                   const Written& written) {
  const std::string_view kind = packing == Packing::File ? kFile : kArchive;
  TRY_VOID(child_.send({std::string(kUnpack), std::string(kind), name}, file));
  TRY([[maybe_unused]] const Bytes none, wait(written));
  return {};
}

Result<std::optional<Bytes>> SandboxWorker::hear(const Written& written) const {
  TRY(const auto fields, child_.receive());
  if (fields.empty()) return Error(Code::Internal, "the writer of the sandbox ended unexpectedly");
  if (fields[0] == kFailed) return errorFromFields(fields, 1);
  if (fields.size() != 2) return Error(Code::Internal, "the writer of the sandbox speaks nonsense");
  const Bytes count{numberOf(fields[1])};
  if (fields[0] == kDone) return std::optional(count);
  if (written) written(count);
  return std::optional<Bytes>();
}

Result<Bytes> SandboxWorker::wait(const Written& written) const {
  while (true) {
    TRY(const auto done, hear(written));
    if (done) return *done;
  }
}

}  // namespace gantry::fetcher
