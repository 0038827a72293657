// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "dialects/stream.h"
#include "routing/answer_texts.h"
#include "routing/chat_response.h"

namespace penstock::gateway {

// What a client is told of an engine's stream, frame by frame: pieces for the meter, texts for the
// second one. Clients of Ollama's API are told a call of a tool as a whole, when it is over, where
// the engine speaks another API: until then its pieces are kept back here as its text is in the
// stream's writer, which ends the stream above dialects::kStreamKeptBytesMax. Pure.
class ToldPieces {
  public:
    ToldPieces(dialects::Dialect engine, dialects::Dialect client)
        : converts_(engine != client),
          whole_calls_(converts_ && client == dialects::Dialect::ollama) {}

    // What has come by the end of `frame` and the client was not told before it.
    routing::DeltaCount untold(const dialects::StreamFrame& frame) const;
    // The client has what was written of `frame`: what it was told with it, whose texts are added
    // to `texts`. Null: none are counted.
    routing::DeltaCount tell(const dialects::StreamFrame& frame, routing::AnswerTexts* texts);

  private:
    struct KeptCall {
        std::int64_t pieces = 0;
        std::string text;  // where texts are counted
    };
    bool is_told(const dialects::StreamEvent& event) const;
    bool is_kept(const dialects::StreamEvent& event) const;
    void keep(const dialects::StreamEvent& event, bool with_text);

    bool converts_;
    bool whole_calls_;
    std::map<std::pair<std::int64_t, std::int64_t>, KeptCall> calls_;  // by choice and part
    std::int64_t kept_ = 0;                                            // pieces of all of them
};

}  // namespace penstock::gateway
