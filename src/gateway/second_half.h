// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "dialects/stream.h"
#include "gateway/answer_so_far.h"

namespace penstock::gateway {

// What an engine says that goes on with a text, as parts of the answer that the client has seen the
// first half of: its text joins the one that is open, other parts are counted on, and what only an
// answer's beginning has is left out. Pure.
class SecondHalf {
  public:
    // `left_out` stood at the end of the text and was not sent to the engine, which may say it
    // again.
    SecondHalf(const AnswerSoFar& so_far, std::string left_out)
        : left_out_(std::move(left_out)), open_(so_far.open_part()), parts_(so_far.parts()) {}

    // Without usage and end, which are told of both halves together. unavailable: the engine does
    // what no text goes on with, and says why.
    Result<dialects::StreamFrame> take(const dialects::StreamFrame& frame);
    // The engine has said that it is done.
    bool ended() const { return ended_; }

  private:
    Result<void> take(const dialects::StreamEvent& event, dialects::StreamFrame& out);
    Result<void> begin(const dialects::StreamEvent& event, dialects::StreamFrame& out);
    void add_text(const dialects::StreamEvent& event, dialects::StreamFrame& out);
    void close_open(dialects::StreamFrame& out);

    std::string left_out_;
    std::optional<std::int64_t> open_;  // the client's part that waits for the first text
    std::int64_t parts_;
    std::map<std::int64_t, std::int64_t> places_;  // the engine's part → the client's
    bool ended_ = false;
};

}  // namespace penstock::gateway
