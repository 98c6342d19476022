// One image's record on disk: the image as the fetcher answered, and when (the file's modification time).
#pragma once

#include <string>

#include "agent/images/store.hpp"
#include "base/result.hpp"

namespace gantry::agent {

// The file name for a canonical reference: what is no letter, digit, '.', '_' or '-' is written as %XX; a long one is
// cut and gets a hash at its end. Which image a record is of is said by its content.
std::string recordName(const std::string& reference);

Result<ImageStore::Entry> readRecord(const std::string& path);
// Durable when it returns.
Result<ImageStore::Entry> writeRecord(const std::string& path, const fetcher::Image& image);

}  // namespace gantry::agent
