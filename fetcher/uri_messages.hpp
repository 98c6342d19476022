// What gantry-fetcher is asked about URIs and what it answers, as values and as the JSON that goes over its standard
// streams: one request object with "uris" on standard input; lines of {"progress"}, then one {"fetched"} or {"error"}
// on standard output.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace gantry::fetcher {

// One file to be in the sandbox, as Mesos' CommandInfo.URI has it.
struct Uri {
  // An absolute path, file://, http://, https://, ftp:// or ftps://; a relative path with UriRequest::frameworksHome.
  std::string value;
  // Mode 0755, and never unpacked.
  bool executable = false;
  // Unpacked into the sandbox's top directory when its name is that of an archive: .tar .tgz .tar.gz .tbz2 .tar.bz2
  // .txz .tar.xz .tzst .tar.zst .zip, and .gz .zst for a single file. The archive itself stays too, unless it came
  // out of the cache. A file with another name is left as it is.
  bool extract = true;
  // Kept for other containers of the same user.
  bool cache = false;
  // Relative to the sandbox; its directories are made. Empty: the last part of `value`, a query included.
  std::string outputFile;

  bool operator==(const Uri&) const = default;
};

// Whose rights a fetch has: local files are read, and everything in the sandbox is written, as this user.
struct UriUser {
  uid_t uid = 0;
  gid_t gid = 0;
  // Supplementary ones.
  std::vector<gid_t> groups;

  bool operator==(const UriUser&) const = default;
};

// Where files are kept that were asked for with `cache`. One directory serves all containers of an agent, at once.
struct UriCache {
  // Absolute; made when missing (0700). Empty: nothing is cached.
  std::string directory;
  // The least recently used files go to keep within this. What is larger is fetched past the cache.
  Bytes size = Bytes::gibi(2);

  bool operator==(const UriCache&) const = default;
};

// Bounds against hostile archives. What exceeds one fails with Exhausted, naming it.
struct UriLimits {
  // Of one archive after decompression.
  Bytes unpacked = Bytes::gibi(100);
  std::uint64_t entries = 4'000'000;

  bool operator==(const UriLimits&) const = default;
};

struct UriRequest {
  std::vector<Uri> uris;
  // Absolute; exists, and is writable by the user. It is the only place that is written to.
  std::string sandbox;
  UriUser user;
  UriCache cache;
  // Relative paths begin here; empty: they are refused.
  std::string frameworksHome;
  // A transfer slower than 1 byte per second for so long is given up: Timeout.
  std::chrono::seconds stallTimeout{60};
  // Trusted beside the system's certificates when set: an absolute path of PEM certificates.
  std::string caFile;
  UriLimits limits;

  bool operator==(const UriRequest&) const = default;
};

struct UriProgress {
  enum class Step { Download, Unpack };

  // Position in UriRequest::uris.
  std::size_t uri = 0;
  Step step = Step::Download;
  // Of the file; while unpacking, of what was written.
  Bytes done;
  // 0 when nobody knows.
  Bytes total;

  bool operator==(const UriProgress&) const = default;
};

// All is there.
struct FetchedUris {
  // What came from other places than the cache.
  Bytes transferred;
  // How many of the URIs the cache had.
  std::uint64_t fromCache = 0;
  // How much the cache holds now; 0 when none was used.
  Bytes cacheUsed;

  bool operator==(const FetchedUris&) const = default;
};

// One line of the program's output.
using UriAnswer = std::variant<UriProgress, FetchedUris, Error>;

std::string toJson(const UriRequest& request);
// Whether a request is one for URIs; a pull has no "uris".
bool isUriRequest(std::string_view json);
// InvalidArgument names the member, an unknown one too.
Result<UriRequest> parseUriRequest(std::string_view json);

// Without the line end.
std::string toJson(const UriAnswer& answer);
Result<UriAnswer> parseUriAnswer(std::string_view line);

// Without what looks like credentials in it: "https://user:***@host/…". For messages and logs.
std::string withoutPassword(std::string_view uri);

}  // namespace gantry::fetcher
