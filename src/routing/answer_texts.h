// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace penstock::routing {

// The texts of one answer as the client received them, for counting: of each choice what is visible
// and what is reasoning apart, since tokens do not cross between them. What passes kBytesMax is not
// kept, and the answer not counted.
class AnswerTexts {
  public:
    static constexpr std::size_t kBytesMax = 256UL * 1024;

    enum class Side : std::uint8_t { visible, reasoning };
    void add(std::int64_t choice, Side side, std::string_view text);
    // Of one event of a chat stream, or of a whole completion: content and refusals, names and
    // arguments of calls, reasoning (once, where it stands under two names).
    void add_chat(std::string_view json);

    bool whole() const { return whole_; }
    std::size_t bytes() const { return bytes_; }
    using Texts = std::map<std::pair<std::int64_t, Side>, std::string>;
    const Texts& texts() const { return texts_; }

  private:
    Texts texts_;
    std::size_t bytes_ = 0;
    bool whole_ = true;
};

}  // namespace penstock::routing
