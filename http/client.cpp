#include "http/client.hpp"

#include <charconv>

#include <fmt/format.h>

#include "async/socket.hpp"
#include "http/codec.hpp"

namespace gantry::http {
namespace {

using async::Task;

constexpr std::size_t kPiece = 64U << 10U;
constexpr std::size_t kHeaderLimit = 64U << 10U;

// The connection of one exchange; its body reader holds it, too.
struct Wire {
  Wire(async::StreamPtr over, std::string asked)
      : stream(std::move(over)), method(std::move(asked)), parser(responseParser(kHeaderLimit, method == "HEAD")) {}

  async::StreamPtr stream;
  std::string method;
  std::unique_ptr<Parser> parser;
  std::string input;
  bool chunkedRequest = false;
};
using WirePtr = std::shared_ptr<Wire>;

// Parses what is there, or reads more.
Task<Result<void>> advance(WirePtr wire) {
  if (!wire->input.empty()) {
    CO_TRY(const std::size_t taken, wire->parser->put(wire->input));
    wire->input.erase(0, taken);
    if (taken > 0) co_return Result<void>();
  }
  CO_TRY(const std::string piece, co_await wire->stream->read(kPiece));
  wire->input += piece;
  if (!piece.empty()) co_return Result<void>();
  if (!wire->parser->headerDone())
    co_return Error(Code::Unavailable, "the server closed the connection without an answer");
  if (wire->parser->end()) co_return Result<void>();
  co_return Error(Code::Unavailable, "the server closed the connection inside its answer");
}

Task<Result<ResponseHead>> readHead(WirePtr wire) {
  while (true) {
    while (!wire->parser->headerDone()) CO_TRY_VOID(co_await advance(wire));
    ResponseHead head;
    head.status = wire->parser->status();
    head.headers = wire->parser->headers();
    // 100 Continue and its like come before the answer.
    if (head.status >= 200 || head.status == 101) co_return head;
    wire->parser = responseParser(kHeaderLimit, wire->method == "HEAD");
  }
}

Task<Result<std::string>> readPiece(WirePtr wire) {
  while (true) {
    std::string body = wire->parser->takeBody();
    if (!body.empty()) co_return body;
    if (wire->parser->done()) co_return std::string();
    CO_TRY_VOID(co_await advance(wire));
  }
}

class WireBody : public BodyReader {
 public:
  explicit WireBody(WirePtr wire) : wire_(std::move(wire)) {}
  Task<Result<std::string>> read() override { return readPiece(wire_); }
  void expectStream() override {}

 private:
  WirePtr wire_;
};

Task<Result<void>> writePiece(WirePtr wire, std::string piece) {
  if (piece.empty()) co_return Result<void>();
  std::string data = encodeChunk(piece);
  co_return co_await wire->stream->write(std::move(data));
}

Task<Result<void>> writeEnd(WirePtr wire) {
  std::string last(kLastChunk);
  co_return co_await wire->stream->write(std::move(last));
}

class WireExchange : public Exchange {
 public:
  explicit WireExchange(WirePtr wire) : wire_(std::move(wire)) {}
  WireExchange(const WireExchange&) = delete;
  WireExchange& operator=(const WireExchange&) = delete;
  ~WireExchange() override { WireExchange::close(); }

  Task<Result<void>> write(std::string piece) override {
    ENSURE(wire_->chunkedRequest, "write() on a request whose body is not streamed");
    return writePiece(wire_, std::move(piece));
  }
  Task<Result<void>> endBody() override {
    ENSURE(wire_->chunkedRequest, "endBody() on a request whose body is not streamed");
    return writeEnd(wire_);
  }
  Task<Result<ResponseHead>> response() override { return readHead(wire_); }
  BodyReaderPtr body() override { return std::make_shared<WireBody>(wire_); }
  void close() override { wire_->stream->close(); }

 private:
  WirePtr wire_;
};

std::string encodeRequest(const ClientRequest& request, const std::string& host) {
  Headers headers = request.headers;
  if (!headers.has("Host")) headers.set("Host", host);
  headers.set("Connection", "close");
  if (request.streamBody) {
    headers.set("Transfer-Encoding", "chunked");
  } else if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    headers.set("Content-Length", fmt::format("{}", request.body.size()));
  }
  std::string data = encodeHead(fmt::format("{} {} HTTP/1.1", request.method, request.target), headers);
  if (!request.body.empty()) data += request.streamBody ? encodeChunk(request.body) : request.body;
  return data;
}

Task<Result<ExchangePtr>> begin(async::StreamPtr stream, ClientRequest request, std::string host) {
  const auto wire = std::make_shared<Wire>(std::move(stream), request.method);
  wire->chunkedRequest = request.streamBody;
  std::string data = encodeRequest(request, host);
  const auto written = co_await wire->stream->write(std::move(data));
  // A server may answer and close before it has taken the whole request: its answer is what counts.
  if (!written && written.error().code() != Code::Unavailable) co_return written.error();
  co_return ExchangePtr(std::make_shared<WireExchange>(wire));
}

Result<std::uint16_t> parsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc() || stop != text.data() + text.size() || port == 0) {
    return Error(Code::InvalidArgument, fmt::format("'{}' is not a port", text));
  }
  return port;
}

}  // namespace

Result<Endpoint> parseEndpoint(std::string_view text) {
  constexpr std::string_view kUnix = "unix://";
  constexpr std::string_view kHttp = "http://";
  Endpoint endpoint;
  if (text.starts_with(kUnix)) {
    endpoint.unixPath = text.substr(kUnix.size());
    if (!endpoint.unixPath.starts_with('/')) {
      return Error(Code::InvalidArgument, fmt::format("'{}' does not name a socket by an absolute path", text));
    }
    return endpoint;
  }
  std::string_view rest = text;
  if (rest.starts_with(kHttp)) rest.remove_prefix(kHttp.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const std::size_t colon = rest.rfind(':');
  std::string_view host = rest.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (colon == std::string_view::npos || host.empty() || host.find('/') != std::string_view::npos) {
    return Error(Code::InvalidArgument,
                 fmt::format("'{}' is neither unix:///path nor http://host:port nor host:port", text));
  }
  TRY(endpoint.port, parsePort(rest.substr(colon + 1)));
  endpoint.host = host;
  return endpoint;
}

std::string toString(const Endpoint& endpoint) {
  if (!endpoint.unixPath.empty()) return "unix://" + endpoint.unixPath;
  const bool needsBrackets = endpoint.host.find(':') != std::string::npos;
  if (needsBrackets) return fmt::format("http://[{}]:{}", endpoint.host, endpoint.port);
  return fmt::format("http://{}:{}", endpoint.host, endpoint.port);
}

Task<Result<ExchangePtr>> exchange(Endpoint endpoint, ClientRequest request) {
  if (!endpoint.unixPath.empty()) {
    CO_TRY(async::StreamPtr stream, co_await async::connectUnix(endpoint.unixPath));
    std::string host = "localhost";
    co_return co_await begin(std::move(stream), std::move(request), std::move(host));
  }
  CO_TRY(async::StreamPtr stream, co_await async::connectTcp(endpoint.host, endpoint.port));
  std::string host = toString(endpoint).substr(std::string_view("http://").size());
  co_return co_await begin(std::move(stream), std::move(request), std::move(host));
}

Task<Result<ExchangePtr>> exchangeOver(async::StreamPtr stream, ClientRequest request) {
  return begin(std::move(stream), std::move(request), "localhost");
}

Task<Result<Response>> fetch(Endpoint endpoint, ClientRequest request, std::size_t limit) {
  CO_TRY(const ExchangePtr asked, co_await exchange(std::move(endpoint), std::move(request)));
  CO_TRY(ResponseHead head, co_await asked->response());
  BodyReaderPtr body = asked->body();
  Response response;
  response.status = head.status;
  response.headers = std::move(head.headers);
  CO_TRY(response.body, co_await readAll(std::move(body), limit));
  co_return response;
}

}  // namespace gantry::http
