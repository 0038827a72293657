// SPDX-License-Identifier: Apache-2.0
#include "gateway/idempotency.h"

#include <cstring>

namespace penstock::gateway {

std::size_t IdempotencyWindow::Hash::operator()(const Token& token) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, token.data(), sizeof value);
    return value;
}

Result<IdempotencyWindow::Token> IdempotencyWindow::begin(
    const KeyId& key_id, std::string_view key, const RequestId& call_id, Time now
) {
    if (key.empty() || key.size() > kKeyBytesMax)
        return fail_field(
            ErrorCode::invalid_argument, "Idempotency-Key", "expected 1 to 255 bytes"
        );
    forget(now);
    const Token token = sha256(to_string(key_id) + '\n' + std::string(key));
    if (const auto found = entries_.find(token); found != entries_.end()) {
        const std::string call = to_string(found->second.call_id);
        return fail_field(
            ErrorCode::conflict, "Idempotency-Key",
            found->second.running
                ? "the call " + call + " with this key is still running"
                : "the call " + call +
                      " with this key has ended and was charged; use a new key for a new call"
        );
    }
    if (entries_.size() >= kEntriesMax)
        return fail(
            ErrorCode::resource_exhausted, "too many calls with an Idempotency-Key; try again later"
        );
    entries_.emplace(token, Entry{call_id, true, {}});
    return token;
}

void IdempotencyWindow::finish(const Token& token, bool charged, Time now) {
    const auto found = entries_.find(token);
    if (found == entries_.end()) return;
    if (!charged) {
        entries_.erase(found);
        return;
    }
    found->second.running = false;
    found->second.until = now + kRememberedFor;
    finished_.emplace_back(found->second.until, token);
}

void IdempotencyWindow::forget(Time now) {
    while (!finished_.empty() && finished_.front().first <= now) {
        entries_.erase(finished_.front().second);
        finished_.pop_front();
    }
}

}  // namespace penstock::gateway
