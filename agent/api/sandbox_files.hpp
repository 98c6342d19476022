// Files in sandboxes, and the agent's log, for LIST_FILES, READ_FILE, /files/… and the logs.
//
// A container writes what it likes into its sandbox: symlinks that lead out, devices, FIFOs, files that are swapped
// while we look. So a path is resolved by the kernel below the sandbox and never followed out of it, and nothing but
// regular files and directories is ever opened.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/api/attachments.hpp"
#include "agent/wire/response.hpp"
#include "base/result.hpp"
#include "http/message.hpp"
#include "kernel/fd.hpp"

namespace gantry::agent::api {

// What one READ_FILE returns at most: 16 pages.
constexpr std::size_t kMaxRead = 64U << 10U;

// What is in the directory `path`, which is attached or below something that is; the longest name that is attached
// counts. Sorted by path. NotFound when there is nothing; InvalidArgument when it is not a directory or leads out of
// what is attached.
Result<std::vector<wire::FileInfo>> listFiles(const Attachments& attachments, const std::string& path);

struct FileContent {
  std::uint64_t size = 0;
  std::string data;
};
// Up to `length` (and kMaxRead) bytes from `offset`; none at and beyond the end. Errors likewise.
Result<FileContent> readFileAt(const Attachments& attachments, const std::string& path, std::uint64_t offset,
                               std::optional<std::uint64_t> length);

// Opens the file for reading. Errors likewise.
Result<kernel::Fd> openFile(const Attachments& attachments, const std::string& path);

// An error of the functions above: 404, 500 for Internal, otherwise 400.
http::Response fileFailure(const Error& error);

// Opens `path` below `directory` for reading; `type` is S_IFREG or S_IFDIR. InvalidArgument when it is something else
// or leads out of the directory.
Result<kernel::Fd> openBelow(const kernel::Fd& directory, const std::string& path, unsigned type);

}  // namespace gantry::agent::api
