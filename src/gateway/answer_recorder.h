// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "gateway/answer_cache.h"

namespace penstock::gateway {

// Collects what a client is sent, to be kept when its call has ended well.
class AnswerRecorder {
  public:
    using Keep = std::move_only_function<void(CachedAnswer)>;
    // `keep` gets the answer once, if it is no larger than AnswerCache::kAnswerBytesMax.
    explicit AnswerRecorder(Keep keep) : keep_(std::move(keep)) {}

    void add(std::string_view bytes) {
        if (too_large_ || bytes.empty()) return;
        bytes_ += bytes.size();
        too_large_ = bytes_ > AnswerCache::kAnswerBytesMax;
        if (too_large_)
            answer_.writes.clear();
        else
            answer_.writes.emplace_back(bytes);
    }
    void keep(const CallRecord& record, Time now) {
        if (too_large_ || answer_.writes.empty()) return;
        answer_.streamed = record.streamed;
        answer_.record = record;
        answer_.kept_at = now;
        keep_(std::move(answer_));
    }
    bool too_large() const { return too_large_; }

  private:
    Keep keep_;
    CachedAnswer answer_;
    std::size_t bytes_ = 0;
    bool too_large_ = false;
};

}  // namespace penstock::gateway
