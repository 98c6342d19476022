#include "agent/api/file_paths.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "agent/api/reply.hpp"
#include "agent/api/sandbox_files.hpp"
#include "kernel/io.hpp"

namespace gantry::agent::api {
namespace {

using json = nlohmann::ordered_json;

std::string dumped(const json& value) {
  // Files and their names hold any bytes.
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<std::string> pathOf(const http::Request& request) {
  const auto found = request.query.find("path");
  if (found == request.query.end() || found->second.empty()) return Error::invalid("path", "is required");
  return found->second;
}

// Nothing for -1 and when it is missing.
Result<std::optional<std::uint64_t>> numberOf(const http::Request& request, const std::string& name) {
  const auto found = request.query.find(name);
  if (found == request.query.end() || found->second == "-1") return std::optional<std::uint64_t>();
  const std::string& text = found->second;
  std::uint64_t number = 0;
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc() || stop != text.data() + text.size()) {
    return Error::invalid(name, fmt::format("must be a whole number from -1 on, not '{}'", text));
  }
  return std::optional<std::uint64_t>(number);
}

// "drwxr-xr-x", as ls(1) has it.
std::string modeText(std::uint32_t mode) {
  constexpr std::array<std::pair<mode_t, char>, 7> kTypes = {{{S_IFDIR, 'd'},
                                                              {S_IFLNK, 'l'},
                                                              {S_IFCHR, 'c'},
                                                              {S_IFBLK, 'b'},
                                                              {S_IFIFO, 'p'},
                                                              {S_IFSOCK, 's'},
                                                              {S_IFREG, '-'}}};
  constexpr std::string_view kBits = "rwxrwxrwx";
  const auto* const type = std::ranges::find(kTypes, mode & S_IFMT, &std::pair<mode_t, char>::first);
  std::string text(1, type == kTypes.end() ? '-' : type->second);
  for (std::size_t i = 0; i < kBits.size(); ++i) text += (mode & (0400U >> i)) != 0 ? kBits[i] : '-';
  if ((mode & S_ISUID) != 0) text[3] = (mode & S_IXUSR) != 0 ? 's' : 'S';
  if ((mode & S_ISGID) != 0) text[6] = (mode & S_IXGRP) != 0 ? 's' : 'S';
  if ((mode & S_ISVTX) != 0) text[9] = (mode & S_IXOTH) != 0 ? 't' : 'T';
  return text;
}

json infoJson(const wire::FileInfo& file) {
  return {{"gid", file.group},
          {"mode", modeText(file.mode)},
          {"mtime", std::chrono::duration<double>(file.modified).count()},
          {"nlink", file.links},
          {"path", file.path},
          {"size", file.size},
          {"uid", file.user}};
}

std::string contentType(const std::string& name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kTypes = {{{".css", "text/css"},
                                                                                    {".gif", "image/gif"},
                                                                                    {".gz", "application/gzip"},
                                                                                    {".html", "text/html"},
                                                                                    {".jpg", "image/jpeg"},
                                                                                    {".json", "application/json"},
                                                                                    {".png", "image/png"},
                                                                                    {".txt", "text/plain"},
                                                                                    {".xml", "application/xml"}}};
  for (const auto& [ending, type] : kTypes) {
    if (name.ends_with(ending)) return std::string(type);
  }
  return "application/octet-stream";
}

// As a quoted string in a header. A container chooses its files' names.
std::string quotedName(std::string name) {
  std::ranges::replace_if(
      name, [](unsigned char letter) { return letter < 0x20 || letter == 0x7f || letter == '"' || letter == '\\'; },
      '_');
  return "\"" + name + "\"";
}

}  // namespace

void FilePaths::addRoutes(http::Router& router) {
  router.add("GET", "/files/browse", [this](http::RequestPtr request, http::ResponderPtr responder) {
    return reply(std::move(responder), browse(*request));
  });
  router.add("GET", "/files/read", [this](http::RequestPtr request, http::ResponderPtr responder) {
    return reply(std::move(responder), read(*request));
  });
  router.add("GET", "/files/download", [this](http::RequestPtr request, http::ResponderPtr responder) {
    return download(std::move(request), std::move(responder));
  });
  router.add("GET", "/files/debug", [this](http::RequestPtr request, http::ResponderPtr responder) {
    return reply(std::move(responder), jsonResponse(*request, dumped(json(attachments()))));
  });
}

Attachments FilePaths::attachments() const {
  return attachmentsOf(containers_.list(), settings_.tasks(), settings_.externalLogFile);
}

http::Response FilePaths::browse(const http::Request& request) const {
  const auto path = pathOf(request);
  if (!path) return fileFailure(path.error());
  const auto files = listFiles(attachments(), *path);
  if (!files) return fileFailure(files.error());
  json list = json::array();
  for (const wire::FileInfo& file : *files) list.push_back(infoJson(file));
  return jsonResponse(request, dumped(list));
}

http::Response FilePaths::read(const http::Request& request) const {
  const auto path = pathOf(request);
  if (!path) return fileFailure(path.error());
  const auto offset = numberOf(request, "offset");
  if (!offset) return fileFailure(offset.error());
  const auto length = numberOf(request, "length");
  if (!length) return fileFailure(length.error());
  auto content = readFileAt(attachments(), *path, offset->value_or(0), *offset ? *length : 0);
  if (!content) return fileFailure(content.error());
  return jsonResponse(request, dumped({{"data", content->data}, {"offset", offset->value_or(content->size)}}));
}

async::Task<> FilePaths::download(http::RequestPtr request, http::ResponderPtr responder) {
  const auto path = pathOf(*request);
  auto file = path ? openFile(attachments(), *path) : Result<kernel::Fd>(path.error());
  if (!file) {
    co_await reply(std::move(responder), fileFailure(file.error()));
    co_return;
  }
  const std::string name = path->substr(path->rfind('/') + 1);
  http::Response head(200, contentType(name), "");
  head.headers.set("Content-Disposition", "attachment; filename=" + quotedName(name));
  const auto shared = std::make_shared<kernel::Fd>(*std::move(file));
  ignore(co_await send(shared, std::move(head), std::move(responder)), "the client sees that the file is cut off");
}

async::Task<Result<void>> FilePaths::send(std::shared_ptr<kernel::Fd> file, http::Response head,
                                          http::ResponderPtr responder) {
  CO_TRY_VOID(co_await responder->begin(std::move(head)));
  std::uint64_t offset = 0;
  while (true) {
    CO_TRY(std::string piece, kernel::readFrom(*file, offset, kMaxRead));
    if (piece.empty()) break;
    offset += piece.size();
    CO_TRY_VOID(co_await responder->write(std::move(piece)));
  }
  co_return co_await responder->end();
}

}  // namespace gantry::agent::api
