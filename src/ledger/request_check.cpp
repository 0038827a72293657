// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "ledger/ledger_state.h"
#include "ledger/plain_text.h"

namespace penstock::ledger {
namespace {

// The length of the UTF-8 sequence that starts `text` (overlong forms and surrogates are none), or
// 0.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xC0) != 0x80) return 0;
    const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
    const bool outside = (first == 0xED && byte(1) > 0x9F) || (first == 0xF4 && byte(1) > 0x8F);
    return overlong || outside ? 0 : length;
}

bool is_moving(TransferKind kind) {
    return kind == TransferKind::single || kind == TransferKind::pending;
}

Reason check_fields(const TransferRequest& request) {
    const bool moves = is_moving(request.kind);
    const bool has_accounts = !request.debit.is_nil() || !request.credit.is_nil();
    if (!moves && (has_accounts || request.deadline)) return Reason::field_not_used;
    if (!moves && request.pending_id.is_nil()) return Reason::id_missing;
    if (moves && !request.pending_id.is_nil()) return Reason::field_not_used;
    if (request.kind == TransferKind::single && request.deadline) return Reason::field_not_used;
    if (request.kind == TransferKind::void_ && request.amount) return Reason::field_not_used;
    if (moves && request.debit == request.credit) return Reason::accounts_same;
    return Reason::ok;
}

}  // namespace

bool is_storable_text(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0 || text[0] == '\0') return false;
        text.remove_prefix(length);
    }
    return true;
}

bool is_plain_text(std::string_view text) {
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    };
    return std::ranges::none_of(text, is_control) && is_storable_text(text);
}

Reason check_request(const TransferRequest& request) {
    if (request.id.is_nil()) return Reason::id_missing;
    if (request.id.raw().high >= kReservedHigh) return Reason::id_reserved;
    if (request.kind == TransferKind::expire) return Reason::kind_reserved;
    if (const Reason reason = check_fields(request); reason != Reason::ok) return reason;
    const bool needs_amount = is_moving(request.kind);
    if (needs_amount && !request.amount) return Reason::amount_not_positive;
    if (request.amount && request.amount->micro() <= 0) return Reason::amount_not_positive;
    if (request.ref_type.size() > kRefBytesMax || request.ref_id.size() > kRefBytesMax)
        return Reason::ref_too_long;
    if (!is_plain_text(request.ref_type) || !is_plain_text(request.ref_id))
        return Reason::ref_not_text;
    return Reason::ok;
}

}  // namespace penstock::ledger
