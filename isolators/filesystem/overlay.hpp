// Mounting an overlayfs.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace gantry::isolators {

struct Overlay {
  // Lowest first; at least one. Absolute paths of directories, of any length and with any characters.
  std::vector<std::string> layers;
  // On one file system, and not on an overlayfs.
  std::string upper;
  std::string work;
};

// Mounts it at the directory `target`, nodev. Layers are given one by one where the kernel takes them so (Linux 6.5,
// "lowerdir+"), so that hundreds fit and mountinfo shows their names; otherwise as descriptors in one string, which has
// room for some 200.
Result<void> mountOverlay(const Overlay& overlay, const std::string& target);

}  // namespace gantry::isolators
