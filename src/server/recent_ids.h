// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>

namespace penstock::server {

// The ids that were added last, `kept` of them at most; the oldest are forgotten first. Each id is
// added once.
class RecentIds {
  public:
    explicit RecentIds(std::size_t kept) : kept_(kept) {}
    bool contains(const std::string& id) const { return ids_.contains(id); }
    void add(const std::string& id) {
        if (!ids_.insert(id).second) return;
        ++added_;
        order_.push_back(id);
        if (order_.size() <= kept_) return;
        ids_.erase(order_.front());
        order_.pop_front();
    }
    // In all. Where it grew by more than kept(), some of those were forgotten.
    std::uint64_t added() const { return added_; }
    std::size_t kept() const { return kept_; }

  private:
    std::size_t kept_;
    std::uint64_t added_ = 0;
    std::unordered_set<std::string> ids_;
    std::deque<std::string> order_;
};

}  // namespace penstock::server
