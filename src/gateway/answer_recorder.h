// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "gateway/answer_cache.h"

namespace penstock::gateway {

// Collects what a client is sent, to be kept when its call has ended well.
class AnswerRecorder {
  public:
    AnswerRecorder(AnswerCache& cache, const Sha256& key, Duration lives)
        : cache_(cache), key_(key), lives_(lives) {}

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
        answer_.expires_at = now + lives_;
        cache_.put(key_, std::move(answer_));
    }

  private:
    AnswerCache& cache_;  // outlives the call
    Sha256 key_;
    Duration lives_;
    CachedAnswer answer_;
    std::size_t bytes_ = 0;
    bool too_large_ = false;
};

}  // namespace penstock::gateway
