#include "http/codec.hpp"

#include <algorithm>
#include <ctime>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/parser.hpp>

#include <fmt/format.h>

namespace gantry::http {
namespace {

namespace beast = boost::beast;

// A Beast "Body" that collects what has come since somebody took it.
struct PieceBody {
  using value_type = std::string;

  class reader {
   public:
    template <bool isRequest, class Fields>
    reader(beast::http::header<isRequest, Fields>& /*header*/, value_type& body) : body_(body) {}
    void init(const boost::optional<std::uint64_t>& /*length*/, beast::error_code& failure) { failure = {}; }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, beast::error_code& failure) {
      failure = {};
      std::size_t count = 0;
      for (const auto part : beast::buffers_range_ref(buffers)) {
        body_.append(static_cast<const char*>(part.data()), part.size());
        count += part.size();
      }
      return count;
    }
    void finish(beast::error_code& failure) { failure = {}; }

   private:
    value_type& body_;
  };
};

Error explain(const beast::error_code& failure, std::size_t headerLimit) {
  using beast::http::error;
  if (failure == error::header_limit) {
    return Error(Code::Exhausted, fmt::format("the header is larger than {} bytes", headerLimit));
  }
  if (failure == error::bad_version) return Error(Code::Unsupported, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  return Error(Code::InvalidArgument, fmt::format("malformed HTTP: {}", failure.message()));
}

template <bool isRequest>
class BeastParser : public Parser {
 public:
  BeastParser(std::size_t headerLimit, bool skipBody) : headerLimit_(headerLimit) {
    parser_.header_limit(static_cast<std::uint32_t>(headerLimit));
    // The body's limit is the reader's business: a handler may lift it.
    parser_.body_limit(boost::none);
    parser_.skip(skipBody);
  }

  Result<std::size_t> put(std::string_view input) override {
    if (failed_) return *failed_;
    std::size_t taken = 0;
    while (taken < input.size() && !parser_.is_done()) {
      const bool hadHeader = parser_.is_header_done();
      beast::error_code failure;
      const std::size_t count =
          parser_.put(boost::asio::const_buffer(input.data() + taken, input.size() - taken), failure);
      taken += count;
      if (failure && failure != beast::http::error::need_more) {
        failed_ = explain(failure, headerLimit_);
        return *failed_;
      }
      if (!hadHeader && parser_.is_header_done()) break;
      if (failure || count == 0) break;
    }
    return taken;
  }

  Result<void> end() override {
    if (failed_) return *failed_;
    beast::error_code failure;
    parser_.put_eof(failure);
    if (failure) return Error(Code::InvalidArgument, "the connection ended inside a message");
    return {};
  }

  bool headerDone() const override { return parser_.is_header_done(); }
  bool done() const override { return parser_.is_done(); }
  std::string takeBody() override { return std::exchange(parser_.get().body(), {}); }

  std::string method() const override {
    if constexpr (isRequest) return std::string(parser_.get().method_string());
    return {};
  }
  std::string target() const override {
    if constexpr (isRequest) return std::string(parser_.get().target());
    return {};
  }
  int status() const override {
    if constexpr (!isRequest) return static_cast<int>(parser_.get().result_int());
    return 0;
  }
  Headers headers() const override {
    Headers headers;
    for (const auto& field : parser_.get()) headers.add(std::string(field.name_string()), std::string(field.value()));
    return headers;
  }
  bool isHttp11() const override { return parser_.get().version() == 11; }
  bool keepAlive() const override { return parser_.is_header_done() && parser_.keep_alive(); }
  std::optional<std::uint64_t> contentLength() const override {
    const auto length = parser_.content_length();
    return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
  }

 private:
  std::size_t headerLimit_;
  beast::http::parser<isRequest, PieceBody> parser_;
  std::optional<Error> failed_;
};

void appendOneLine(std::string& into, std::string_view text) {
  const std::size_t begin = into.size();
  into.append(text);
  std::replace_if(
      into.begin() + static_cast<std::ptrdiff_t>(begin), into.end(),
      [](char letter) { return letter == '\r' || letter == '\n' || letter == '\0'; }, ' ');
}

}  // namespace

std::unique_ptr<Parser> requestParser(std::size_t headerLimit) {
  return std::make_unique<BeastParser<true>>(headerLimit, false);
}

std::unique_ptr<Parser> responseParser(std::size_t headerLimit, bool toHead) {
  return std::make_unique<BeastParser<false>>(headerLimit, toHead);
}

std::string encodeHead(std::string_view firstLine, const Headers& headers) {
  std::string head;
  appendOneLine(head, firstLine);
  head += "\r\n";
  for (const auto& [name, value] : headers.all()) {
    appendOneLine(head, name);
    head += ": ";
    appendOneLine(head, value);
    head += "\r\n";
  }
  head += "\r\n";
  return head;
}

std::string encodeChunk(std::string_view data) {
  std::string chunk = fmt::format("{:x}\r\n", data.size());
  chunk.reserve(chunk.size() + data.size() + 2);
  chunk.append(data);
  chunk += "\r\n";
  return chunk;
}

std::string httpDate() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[64];
  // The C locale's names, as the standard wants: nobody in these programs calls setlocale.
  const std::size_t length = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return std::string(text, length);
}

}  // namespace gantry::http
