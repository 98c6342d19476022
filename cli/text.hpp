// Tables, sizes and ages as the user reads them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gantry::cli {

// Columns padded to their widest cell, three spaces apart; the first row is the header. Ends with a line feed.
std::string table(const std::vector<std::vector<std::string>>& rows);

// At most `width` characters, the last three of a longer text being dots.
std::string shortened(const std::string& text, std::size_t width);

// "2026-01-02T03:04:05.678Z"; nothing for anything else.
std::optional<std::chrono::system_clock::time_point> parseTime(const std::string& text);
// "5 seconds", "3 minutes", "2 days".
std::string age(std::chrono::system_clock::duration duration);

// "sha256:0123456789ab…" to "0123456789ab".
std::string shortDigest(const std::string& digest);

}  // namespace gantry::cli
