// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "routing/chat_response.h"

namespace penstock::routing {

// Reads the events of one chat stream as read_chat_chunk() does. Most events of a stream differ
// from the one before in the text of their delta alone: what stands around such a text is compared
// with what was read, and not read again.
class ChatChunkReader {
  public:
    // Longer texts, and events that are longer without their text, are read in full.
    static constexpr std::size_t kTextBytesMax = 64;
    static constexpr std::size_t kAroundBytesMax = 1024;

    Result<ChatChunk> read(std::string_view data);

  private:
    // Whether `data` is the last event with another text in the place of its text.
    bool is_like_the_last(std::string_view data) const;
    void keep(std::string_view data, const ChatChunk& chunk);

    std::string around_;      // of the last event: up to its text, and behind it
    std::size_t before_ = 0;  // bytes of it that stand before the text; 0: nothing is kept
    DeltaCount deltas_;
    Span model_value_;  // within `around_`
};

}  // namespace penstock::routing
