// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

#include "gateway/answer_cache.h"

namespace penstock::gateway {

// What all answers that are being collected have together: memory is bounded however many streams
// there are.
struct AnswerRoom {
    std::size_t bytes_max = 64UL * 1024 * 1024;
    std::size_t bytes = 0;
};

// Collects what a client is sent, to be kept when its call has ended well.
class AnswerRecorder {
  public:
    using Keep = std::move_only_function<void(CachedAnswer)>;
    // `keep` gets the answer once, where nothing of it was lost. The room outlives the recorder.
    AnswerRecorder(AnswerRoom& room, Keep keep) : room_(room), keep_(std::move(keep)) {}
    ~AnswerRecorder() { room_.bytes -= bytes_; }
    AnswerRecorder(const AnswerRecorder&) = delete;
    AnswerRecorder& operator=(const AnswerRecorder&) = delete;

    enum class Loss : std::uint8_t {
        none,
        too_large,  // more than AnswerCache::kAnswerBytesMax
        crowded     // the others left no room
    };
    void add(std::string_view bytes) {
        if (loss_ != Loss::none || bytes.empty()) return;
        if (bytes_ + bytes.size() > AnswerCache::kAnswerBytesMax) return lose(Loss::too_large);
        if (room_.bytes + bytes.size() > room_.bytes_max) return lose(Loss::crowded);
        bytes_ += bytes.size();
        room_.bytes += bytes.size();
        answer_.writes.emplace_back(bytes);
    }
    void keep(const CallRecord& record, Time now) {
        if (loss_ != Loss::none || answer_.writes.empty()) return;
        answer_.streamed = record.streamed;
        answer_.record = record;
        answer_.kept_at = now;
        keep_(std::move(answer_));
    }
    Loss loss() const { return loss_; }

  private:
    void lose(Loss loss) {
        loss_ = loss;
        answer_.writes = {};
        room_.bytes -= std::exchange(bytes_, 0);
    }

    AnswerRoom& room_;
    Keep keep_;
    CachedAnswer answer_;
    std::size_t bytes_ = 0;
    Loss loss_ = Loss::none;
};

}  // namespace penstock::gateway
