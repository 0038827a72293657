// SPDX-License-Identifier: Apache-2.0
#include "ledger/transfer.h"

#include <fmt/format.h>

#include "ledger/names.h"

namespace penstock::ledger {
namespace {

constexpr Names<5> kKinds = {"single", "pending", "post", "void", "expire"};
constexpr Names<17> kCodes = {
    "topup",  "grant",      "hold",     "charge",     "fee",    "tax",
    "payout", "refund",     "credit",   "lease",      "settle", "escrow",
    "bond",   "conversion", "breakage", "correction", "expiry",
};
constexpr Names<4> kHoldStates = {"open", "posted", "voided", "expired"};

struct ReasonInfo {
    std::string_view name;
    ErrorCode code;
};
// In the order of Reason.
constexpr std::array<ReasonInfo, 27> kReasons = {{
    {"ok", ErrorCode::internal},
    {"linked_failed", ErrorCode::conflict},
    {"id_reused", ErrorCode::conflict},
    {"id_missing", ErrorCode::invalid_argument},
    {"id_reserved", ErrorCode::invalid_argument},
    {"kind_reserved", ErrorCode::invalid_argument},
    {"amount_not_positive", ErrorCode::invalid_argument},
    {"accounts_same", ErrorCode::invalid_argument},
    {"field_not_used", ErrorCode::invalid_argument},
    {"ref_too_long", ErrorCode::invalid_argument},
    {"ref_not_text", ErrorCode::invalid_argument},
    {"chain_empty", ErrorCode::invalid_argument},
    {"chain_too_long", ErrorCode::invalid_argument},
    {"debit_not_found", ErrorCode::not_found},
    {"credit_not_found", ErrorCode::not_found},
    {"account_closed", ErrorCode::conflict},
    {"assets_differ", ErrorCode::invalid_argument},
    {"debit_over_available", ErrorCode::insufficient_funds},
    {"credit_over_limit", ErrorCode::insufficient_funds},
    {"overflow", ErrorCode::resource_exhausted},
    {"deadline_passed", ErrorCode::deadline_exceeded},
    {"hold_not_found", ErrorCode::not_found},
    {"hold_already_posted", ErrorCode::conflict},
    {"hold_already_voided", ErrorCode::conflict},
    {"hold_expired", ErrorCode::conflict},
    {"amount_over_hold", ErrorCode::invalid_argument},
    {"seq_exhausted", ErrorCode::resource_exhausted},
}};

const ReasonInfo& info(Reason reason) { return kReasons.at(static_cast<std::size_t>(reason)); }

// Refs hold no control characters (Reason::ref_not_text), so a space and quotes are all to escape.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

}  // namespace

std::string_view to_string(TransferKind kind) { return name_in(kKinds, kind); }
Result<TransferKind> parse_transfer_kind(std::string_view text) {
    return parse_in<TransferKind>(kKinds, text, "a transfer kind");
}
std::string_view to_string(TransferCode code) { return name_in(kCodes, code); }
Result<TransferCode> parse_transfer_code(std::string_view text) {
    return parse_in<TransferCode>(kCodes, text, "a transfer code");
}
std::string_view to_string(HoldState state) { return name_in(kHoldStates, state); }
Result<HoldState> parse_hold_state(std::string_view text) {
    return parse_in<HoldState>(kHoldStates, text, "a hold state");
}

std::string_view to_string(Reason reason) { return info(reason).name; }
ErrorCode error_code(Reason reason) { return info(reason).code; }
Result<Reason> parse_reason(std::string_view text) {
    for (std::size_t i = 0; i < kReasons.size(); ++i)
        if (kReasons[i].name == text) return static_cast<Reason>(i);
    return fail(ErrorCode::invalid_argument, "'" + std::string(text) + "' is not a reason");
}

std::string render(const Transfer& t) {
    std::string text = fmt::format(
        "{} {} hash={} {} {} -> {} amount={}", t.seq, to_string(t.id),
        to_string(t.request_hash.value), to_string(t.kind), to_string(t.debit), to_string(t.credit),
        t.amount.micro()
    );
    if (!t.pending_id.is_nil()) text += " pending=" + to_string(t.pending_id);
    if (t.deadline) text += fmt::format(" deadline={}", t.deadline->time_since_epoch().count());
    text += fmt::format(
        " chain={} code={} ref={}:{} ts={}", t.chain, to_string(t.code), quoted(t.ref_type),
        quoted(t.ref_id), t.ts.time_since_epoch().count()
    );
    return text;
}

}  // namespace penstock::ledger
