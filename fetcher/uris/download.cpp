#include "fetcher/uris/download.hpp"

#include <curl/curl.h>

#include <cerrno>
#include <string_view>
#include <thread>

#include <fmt/format.h>

#include "fetcher/pull/trust.hpp"
#include "kernel/file.hpp"

namespace gantry::fetcher {
namespace {

constexpr long kConnectSeconds = 30;
constexpr long kStallBytesPerSecond = 1;
constexpr long kMaxRedirects = 10;
constexpr int kMaxAttempts = 3;
constexpr auto kFirstRetryDelay = std::chrono::milliseconds(200);
constexpr long kReceiveBuffer = 256L << 10;
constexpr std::size_t kMaxValidator = 1024;

struct FreeEasy {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

bool isFtp(std::string_view url) {
  return curl_strnequal(url.data(), "ftp", 3) != 0;
}

bool isHttps(std::string_view url) {
  return curl_strnequal(url.data(), "https:", 6) != 0;
}

// The value of the header `name` (lower case, with its colon) in a header line.
std::optional<std::string> headerValue(std::string_view line, std::string_view name) {
  if (line.size() < name.size() || curl_strnequal(line.data(), name.data(), name.size()) == 0) return {};
  line.remove_prefix(name.size());
  const auto begin = line.find_first_not_of(" \t");
  const auto end = line.find_last_not_of(" \t\r\n");
  if (begin == std::string_view::npos || end - begin >= kMaxValidator) return std::string();
  return std::string(line.substr(begin, end - begin + 1));
}

Error describeHttp(long status) {
  const std::string text = fmt::format("the server answers {}", status);
  if (status == 404 || status == 410) return {Code::NotFound, text};
  if (status == 401 || status == 403 || status == 407) return {Code::PermissionDenied, text};
  return {Code::Unavailable, text};
}

Error describeFtp(CURLcode code, long reply, std::string_view reason) {
  const std::string text = reply > 0 ? fmt::format("{} (the server says {})", reason, reply) : std::string(reason);
  switch (code) {
    case CURLE_REMOTE_FILE_NOT_FOUND:
    case CURLE_FTP_COULDNT_RETR_FILE:
      return {Code::NotFound, text};
    case CURLE_LOGIN_DENIED:
    case CURLE_REMOTE_ACCESS_DENIED:
      return {Code::PermissionDenied, text};
    default:
      return {Code::Unavailable, text};
  }
}

bool isWorthRetrying(CURLcode code, long status) {
  switch (code) {
    case CURLE_HTTP_RETURNED_ERROR:
      return status == 429 || (status >= 500 && status != 501);
    case CURLE_COULDNT_CONNECT:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      return true;
    default:
      return false;
  }
}

}  // namespace

class Download::Transport {
 public:
  explicit Transport(Options options) : options_(std::move(options)), easy_(curl_easy_init()) {
    ENSURE(easy_ != nullptr, "libcurl cannot be set up");
  }

  Result<bool> fetch(const std::string& url, const Version& known, const kernel::Fd& into,
                     const std::function<void(const DownloadHead&)>& head) {
    if (isFtp(url) && !known.stamp.empty()) {
      TRY(const std::string stamp, ftpStamp(url));
      if (stamp == known.stamp) return false;
    }
    for (int attempt = 1;; ++attempt) {
      begin(url, into, head);
      const HeaderList headers = conditions(known);
      curl_easy_setopt(easy(), CURLOPT_HTTPHEADER, headers.get());
      const CURLcode code = curl_easy_perform(easy());
      const long status = number(CURLINFO_RESPONSE_CODE);
      if (code == CURLE_OK && !isFtp(url) && status == 304 && known.isKnown()) return false;
      if (code == CURLE_OK) return finish(url, status);
      const bool isOver = attempt == kMaxAttempts || headSaid_ || !isWorthRetrying(code, status);
      if (isOver) return describe(url, code, status);
      std::this_thread::sleep_for(kFirstRetryDelay * attempt);
    }
  }

 private:
  CURL* easy() const { return easy_.get(); }

  long number(CURLINFO what) const {
    long value = 0;
    curl_easy_getinfo(easy(), what, &value);
    return value;
  }
  curl_off_t offset(CURLINFO what) const {
    curl_off_t value = -1;
    curl_easy_getinfo(easy(), what, &value);
    return value;
  }

  // Options of every request. Connections are kept, for the next file of the same server.
  void setCommonOptions(const std::string& url) {
    curl_easy_reset(easy());
    reason_[0] = '\0';
    curl_easy_setopt(easy(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy(), CURLOPT_ERRORBUFFER, reason_);
    curl_easy_setopt(easy(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy(), CURLOPT_PROTOCOLS_STR, "http,https,ftp,ftps");
    curl_easy_setopt(easy(), CURLOPT_REDIR_PROTOCOLS_STR, isHttps(url) ? "https" : "http,https");
    curl_easy_setopt(easy(), CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy(), CURLOPT_MAXREDIRS, kMaxRedirects);
    curl_easy_setopt(easy(), CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(easy(), CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    curl_easy_setopt(easy(), CURLOPT_LOW_SPEED_LIMIT, kStallBytesPerSecond);
    curl_easy_setopt(easy(), CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.stallTimeout.count()));
    curl_easy_setopt(easy(), CURLOPT_SERVER_RESPONSE_TIMEOUT, static_cast<long>(options_.stallTimeout.count()));
    curl_easy_setopt(easy(), CURLOPT_BUFFERSIZE, kReceiveBuffer);
    curl_easy_setopt(easy(), CURLOPT_FILETIME, isFtp(url) ? 1L : 0L);
    curl_easy_setopt(easy(), CURLOPT_USERAGENT, "gantry/" GANTRY_VERSION);
    trustCertificates(easy(), options_.certificates);
  }

  void begin(const std::string& url, const kernel::Fd& into, const std::function<void(const DownloadHead&)>& head) {
    into_ = &into;
    head_ = &head;
    headSaid_ = false;
    writeError_.reset();
    version_ = {};
    setCommonOptions(url);
    isFtp_ = isFtp(url);
    curl_easy_setopt(easy(), CURLOPT_WRITEFUNCTION, &Transport::receive);
    curl_easy_setopt(easy(), CURLOPT_WRITEDATA, this);
    if (isFtp_) return;
    curl_easy_setopt(easy(), CURLOPT_HEADERFUNCTION, &Transport::receiveHeader);
    curl_easy_setopt(easy(), CURLOPT_HEADERDATA, this);
  }

  static HeaderList conditions(const Version& known) {
    curl_slist* headers = nullptr;
    if (!known.etag.empty()) headers = curl_slist_append(headers, ("If-None-Match: " + known.etag).c_str());
    if (!known.lastModified.empty()) {
      headers = curl_slist_append(headers, ("If-Modified-Since: " + known.lastModified).c_str());
    }
    return HeaderList(headers);
  }

  Result<bool> finish(const std::string& url, long status) {
    if (!isFtp(url) && status != 200) return describeHttp(status);
    // An empty file has no first byte.
    sayHead();
    return true;
  }

  // Time and size of a file, without the file.
  Result<std::string> ftpStamp(const std::string& url) {
    setCommonOptions(url);
    curl_easy_setopt(easy(), CURLOPT_NOBODY, 1L);
    curl_easy_setopt(easy(), CURLOPT_HEADERFUNCTION, &Transport::ignoreHeader);
    const CURLcode code = curl_easy_perform(easy());
    if (code != CURLE_OK) return describe(url, code, number(CURLINFO_RESPONSE_CODE));
    return stamp();
  }

  std::string stamp() const {
    const auto time = offset(CURLINFO_FILETIME_T);
    const auto size = offset(CURLINFO_CONTENT_LENGTH_DOWNLOAD_T);
    return time < 0 || size < 0 ? std::string() : fmt::format("{} {}", time, size);
  }

  // libcurl's version of a file's size and time as headers, for a request without a body.
  static std::size_t ignoreHeader(char* /*data*/, std::size_t size, std::size_t count, void* /*self*/) {
    return size * count;
  }

  static std::size_t receiveHeader(char* data, std::size_t size, std::size_t count, void* self) {
    auto& version = static_cast<Transport*>(self)->version_;
    const std::string_view line(data, size * count);
    // Each answer on the way begins anew.
    if (line.starts_with("HTTP/")) version = {};
    if (auto etag = headerValue(line, "etag:")) version.etag = *std::move(etag);
    if (auto modified = headerValue(line, "last-modified:")) version.lastModified = *std::move(modified);
    return size * count;
  }

  static std::size_t receive(char* data, std::size_t size, std::size_t count, void* self) {
    auto& transport = *static_cast<Transport*>(self);
    // What comes with another answer than success is not the file.
    if (!transport.isFtp_ && transport.number(CURLINFO_RESPONSE_CODE) != 200) return size * count;
    transport.sayHead();
    auto written = kernel::writeAll(*transport.into_, std::string_view(data, size * count));
    if (written) return size * count;
    transport.writeError_ = std::move(written).error();
    return 0;
  }

  void sayHead() {
    if (headSaid_) return;
    headSaid_ = true;
    DownloadHead head;
    if (const auto size = offset(CURLINFO_CONTENT_LENGTH_DOWNLOAD_T); size >= 0) {
      head.size = Bytes{static_cast<std::uint64_t>(size)};
    }
    head.version = version_;
    if (isFtp_) head.version.stamp = stamp();
    (*head_)(head);
  }

  Error describe(const std::string& url, CURLcode code, long status) const {
    if (writeError_ && writeError_->number() == EPIPE) return {Code::Cancelled, "nobody reads this any more"};
    if (writeError_) return *writeError_;
    const std::string_view reason = reason_[0] == '\0' ? curl_easy_strerror(code) : reason_;
    switch (code) {
      case CURLE_HTTP_RETURNED_ERROR:
        return describeHttp(status);
      case CURLE_OPERATION_TIMEDOUT:
      case CURLE_FTP_ACCEPT_TIMEOUT:
        return {Code::Timeout, std::string(reason)};
      case CURLE_PEER_FAILED_VERIFICATION:
        return {Code::PermissionDenied, std::string(reason)};
      case CURLE_UNSUPPORTED_PROTOCOL:
        // The URL's own scheme was looked at before.
        return {Code::PermissionDenied,
                fmt::format("the server redirects to where a download from here may not go: {}", reason)};
      case CURLE_URL_MALFORMAT:
        return {Code::InvalidArgument, fmt::format("is no valid URL: {}", reason)};
      default:
        return isFtp(url) ? describeFtp(code, status, reason) : Error(Code::Unavailable, std::string(reason));
    }
  }

  const Options options_;
  const Easy easy_;
  char reason_[CURL_ERROR_SIZE] = {};

  // Of the current request.
  const kernel::Fd* into_ = nullptr;
  const std::function<void(const DownloadHead&)>* head_ = nullptr;
  bool isFtp_ = false;
  bool headSaid_ = false;
  Version version_;
  std::optional<Error> writeError_;
};

Download::Download(Options options) : transport_(std::make_unique<Transport>(std::move(options))) {}
Download::~Download() = default;

Result<bool> Download::fetch(const std::string& url, const Version& known, const kernel::Fd& into,
                             const std::function<void(const DownloadHead&)>& head) {
  return transport_->fetch(url, known, into, head);
}

}  // namespace gantry::fetcher
