// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dialects/stream.h"

namespace penstock::gateway {

// What a client has received of one streamed answer, as far as another engine needs it to go on,
// and why none can. Bounded.
class AnswerSoFar {
  public:
    static constexpr std::size_t kTextBytesMax = 64UL * 1024;

    // A frame that the client's socket took.
    void add(const dialects::StreamFrame& frame);
    // What another engine could not go on with: "a call of a tool had begun". Empty: all of it.
    std::string_view obstacle() const { return obstacle_; }
    const std::string& text() const { return text_; }

    // The text that the client sees open; nothing where it has ended or none has begun.
    std::optional<std::int64_t> open_part() const { return open_; }
    std::int64_t parts() const { return parts_; }
    // A writer that goes on in the client's dialect as if it had written what came until now; bytes
    // that passed through were written by nobody.
    std::unique_ptr<dialects::StreamWriter> writer(
        dialects::Dialect client, dialects::AnswerContext context
    ) const;

  private:
    void add(const dialects::StreamEvent& event);
    void hinder(std::string_view why) {
        if (obstacle_.empty()) obstacle_ = why;
    }
    std::string text_;
    std::string_view obstacle_;
    std::string id_;
    std::optional<std::int64_t> created_;
    std::int64_t parts_ = 0;
    std::optional<std::int64_t> open_;
};

}  // namespace penstock::gateway
