// What a URI means: where its content comes from, what the file is called, and whether it is unpacked. Nothing here
// touches a file or the network.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "fetcher/pull/layer_path.hpp"
#include "fetcher/uri_messages.hpp"

namespace gantry::fetcher {

// How a file's name says that it is packed. The content of an archive is told by its first bytes.
enum class Packing {
  None,
  // Tar, of whatever compression, or zip.
  Archive,
  // One compressed file: .gz or .zst.
  File,
};
Packing packingOf(std::string_view name);
// "report.csv" of "report.csv.gz".
std::string unpackedName(std::string_view name);

struct Target {
  enum class Source { Local, Http, Ftp };

  Source source = Source::Local;
  // An absolute path, or a URL for libcurl.
  std::string location;
  // In the sandbox.
  LayerPath path;
  // None when it is executable or not to be extracted.
  Packing packing = Packing::None;

  bool operator==(const Target&) const = default;
};

// Unsupported names a scheme that is not spoken here; InvalidArgument says what else is wrong with the URI or its
// output_file.
Result<Target> targetOf(const Uri& uri, std::string_view frameworksHome);

}  // namespace gantry::fetcher
