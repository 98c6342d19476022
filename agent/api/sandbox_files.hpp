// Files in containers' sandboxes, for LIST_FILES, READ_FILE and the logs.
//
// A container writes what it likes into its sandbox: symlinks that lead out, devices, FIFOs, files that are swapped
// while we look. So a path is resolved by the kernel below the sandbox and never followed out of it, and nothing but
// regular files and directories is ever opened.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/containers/manager.hpp"
#include "agent/wire/response.hpp"
#include "base/result.hpp"
#include "kernel/fd.hpp"

namespace gantry::agent::api {

// What one READ_FILE returns at most: 16 pages.
constexpr std::size_t kMaxRead = 64U << 10U;

// `path` is a container's sandbox or something below it: "<work_dir>/containers/<id>/sandbox/stdout", or by the virtual
// name "/containers/<id>/stdout". Sorted by path. NotFound when there is nothing; InvalidArgument when it is not a
// directory or leads out of the sandbox.
Result<std::vector<wire::FileInfo>> listSandboxFiles(const std::vector<ContainerStatus>& containers,
                                                     const std::string& path);

struct FileContent {
  std::uint64_t size = 0;
  std::string data;
};
// Up to `length` (and kMaxRead) bytes from `offset`; none at and beyond the end. Errors likewise.
Result<FileContent> readSandboxFile(const std::vector<ContainerStatus>& containers, const std::string& path,
                                    std::uint64_t offset, std::optional<std::uint64_t> length);

// Opens `path` below `directory` for reading; `type` is S_IFREG or S_IFDIR. InvalidArgument when it is something else
// or leads out of the directory.
Result<kernel::Fd> openBelow(const kernel::Fd& directory, const std::string& path, unsigned type);

}  // namespace gantry::agent::api
