#include "runtime/cgroup_files.hpp"

#include <fcntl.h>

#include <algorithm>

#include <fmt/format.h>

#include "kernel/file.hpp"

namespace gantry::runtime {

Result<kernel::Fd> openGroup(const std::string& directory) {
  return kernel::open(directory, O_PATH | O_DIRECTORY);
}

std::string textOf(const std::string& directory, const std::string& file) {
  std::string text = kernel::readFile(fmt::format("{}/{}", directory, file)).value_or("");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string parentOf(const std::string& directory) {
  return directory.substr(0, directory.rfind('/'));
}

std::vector<std::string> splitWords(std::string_view text, char separator) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (!word.empty()) words.emplace_back(word);
  }
  return words;
}

bool contains(const std::vector<std::string>& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

const CgroupGroup* groupWith(const std::vector<CgroupGroup>& groups, std::string_view controller) {
  for (const CgroupGroup& group : groups) {
    if (!group.isV2() && contains(splitWords(group.hierarchy, ','), controller)) return &group;
  }
  if (groups.empty() || !groups.back().isV2()) return nullptr;
  const CgroupGroup& unified = groups.back();
  if (controller == "cgroup") return &unified;
  const std::string available = textOf(unified.directory, "cgroup.controllers");
  return contains(splitWords(available, ' '), controller) ? &unified : nullptr;
}

}  // namespace gantry::runtime
