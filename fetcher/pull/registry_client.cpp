#include "fetcher/pull/registry_client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <chrono>
#include <map>

#include <fmt/format.h>

#include "fetcher/pull/challenge.hpp"
#include "fetcher/pull/trust.hpp"
#include "kernel/io.hpp"
#include "oci/image.hpp"

namespace gantry::fetcher {
namespace {

using Clock = std::chrono::steady_clock;

constexpr long kConnectSeconds = 15;
// Slower than this for so long, and the other side counts as gone.
constexpr long kStallBytesPerSecond = 1;
constexpr long kStallSeconds = 30;
// Of a short answer (a token, a probe) altogether.
constexpr long kShortAnswerSeconds = 30;
constexpr int kMaxRedirects = 5;
constexpr int kMaxAttempts = 4;
constexpr auto kFirstRetryDelay = std::chrono::milliseconds(250);
// Of error bodies and token answers.
constexpr std::size_t kMaxShortAnswer = 256U << 10U;
constexpr long kReceiveBuffer = 512L << 10;

struct FreeEasy {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;

struct Url {
  std::string scheme;
  std::string host;  // with the port, unless it is the scheme's own

  static std::optional<Url> parse(const std::string& text) {
    const std::unique_ptr<CURLU, FreeUrl> url(curl_url());
    if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_DISALLOW_USER) != CURLUE_OK) return {};
    Url parsed;
    parsed.scheme = part(url.get(), CURLUPART_SCHEME, 0);
    parsed.host = part(url.get(), CURLUPART_HOST, 0);
    const std::string port = part(url.get(), CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
    if (!port.empty()) parsed.host += ":" + port;
    if (parsed.host.empty()) return {};
    return parsed;
  }

 private:
  static std::string part(CURLU* url, CURLUPart which, unsigned flags) {
    char* text = nullptr;
    if (curl_url_get(url, which, &text, flags) != CURLUE_OK) return {};
    std::string copy(text);
    curl_free(text);
    return copy;
  }
};

std::string escape(const std::string& text) {
  char* escaped = curl_easy_escape(nullptr, text.c_str(), static_cast<int>(text.size()));
  std::string copy(escaped == nullptr ? "" : escaped);
  curl_free(escaped);
  return copy;
}

Code codeOf(CURLcode code) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return Code::Timeout;
    case CURLE_PEER_FAILED_VERIFICATION:
      return Code::PermissionDenied;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
      return Code::InvalidArgument;
    default:
      return Code::Unavailable;
  }
}

bool isWorthRetrying(long status) {
  return status == 429 || (status >= 500 && status != 501);
}

// One request for one document or blob, through its redirects, challenges and retries.
struct Transfer {
  std::string id;
  RegistryClient::Kind kind = RegistryClient::Kind::Manifest;
  std::string target;
  kernel::Fd into;

  Easy easy;
  std::unique_ptr<curl_slist, FreeList> headers;
  std::string url;
  int redirects = 0;
  int attempts = 0;
  int challenges = 0;
  Clock::time_point startAt;
  bool isRunning = false;

  // What curl gave and the pipe did not take yet; while there is some, curl is paused.
  std::string pending;
  bool isPaused = false;
  bool readerLeft = false;
  bool delivered = false;
  // The server has said everything.
  bool isComplete = false;
  std::string errorBody;
  std::vector<std::string> authenticate;
  char reason[CURL_ERROR_SIZE] = {};
};

}  // namespace

class RegistryClient::Transport {
 public:
  Transport(Access access, Finished finished)
      : access_(std::move(access)), finished_(std::move(finished)), multi_(curl_multi_init()) {
    ENSURE(multi_ != nullptr, "libcurl cannot be set up");
  }
  ~Transport() {
    for (auto& transfer : transfers_) stop(*transfer);
    curl_multi_cleanup(multi_);
  }

  void add(std::string id, Kind kind, std::string target, kernel::Fd into) {
    auto transfer = std::make_unique<Transfer>();
    transfer->id = std::move(id);
    transfer->kind = kind;
    transfer->target = std::move(target);
    transfer->into = std::move(into);
    transfers_.push_back(std::move(transfer));
  }

  Result<void> run(const kernel::Fd& wake) {
    while (true) {
      startDue();
      int running = 0;
      curl_multi_perform(multi_, &running);
      collect();
      flushAll();
      std::vector<curl_waitfd> waits = {{wake.raw(), CURL_WAIT_POLLIN, 0}};
      for (const auto& transfer : transfers_) {
        if (!transfer->pending.empty()) waits.push_back({transfer->into.raw(), CURL_WAIT_POLLOUT, 0});
      }
      const CURLMcode polled =
          curl_multi_poll(multi_, waits.data(), static_cast<unsigned>(waits.size()), nextDelay(), nullptr);
      if (polled != CURLM_OK) return Error(Code::Internal, fmt::format("poll: {}", curl_multi_strerror(polled)));
      if (waits.front().revents != 0) return {};
    }
  }

 private:
  // --- where we may go ---

  bool isPlainHttpAllowed(const std::string& host) const {
    return isLoopback(host) || std::ranges::count(access_.insecureHosts, host) > 0;
  }

  bool isAllowed(const Url& url) const {
    return url.scheme == "https" || (url.scheme == "http" && isPlainHttpAllowed(url.host));
  }

  bool isRegistry(const Url& url) const { return url.host == registryHost_ && url.scheme == scheme_; }

  // Whether the registry speaks http is asked without credentials, and only where http is allowed.
  Result<void> findScheme() {
    if (!scheme_.empty()) return {};
    std::string scheme = "https";
    if (isPlainHttpAllowed(access_.where.host)) {
      const auto answer = shortRequest(fmt::format("http://{}/v2/", access_.where.host), {});
      if (!answer && answer.error().code() == Code::Timeout) return answer.error();
      if (answer && answer->status != 400) scheme = "http";
    }
    const auto url = Url::parse(fmt::format("{}://{}/", scheme, access_.where.host));
    if (!url) return Error(Code::InvalidArgument, fmt::format("'{}' is no host", access_.where.host));
    registryHost_ = url->host;
    scheme_ = scheme;
    return {};
  }

  // --- requests that are waited for: few and short ---

  struct ShortAnswer {
    long status = 0;
    std::string body;
  };

  Result<ShortAnswer> shortRequest(const std::string& url, const std::optional<Credentials>& credentials) {
    const Easy easy(curl_easy_init());
    ENSURE(easy != nullptr, "libcurl cannot be set up");
    char reason[CURL_ERROR_SIZE] = {};
    ShortAnswer answer;
    setCommonOptions(easy.get(), url, reason);
    curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT, kShortAnswerSeconds);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &Transport::keepShort);
    curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &answer.body);
    if (credentials) setCredentials(easy.get(), *credentials);
    const CURLcode code = curl_easy_perform(easy.get());
    if (code != CURLE_OK) return describe(code, reason, url);
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &answer.status);
    return answer;
  }

  static std::size_t keepShort(char* data, std::size_t size, std::size_t count, void* self) {
    auto& body = *static_cast<std::string*>(self);
    if (body.size() + size * count > kMaxShortAnswer) return 0;
    body.append(data, size * count);
    return size * count;
  }

  void setCommonOptions(CURL* easy, const std::string& url, char* reason) const {
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    // A paused HTTP/2 stream is buffered in memory; a connection per transfer has the kernel hold the sender back.
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, kStallBytesPerSecond);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, kStallSeconds);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "gantry/" GANTRY_VERSION);
    trustCertificates(easy, access_.certificates);
  }

  static void setCredentials(CURL* easy, const Credentials& credentials) {
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(easy, CURLOPT_USERNAME, credentials.username.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, credentials.password.c_str());
  }

  static Error describe(CURLcode code, const char* reason, const std::string& url) {
    const auto parsed = Url::parse(url);
    return {codeOf(code),
            fmt::format("{}: {}", parsed ? parsed->host : url, *reason == '\0' ? curl_easy_strerror(code) : reason)};
  }

  // --- authentication ---

  // Answers a challenge of the registry itself: afterwards `authorization_` or useBasic_ differ from before.
  Result<void> authenticate(const std::vector<std::string>& headers) {
    std::vector<Challenge> challenges;
    for (const std::string& header : headers) {
      for (Challenge& challenge : parseChallenges(header)) challenges.push_back(std::move(challenge));
    }
    for (const Challenge& challenge : challenges) {
      if (challenge.scheme == "bearer") return fetchToken(challenge);
    }
    for (const Challenge& challenge : challenges) {
      if (challenge.scheme != "basic") continue;
      if (!access_.credentials || useBasic_) break;
      useBasic_ = true;
      return {};
    }
    return Error(Code::PermissionDenied,
                 access_.credentials ? "the registry refuses these credentials" : "the registry wants credentials");
  }

  Result<void> fetchToken(const Challenge& challenge) {
    const auto value = [&](const std::string& name) {
      const auto found = challenge.parameters.find(name);
      return found == challenge.parameters.end() ? std::string() : found->second;
    };
    const std::string realm = value("realm");
    const auto where = Url::parse(realm);
    if (!where) return Error(Code::InvalidArgument, fmt::format("the registry names no token server but '{}'", realm));
    if (!isAllowed(*where)) {
      return Error(Code::PermissionDenied, fmt::format("the token server '{}' is not reached over https", realm));
    }
    std::string scope = value("scope");
    if (scope.empty()) scope = fmt::format("repository:{}:pull", access_.where.repository);
    std::string url =
        fmt::format("{}{}scope={}", realm, realm.find('?') == std::string::npos ? "?" : "&", escape(scope));
    if (const auto service = value("service"); !service.empty()) url += "&service=" + escape(service);
    TRY(const auto answer, shortRequest(url, access_.credentials).under("token server"));
    if (answer.status == 401 || answer.status == 403) {
      return Error(Code::PermissionDenied,
                   fmt::format("the token server {} refuses {}", where->host,
                               access_.credentials ? "these credentials" : "us without credentials"));
    }
    if (answer.status != 200) {
      return Error(Code::Unavailable, fmt::format("the token server {} answers {}", where->host, answer.status));
    }
    TRY(const std::string token, parseToken(answer.body));
    authorization_ = "Authorization: Bearer " + token;
    return {};
  }

  // --- transfers ---

  void startDue() {
    for (std::size_t i = 0; i < transfers_.size();) {
      Transfer& transfer = *transfers_[i];
      if (transfer.isRunning || transfer.isComplete || transfer.startAt > Clock::now()) {
        ++i;
        continue;
      }
      if (auto started = start(transfer); !started) {
        end(i, std::move(started).error());
        continue;
      }
      ++i;
    }
  }

  Result<void> start(Transfer& transfer) {
    TRY_VOID(findScheme());
    TRY_VOID(kernel::setNonBlocking(transfer.into));
    if (transfer.url.empty()) {
      transfer.url = fmt::format("{}://{}/v2/{}/{}/{}", scheme_, access_.where.host, access_.where.repository,
                                 transfer.kind == Kind::Manifest ? "manifests" : "blobs", transfer.target);
    }
    const auto url = Url::parse(transfer.url);
    if (!url) return Error(Code::InvalidArgument, fmt::format("'{}' is no URL", transfer.url.substr(0, 200)));
    transfer.easy.reset(curl_easy_init());
    ENSURE(transfer.easy != nullptr, "libcurl cannot be set up");
    CURL* easy = transfer.easy.get();
    transfer.errorBody.clear();
    transfer.authenticate.clear();
    transfer.reason[0] = '\0';
    setCommonOptions(easy, transfer.url, transfer.reason);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, kReceiveBuffer);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transport::receive);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transport::receiveHeader);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
    curl_slist* headers = nullptr;
    if (transfer.kind == Kind::Manifest) {
      for (const auto type :
           {oci::media::kOciIndex, oci::media::kDockerList, oci::media::kOciManifest, oci::media::kDockerManifest}) {
        headers = curl_slist_append(headers, fmt::format("Accept: {}", type).c_str());
      }
    }
    if (isRegistry(*url)) {
      if (!authorization_.empty()) headers = curl_slist_append(headers, authorization_.c_str());
      if (useBasic_) setCredentials(easy, *access_.credentials);
    }
    transfer.headers.reset(headers);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_multi_add_handle(multi_, easy);
    transfer.isRunning = true;
    return {};
  }

  void stop(Transfer& transfer) {
    if (!transfer.isRunning) return;
    curl_multi_remove_handle(multi_, transfer.easy.get());
    transfer.isRunning = false;
    transfer.isPaused = false;
  }

  void end(std::size_t index, Result<std::string> how) {
    stop(*transfers_[index]);
    const std::string id = transfers_[index]->id;
    // The pipe is closed first: whoever reads the news finds the end of the stream there.
    transfers_.erase(transfers_.begin() + static_cast<std::ptrdiff_t>(index));
    finished_(id, std::move(how));
  }

  static std::size_t receiveHeader(char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::string_view line(data, size * count);
    constexpr std::string_view kName = "www-authenticate:";
    if (line.size() > kName.size() && curl_strnequal(line.data(), kName.data(), kName.size()) != 0) {
      auto value = line.substr(kName.size());
      while (!value.empty() && (value.back() == '\r' || value.back() == '\n')) value.remove_suffix(1);
      transfer.authenticate.emplace_back(value);
    }
    return size * count;
  }

  static std::size_t receive(char* data, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::string_view bytes(data, size * count);
    long status = 0;
    curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
      transfer.errorBody += bytes.substr(0, kMaxShortAnswer - std::min(kMaxShortAnswer, transfer.errorBody.size()));
      return bytes.size();
    }
    if (!transfer.pending.empty()) {
      transfer.isPaused = true;
      return CURL_WRITEFUNC_PAUSE;
    }
    transfer.delivered = true;
    transfer.pending = bytes;
    flush(transfer);
    return transfer.readerLeft ? 0 : bytes.size();
  }

  // As much of `pending` as the pipe takes.
  static void flush(Transfer& transfer) {
    std::size_t done = 0;
    while (done < transfer.pending.size()) {
      const auto written = kernel::writeSome(transfer.into, std::string_view(transfer.pending).substr(done));
      if (!written) transfer.readerLeft = true;
      if (!written || !*written) break;
      done += **written;
    }
    transfer.pending.erase(0, done);
  }

  void flushAll() {
    for (std::size_t i = 0; i < transfers_.size();) {
      Transfer& transfer = *transfers_[i];
      if (!transfer.pending.empty()) flush(transfer);
      if (transfer.readerLeft) {
        end(i, Error(Code::Cancelled, "nobody reads this any more"));
        continue;
      }
      if (transfer.pending.empty() && transfer.isComplete) {
        const char* type = nullptr;
        curl_easy_getinfo(transfer.easy.get(), CURLINFO_CONTENT_TYPE, &type);
        end(i, std::string(type == nullptr ? "" : type));
        continue;
      }
      if (transfer.pending.empty() && transfer.isPaused) {
        transfer.isPaused = false;
        // May call receive() at once.
        curl_easy_pause(transfer.easy.get(), CURLPAUSE_CONT);
      }
      ++i;
    }
  }

  void collect() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      Transfer* transfer = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
      stop(*transfer);
      if (auto moved = advance(*transfer, code); !moved) end(indexOf(*transfer), std::move(moved).error());
    }
  }

  std::size_t indexOf(const Transfer& transfer) const {
    const auto found = std::ranges::find_if(transfers_, [&](const auto& each) { return each.get() == &transfer; });
    return static_cast<std::size_t>(found - transfers_.begin());
  }

  // The server's answer is over: success, another request for the same thing, or the end.
  Result<void> advance(Transfer& transfer, CURLcode code) {
    if (transfer.readerLeft) return Error(Code::Cancelled, "nobody reads this any more");
    long status = 0;
    curl_easy_getinfo(transfer.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
      const bool isTransient = codeOf(code) == Code::Unavailable && code != CURLE_COULDNT_RESOLVE_HOST;
      if (isTransient && !transfer.delivered && retry(transfer)) return {};
      return describe(code, transfer.reason, transfer.url);
    }
    if (status == 200) {
      transfer.isComplete = true;
      return {};
    }
    if (status >= 301 && status <= 308 && status != 304 && status != 305 && status != 306) return redirect(transfer);
    const auto url = Url::parse(transfer.url);
    if (status == 401 && url && isRegistry(*url) && transfer.challenges++ < 2) {
      TRY_VOID(authenticate(transfer.authenticate));
      return {};
    }
    if (isWorthRetrying(status) && retry(transfer)) return {};
    return describeStatus(transfer, status);
  }

  bool retry(Transfer& transfer) {
    if (++transfer.attempts >= kMaxAttempts) return false;
    transfer.startAt = Clock::now() + kFirstRetryDelay * (1 << transfer.attempts);
    // From the start: a redirect's target may be good for one request only.
    transfer.url.clear();
    transfer.redirects = 0;
    return true;
  }

  Result<void> redirect(Transfer& transfer) {
    if (++transfer.redirects > kMaxRedirects) {
      return Error(Code::Unavailable, fmt::format("{}: more than {} redirects", transfer.url, kMaxRedirects));
    }
    const char* location = nullptr;
    curl_easy_getinfo(transfer.easy.get(), CURLINFO_REDIRECT_URL, &location);
    const auto from = Url::parse(transfer.url);
    const auto to = location == nullptr ? std::nullopt : Url::parse(location);
    if (!to) {
      return Error(Code::PermissionDenied, fmt::format("{} redirects to '{}', which is not https", from->host,
                                                       location == nullptr ? "" : location));
    }
    if (!isAllowed(*to) || (from->scheme == "https" && to->scheme != "https")) {
      return Error(Code::PermissionDenied,
                   fmt::format("{} redirects to {}://{}, which is not https", from->host, to->scheme, to->host));
    }
    transfer.url = location;
    return {};
  }

  Error describeStatus(const Transfer& transfer, long status) const {
    std::string said = parseRegistryErrors(transfer.errorBody);
    if (!said.empty()) said = " (" + said.substr(0, 500) + ")";
    const std::string_view what = transfer.kind == Kind::Manifest ? "manifest" : "blob";
    const std::string where = fmt::format("{}/{}", access_.where.host, access_.where.repository);
    switch (status) {
      case 404:
        return {Code::NotFound, fmt::format("{} has no {} '{}'{}", where, what, transfer.target, said)};
      case 401:
      case 403:
        return {Code::PermissionDenied, fmt::format("{} does not exist or may not be pulled{}", where, said)};
      case 429:
        return {Code::Unavailable, fmt::format("{} asks us to slow down{}", where, said)};
      default:
        return {Code::Unavailable,
                fmt::format("{} answers {} for {} '{}'{}", where, status, what, transfer.target, said)};
    }
  }

  int nextDelay() const {
    constexpr auto kIdle = std::chrono::milliseconds(1000);
    auto delay = kIdle;
    const auto now = Clock::now();
    for (const auto& transfer : transfers_) {
      if (transfer->isRunning || transfer->isComplete) continue;
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(transfer->startAt - now);
      delay = std::clamp(left, std::chrono::milliseconds(0), delay);
    }
    return static_cast<int>(delay.count());
  }

  const Access access_;
  const Finished finished_;
  CURLM* multi_;
  std::vector<std::unique_ptr<Transfer>> transfers_;
  // "http" or "https", once known.
  std::string scheme_;
  std::string registryHost_;
  std::string authorization_;
  bool useBasic_ = false;
};

RegistryClient::RegistryClient(Access access, Finished finished)
    : transport_(std::make_unique<Transport>(std::move(access), std::move(finished))) {}
RegistryClient::~RegistryClient() = default;

void RegistryClient::fetch(std::string id, Kind kind, std::string target, kernel::Fd into) {
  transport_->add(std::move(id), kind, std::move(target), std::move(into));
}

Result<void> RegistryClient::run(const kernel::Fd& wake) {
  return transport_->run(wake);
}

}  // namespace gantry::fetcher
