// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "base/time.h"
#include "gateway/key_cache.h"
#include "model/ids.h"

namespace penstock::gateway {

// Keeps a call with an Idempotency-Key from being made and charged twice by this replica: while the
// first one runs, and for kRememberedFor after it was charged, the same key answers `conflict`. A
// call that was charged nothing may be repeated. (Answers are not stored, so they cannot be
// repeated.) No clock, no I/O.
class IdempotencyWindow {
  public:
    static constexpr Duration kRememberedFor = 10min;
    static constexpr std::size_t kEntriesMax = 100'000;  // at it: resource_exhausted
    static constexpr std::size_t kKeyBytesMax = 255;

    using Token = Sha256;
    // One namespace for each API key.
    Result<Token> begin(
        const KeyId& key_id, std::string_view key, const RequestId& call_id, Time now
    );
    void finish(const Token& token, bool charged, Time now);

  private:
    struct Entry {
        RequestId call_id;
        bool running = true;
        Time until;
    };
    struct Hash {
        std::size_t operator()(const Token& token) const noexcept;
    };
    void forget(Time now);
    std::unordered_map<Token, Entry, Hash> entries_;
    std::deque<std::pair<Time, Token>> finished_;  // oldest first
};

}  // namespace penstock::gateway
