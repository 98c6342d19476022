// Runs a function when the scope is left. For the odd clean-up that no class owns; name it after what it undoes.
#pragma once

#include <utility>

namespace gantry {

template <typename Function>
class [[nodiscard]] ScopeExit {
 public:
  explicit ScopeExit(Function function) : function_(std::move(function)) {}
  ScopeExit(const ScopeExit&) = delete;
  ScopeExit& operator=(const ScopeExit&) = delete;
  ~ScopeExit() {
    if (armed_) function_();
  }
  // The scope succeeded; nothing is to be undone.
  void release() { armed_ = false; }

 private:
  Function function_;
  bool armed_ = true;
};

}  // namespace gantry
