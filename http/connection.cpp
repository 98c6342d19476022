#include "http/connection.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "http/codec.hpp"
#include "http/compression.hpp"

namespace gantry::http {
namespace {

using async::Duration;
using async::Task;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPiece = 64U << 10U;
// What a client may send ahead while its current request is served.
constexpr std::size_t kReadAhead = 64U << 10U;
// How much of an unread body is read and dropped to keep a connection.
constexpr std::size_t kDrain = 256U << 10U;
// How much, and for how long, before it is closed: many clients look for our answer only when they have sent
// everything.
constexpr std::size_t kLingerBytes = 256U << 20U;
constexpr Duration kLinger = std::chrono::seconds(2);

// One request and its response on a connection.
struct Turn {
  Turn(std::shared_ptr<Connection> on, const async::Executor& executor)
      : connection(std::move(on)), parser(requestParser(connection->service->limits.header)), bodyDone(executor) {}

  std::shared_ptr<Connection> connection;
  std::unique_ptr<Parser> parser;
  Clock::time_point began = Clock::now();

  // Of the request.
  std::string method;
  bool wantsContinue = false;
  bool takesGzip = false;
  bool expectsStream = false;
  bool isMessage = false;
  std::uint64_t bodyRead = 0;
  async::Event bodyDone;

  // Of the response.
  enum class Answer { None, Streaming, Complete, Failed };
  Answer answer = Answer::None;
  bool chunked = false;
  int status = 0;

  // The handler has ended; what it kept of the request is of no use any more.
  bool over = false;

  bool isHead() const { return method == "HEAD"; }
};
using TurnPtr = std::shared_ptr<Turn>;

Error clientGone() {
  return Error(Code::Unavailable, "the client is gone");
}

// Lets the parser take what is there. False when it needs more.
Result<bool> parseInput(Turn& turn) {
  std::string& input = turn.connection->input;
  if (input.empty()) return turn.parser->done();
  TRY(const std::size_t taken, turn.parser->put(input));
  input.erase(0, taken);
  if (turn.parser->headerDone() && turn.parser->done()) turn.bodyDone.set();
  return taken > 0;
}

// ---- the request's body

Task<Result<std::string>> readPiece(TurnPtr turn) {
  async::ByteStream* const stream = turn->connection->stream.get();
  Task<Result<std::string>> reading = stream->read(kPiece);
  if (turn->expectsStream) co_return co_await std::move(reading);
  co_return co_await async::withTimeout(turn->connection->service->limits.progress, std::move(reading));
}

Result<void> checkBodySize(const Turn& turn) {
  if (turn.expectsStream) return {};
  const ServerLimits& limits = turn.connection->service->limits;
  const std::size_t limit = turn.isMessage ? limits.message : limits.body;
  if (turn.parser->contentLength().value_or(0) <= limit && turn.bodyRead <= limit) return {};
  return Error(Code::Exhausted, fmt::format("the body is larger than {}", toString(Bytes{limit})));
}

Task<Result<std::string>> readBody(TurnPtr turn) {
  if (turn->over) co_return Error(Code::Unavailable, "the request has ended");
  CO_TRY_VOID(checkBodySize(*turn));
  if (turn->wantsContinue && turn->answer == Turn::Answer::None) {
    std::string goOn = "HTTP/1.1 100 Continue\r\n\r\n";
    CO_TRY_VOID(co_await turn->connection->stream->write(std::move(goOn)));
  }
  turn->wantsContinue = false;
  while (true) {
    CO_TRY(const bool progressed, parseInput(*turn));
    std::string body = turn->parser->takeBody();
    turn->bodyRead += body.size();
    CO_TRY_VOID(checkBodySize(*turn));
    if (!body.empty()) co_return body;
    if (turn->parser->done()) co_return std::string();
    if (progressed && !turn->connection->input.empty()) continue;
    CO_TRY(const std::string piece, co_await readPiece(turn));
    if (piece.empty()) co_return Error(Code::Unavailable, "the client closed the connection inside the body");
    turn->connection->input += piece;
  }
}

class TurnBody : public BodyReader {
 public:
  explicit TurnBody(TurnPtr turn) : turn_(std::move(turn)) {}
  Task<Result<std::string>> read() override { return readBody(turn_); }
  void expectStream() override { turn_->expectsStream = true; }

 private:
  TurnPtr turn_;
};

// ---- the response

// The head as it goes out: ours are the fields that frame the message.
std::string encodeResponseHead(const Turn& turn, const Response& response, std::string_view framing) {
  std::string head = encodeHead(fmt::format("HTTP/1.1 {} {}", response.status, reasonPhrase(response.status)), [&] {
    Headers headers = response.headers;
    headers.set("Date", httpDate());
    if (turn.connection->closing) headers.set("Connection", "close");
    return headers;
  }());
  head.insert(head.size() - 2, framing);
  return head;
}

Task<Result<void>> writeOut(TurnPtr turn, std::string data) {
  if (turn->answer == Turn::Answer::Failed || turn->over) co_return clientGone();
  auto written = co_await turn->connection->stream->write(std::move(data));
  if (!written) {
    turn->answer = Turn::Answer::Failed;
    turn->connection->closing = true;
  }
  co_return written;
}

// Before a response begins: Unavailable when there is nobody to answer.
Result<void> mayBegin(const Turn& turn) {
  if (turn.answer == Turn::Answer::Failed || turn.over) return clientGone();
  ENSURE(turn.answer == Turn::Answer::None, "a second response to one request");
  return {};
}

// Of whole answers only: a stream's records are to arrive when they are written.
void compressFor(const Turn& turn, Response& response) {
  if (!turn.takesGzip || response.body.size() < kLeastToCompress || response.headers.has("Content-Encoding")) return;
  response.body = gzip(response.body);
  response.headers.set("Content-Encoding", "gzip");
}

Task<Result<void>> sendWhole(TurnPtr turn, Response response) {
  CO_TRY_VOID(mayBegin(*turn));
  turn->status = response.status;
  compressFor(*turn, response);
  if (!turn->parser->keepAlive()) turn->connection->closing = true;
  const bool bodyless = response.status == 204 || response.status == 304;
  const std::string framing = bodyless ? "" : fmt::format("Content-Length: {}\r\n", response.body.size());
  std::string data = encodeResponseHead(*turn, response, framing);
  if (!bodyless && !turn->isHead()) data += response.body;
  turn->answer = Turn::Answer::Complete;
  // A handler that was cancelled (the server stops) may still say so.
  Task<Result<void>> writing = writeOut(turn, std::move(data));
  Task<Result<void>> bounded = async::withTimeout(turn->connection->service->limits.progress, std::move(writing));
  co_return co_await async::shield(std::move(bounded));
}

Task<Result<void>> streamPiece(TurnPtr turn, std::string piece) {
  ENSURE(turn->answer == Turn::Answer::Streaming || turn->answer == Turn::Answer::Failed,
         "write() needs begin() before it");
  if (piece.empty() || turn->isHead()) co_return Result<void>();
  std::string data = turn->chunked ? encodeChunk(piece) : std::move(piece);
  co_return co_await writeOut(turn, std::move(data));
}

Task<Result<void>> beginStream(TurnPtr turn, Response head) {
  CO_TRY_VOID(mayBegin(*turn));
  turn->status = head.status;
  turn->chunked = turn->parser->isHttp11();
  if (!turn->chunked || !turn->parser->keepAlive()) turn->connection->closing = true;
  std::string data = encodeResponseHead(*turn, head, turn->chunked ? "Transfer-Encoding: chunked\r\n" : "");
  if (!head.body.empty() && !turn->isHead()) data += turn->chunked ? encodeChunk(head.body) : head.body;
  turn->answer = Turn::Answer::Streaming;
  co_return co_await writeOut(turn, std::move(data));
}

Task<Result<void>> endStream(TurnPtr turn) {
  ENSURE(turn->answer == Turn::Answer::Streaming || turn->answer == Turn::Answer::Failed,
         "end() needs begin() before it");
  if (turn->chunked && !turn->isHead()) {
    std::string last(kLastChunk);
    CO_TRY_VOID(co_await writeOut(turn, std::move(last)));
  }
  if (turn->answer == Turn::Answer::Streaming) turn->answer = Turn::Answer::Complete;
  co_return Result<void>();
}

class TurnResponder : public Responder {
 public:
  explicit TurnResponder(TurnPtr turn) : turn_(std::move(turn)) {}
  Task<Result<void>> send(Response response) override { return sendWhole(turn_, std::move(response)); }
  Task<Result<void>> begin(Response head) override { return beginStream(turn_, std::move(head)); }
  Task<Result<void>> write(std::string piece) override { return streamPiece(turn_, std::move(piece)); }
  Task<Result<void>> end() override { return endStream(turn_); }
  bool hasBegun() const override { return turn_->answer != Turn::Answer::None; }

 private:
  TurnPtr turn_;
};

// ---- one request after the other

// "chunked" is the one coding we take. Of a body in another one we would not find the end, and could be made to take it
// for the next request (RFC 9112, 6.1).
Result<void> checkFraming(const Headers& headers) {
  std::size_t codings = 0;
  for (const auto& [name, value] : headers.all()) {
    if (!sameWord(name, "Transfer-Encoding")) continue;
    if (++codings > 1 || !sameWord(value, "chunked")) {
      return Error(Code::InvalidArgument, fmt::format("the Transfer-Encoding '{}' is not spoken here", value));
    }
  }
  return {};
}

// Reads until the header is complete. False: the connection ended, or stayed idle, before a request began.
Task<Result<bool>> readHeader(TurnPtr turn) {
  Connection& connection = *turn->connection;
  const ServerLimits& limits = connection.service->limits;
  std::optional<Clock::time_point> deadline;
  while (true) {
    // Some clients end a body with a line end that nobody asked for (RFC 9112, 2.2).
    while (!deadline && connection.input.starts_with("\r\n")) connection.input.erase(0, 2);
    if (!connection.input.empty()) {
      if (!deadline) {
        deadline = Clock::now() + limits.progress;
        turn->began = Clock::now();
        connection.idle = false;
      }
      CO_TRY_VOID(parseInput(*turn));
      if (turn->parser->headerDone()) {
        CO_TRY_VOID(checkFraming(turn->parser->headers()));
        co_return true;
      }
    }
    Task<Result<std::string>> reading = connection.stream->read(kPiece);
    if (!deadline && !connection.carriesMessages) reading = async::withTimeout(limits.idle, std::move(reading));
    if (deadline) reading = async::withTimeout(*deadline - Clock::now(), std::move(reading));
    auto piece = co_await std::move(reading);
    if (!piece && piece.error().code() == Code::Timeout && deadline) {
      co_return Error(Code::Timeout, "the request's header did not come in time");
    }
    if (!piece || piece->empty()) co_return false;
    connection.input += *piece;
  }
}

// "/a/b" of "/a/b", of "http://host/a/b" and of "*".
Result<std::string_view> pathAndQuery(std::string_view target) {
  if (target.starts_with('/') || target == "*") return target;
  const std::size_t scheme = target.find("://");
  if (scheme == std::string_view::npos) return Error(Code::InvalidArgument, "the request's target is not a path");
  const std::size_t slash = target.find('/', scheme + 3);
  return slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
}

// The request of a complete header, and the segments of its path.
Result<std::vector<std::string>> readRequest(const Turn& turn, Request& request) {
  request.target = turn.parser->target();
  request.peer = turn.connection->stream->peer();
  if (turn.parser->isHttp11() && !request.headers.has("Host")) {
    return Error(Code::InvalidArgument, "the Host header is missing");
  }
  TRY(std::string_view target, pathAndQuery(request.target));
  target = target.substr(0, target.find('#'));
  const std::size_t question = target.find('?');
  if (question != std::string_view::npos) {
    TRY(request.query, parseQuery(target.substr(question + 1)));
  }
  TRY(auto segments, splitPath(target.substr(0, question)));
  for (const std::string& segment : segments) request.path += "/" + segment;
  if (request.path.empty()) request.path = "/";
  return segments;
}

Response methodNotAllowed(const std::vector<std::string>& allowed) {
  Response response = textResponse(405, fmt::format("this path takes {}", fmt::join(allowed, ", ")));
  response.headers.set("Allow", fmt::format("{}", fmt::join(allowed, ", ")));
  return response;
}

// What stands in for a handler when there is none to call.
std::optional<Response> answerWithoutHandler(const Service& service, const Request& request,
                                             const Router::Match& match) {
  if (service.gate) {
    if (auto closed = service.gate(request)) return closed;
  }
  if (match.handler != nullptr) return std::nullopt;
  if (!match.allowed.empty()) return methodNotAllowed(match.allowed);
  return textResponse(404, fmt::format("there is nothing at '{}'", request.path));
}

// Beside the handler: reads ahead, and cancels it when the client goes away.
Task<> watchClient(TurnPtr turn, async::Scope* handler) {
  const auto bodyRead = co_await turn->bodyDone.wait();
  if (!bodyRead) co_return;
  Connection& connection = *turn->connection;
  while (connection.input.size() < kReadAhead) {
    const auto piece = co_await connection.stream->read(kPiece);
    if (!piece && piece.error().code() == Code::Cancelled) co_return;
    if (!piece || piece->empty()) {
      turn->answer = turn->answer == Turn::Answer::Complete ? Turn::Answer::Complete : Turn::Answer::Failed;
      connection.closing = true;
      handler->cancel();
      co_return;
    }
    connection.input += *piece;
  }
}

Task<> runHandler(TurnPtr turn, Handler handler, RequestPtr request) {
  const async::Executor executor = co_await async::currentExecutor();
  const auto responder = std::make_shared<TurnResponder>(turn);
  async::Scope handling(executor);
  async::Scope watching(executor);
  handling.spawn(handler(std::move(request), responder));
  watching.spawn(watchClient(turn, &handling));
  co_await handling.join();
  watching.cancel();
  co_await watching.join();
}

// Drops the rest of the body. False when there is too much of it, or it does not come.
Task<bool> skipBody(TurnPtr turn) {
  if (turn->parser->done()) co_return true;
  if (turn->wantsContinue) co_return false;
  const std::uint64_t alreadyRead = turn->bodyRead;
  turn->expectsStream = true;
  while (turn->bodyRead - alreadyRead < kDrain) {
    Task<Result<std::string>> reading = readBody(turn);
    const auto piece = co_await async::withTimeout(kLinger, std::move(reading));
    if (!piece) co_return false;
    if (piece->empty()) co_return true;
  }
  co_return false;
}

void report(const Turn& turn, const Request& request) {
  const auto& observer = turn.connection->service->observer;
  if (!observer) return;
  observer(Served{request.method, request.path, turn.status, Clock::now() - turn.began});
}

int statusOfHeaderError(const Error& error) {
  if (error.code() == Code::Exhausted) return 431;
  if (error.code() == Code::Timeout) return 408;
  return error.code() == Code::Unsupported ? 505 : 400;
}

// Reads a message and hands it over. What it returns is to be sent; nothing: the sender wants no answer.
Task<std::optional<Response>> takeMessage(TurnPtr turn, std::shared_ptr<Request> request) {
  turn->isMessage = true;
  turn->connection->carriesMessages = true;
  Message message;
  message.target = turn->parser->target();
  message.headers = request->headers;
  message.peer = turn->connection->stream->peer();
  const BodyReaderPtr body = std::make_shared<TurnBody>(turn);
  auto text = co_await readAll(body, kServersLimit);
  if (!text) co_return bodyErrorResponse(text.error());
  message.body = std::move(*text);
  auto response = turn->connection->service->messages->receive(std::move(message));
  if (!response) {
    turn->answer = Turn::Answer::Complete;
    if (!turn->parser->keepAlive()) turn->connection->closing = true;
  }
  co_return response;
}

// Calls the handler of a request whose header is complete. What it returns is to be sent in the handler's place.
Task<std::optional<Response>> answerRequest(TurnPtr turn, std::shared_ptr<Request> request) {
  const Service& service = *turn->connection->service;
  turn->method = turn->parser->method();
  request->method = turn->method;
  request->headers = turn->parser->headers();
  turn->takesGzip = acceptsGzip(request->headers.find("Accept-Encoding"));
  turn->wantsContinue = turn->parser->isHttp11() && request->headers.find("Expect") == "100-continue";
  if (service.messages != nullptr && turn->method == "POST" && service.messages->takes(request->headers)) {
    co_return co_await takeMessage(turn, request);
  }
  const auto segments = readRequest(*turn, *request);
  if (!segments) co_return textResponse(400, segments.error().message());
  Router::Match match = service.router.find(request->method, *segments);
  if (auto response = answerWithoutHandler(service, *request, match)) co_return response;

  request->parameters = std::move(match.parameters);
  request->body = std::make_shared<TurnBody>(turn);
  Handler handler = *match.handler;
  co_await runHandler(turn, std::move(handler), request);
  if (turn->answer != Turn::Answer::None) co_return std::nullopt;
  const bool stopping = co_await async::isCancelled();
  if (stopping) co_return textResponse(503, "the server is stopping");
  co_return textResponse(500, "the request was not answered");
}

// One request. False when the connection is to be closed.
Task<bool> serveTurn(std::shared_ptr<Connection> connection) {
  const async::Executor executor = co_await async::currentExecutor();
  const auto turn = std::make_shared<Turn>(connection, executor);
  const auto request = std::make_shared<Request>();
  connection->idle = true;
  const auto header = co_await readHeader(turn);
  connection->idle = false;
  if (header && !*header) co_return false;

  std::optional<Response> instead;
  if (header) {
    instead = co_await answerRequest(turn, request);
  } else {
    connection->closing = true;
    instead = textResponse(statusOfHeaderError(header.error()), header.error().message());
  }
  if (instead) {
    ignore(co_await sendWhole(turn, std::move(*instead)), "a client that is gone needs no answer");
  }
  bool more = turn->answer == Turn::Answer::Complete && !connection->closing;
  if (more) more = co_await skipBody(turn);
  turn->over = true;
  if (!turn->isMessage) report(*turn, *request);
  co_return more;
}

// Closing with unread input makes the kernel reset the connection, and the client may lose our last answer.
Task<Result<void>> linger(std::shared_ptr<Connection> connection) {
  connection->stream->closeWrite();
  std::size_t dropped = 0;
  while (dropped < kLingerBytes) {
    CO_TRY(const std::string piece, co_await connection->stream->read(kPiece));
    if (piece.empty()) break;
    dropped += piece.size();
  }
  co_return Result<void>();
}

}  // namespace

Task<> serveConnection(std::shared_ptr<Connection> connection) {
  bool more = true;
  while (more) more = co_await serveTurn(connection);
  const Duration patience = std::min(kLinger, connection->service->limits.progress);
  Task<Result<void>> lingering = linger(connection);
  ignore(co_await async::withTimeout(patience, std::move(lingering)), "the client had its time");
  connection->stream->close();
}

}  // namespace gantry::http
