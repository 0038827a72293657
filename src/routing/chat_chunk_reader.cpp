// SPDX-License-Identifier: Apache-2.0
#include "routing/chat_chunk_reader.h"

#include <algorithm>

namespace penstock::routing {
namespace {

// Whether it can stand between the quotes of a JSON string as it is; what is not ASCII is forgiven
// an engine whatever it is (JsonScanner::Text::lenient).
bool is_plain(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
    });
}

}  // namespace

Result<ChatChunk> ChatChunkReader::read(std::string_view data) {
    if (is_like_the_last(data)) {
        const std::size_t text_size = data.size() - around_.size();
        ChatChunk chunk;
        chunk.deltas = deltas_;
        chunk.text = {.begin = before_, .end = before_ + text_size};
        chunk.model_value = model_value_;
        if (model_value_.begin >= before_) {
            chunk.model_value.begin += text_size;
            chunk.model_value.end += text_size;
        }
        return chunk;
    }
    const Result<ChatChunk> chunk = read_chat_chunk(data);
    if (chunk) keep(data, *chunk);
    return chunk;
}

bool ChatChunkReader::is_like_the_last(std::string_view data) const {
    if (before_ == 0 || data.size() <= around_.size()) return false;
    const std::string_view around = around_;
    const std::size_t text_size = data.size() - around.size();
    return text_size <= kTextBytesMax && data.starts_with(around.substr(0, before_)) &&
           data.ends_with(around.substr(before_)) && is_plain(data.substr(before_, text_size));
}

// What says more than its text is not like the others: usage, the reason to stop, an error.
void ChatChunkReader::keep(std::string_view data, const ChatChunk& chunk) {
    before_ = 0;
    const bool says_more =
        chunk.done || chunk.error || chunk.choices_empty || chunk.finished > 0 || chunk.usage;
    if (says_more || chunk.text.empty()) return;
    if (data.size() - chunk.text.size() > kAroundBytesMax) return;
    around_.assign(data.substr(0, chunk.text.begin));
    around_.append(data.substr(chunk.text.end));
    before_ = chunk.text.begin;
    deltas_ = chunk.deltas;
    model_value_ = chunk.model_value;
    if (model_value_.begin >= chunk.text.end) {
        model_value_.begin -= chunk.text.size();
        model_value_.end -= chunk.text.size();
    }
}

}  // namespace penstock::routing
