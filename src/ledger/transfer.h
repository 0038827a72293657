// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/money.h"
#include "base/result.h"
#include "base/time.h"
#include "ledger/account.h"

namespace penstock::ledger {

struct TransferTag {
    static constexpr std::string_view kPrefix = "tr";
};
using TransferId = Id<TransferTag>;  // made and stored by the caller, before it sends

// Stored by number, as are codes: only ever appended to.
enum class TransferKind : std::uint8_t {
    single,   // moves money at once
    pending,  // reserves it: a hold
    post,     // resolves a hold by moving all or part of it; the rest is released
    void_,    // resolves a hold by releasing all of it
    expire,   // as void_, written by the platform clock at the hold's deadline
};
std::string_view to_string(TransferKind kind);
Result<TransferKind> parse_transfer_kind(std::string_view text);

// What a transfer is for, as it shows on statements.
enum class TransferCode : std::uint8_t {
    topup,
    grant,
    hold,
    charge,
    fee,
    tax,
    payout,
    refund,
    credit,  // service-level credit
    lease,
    settle,
    escrow,
    bond,
    conversion,
    breakage,
    correction,
    expiry,
};
std::string_view to_string(TransferCode code);
Result<TransferCode> parse_transfer_code(std::string_view text);

// What a caller asks for. Fields that a kind does not use must be left at their defaults.
struct TransferRequest {
    TransferId id = {};
    TransferKind kind = TransferKind::single;  // `expire` is the platform's own
    AccountId debit = {};                      // single, pending
    AccountId credit = {};
    // single, pending: > 0. post: > 0, absent for all that is held (zero is refused: use void_).
    std::optional<Money> amount = {};
    TransferId pending_id = {};         // post, void_: the hold to resolve
    std::optional<Time> deadline = {};  // pending: released at this time if not resolved before
    TransferCode code = TransferCode::charge;
    std::string ref_type = {};  // "task", "contract", "topup" …
    std::string ref_id = {};
};

// 128 bits of SHA-256 over the whole chain that a transfer came in and its place there.
struct RequestHash {
    RawId value;
    auto operator<=>(const RequestHash&) const = default;
};

// One row of the append-only journal.
struct Transfer {
    std::uint64_t seq = 0;  // 1, 2, 3 … without a gap
    TransferId id = {};
    RequestHash request_hash = {};
    AccountId debit = {};
    AccountId credit = {};
    Money amount = {};  // > 0; of post: what was moved; of void_ and expire: what was released
    TransferKind kind = TransferKind::single;
    TransferId pending_id = {};  // post, void_, expire
    std::uint64_t chain = 0;     // seq of the first member of its chain
    std::optional<Time> deadline = {};
    TransferCode code = TransferCode::charge;
    std::string ref_type = {};
    std::string ref_id = {};
    Time ts{};  // never runs back
    bool operator==(const Transfer&) const = default;
};
// One line of text, the same on every machine: for comparing ledgers and for the journal's leaves.
std::string render(const Transfer& transfer);

enum class HoldState : std::uint8_t { open, posted, voided, expired };
std::string_view to_string(HoldState state);
Result<HoldState> parse_hold_state(std::string_view text);

// What a pending transfer reserves. Leaves `open` at most once.
struct Hold {
    TransferId pending_id = {};
    AccountId debit = {};
    AccountId credit = {};
    Money amount = {};
    std::optional<Time> deadline = {};
    HoldState state = HoldState::open;
    bool operator==(const Hold&) const = default;
};

// Why a transfer was refused. Stored with burnt ids: names are kept, only appended to.
enum class Reason : std::uint8_t {
    ok,
    linked_failed,  // another member of its chain failed
    id_reused,      // the id was used for another request (or twice in this chain)
    // The request is wrong in itself; its id stays usable.
    id_missing,
    id_reserved,
    kind_reserved,
    amount_not_positive,
    accounts_same,
    field_not_used,
    ref_too_long,
    ref_not_text,
    chain_empty,
    chain_too_long,
    // The state refused it: the id is burnt, a retry gets the same answer.
    debit_not_found,
    credit_not_found,
    account_closed,
    assets_differ,
    debit_over_available,
    credit_over_limit,
    overflow,
    deadline_passed,
    hold_not_found,
    hold_already_posted,
    hold_already_voided,
    hold_expired,
    amount_over_hold,
    seq_exhausted,  // kTransfersMax rows are in memory
};
std::string_view to_string(Reason reason);
Result<Reason> parse_reason(std::string_view text);
ErrorCode error_code(Reason reason);

// An id that was answered with a failure, for ever.
struct BurntId {
    TransferId id;
    RequestHash request_hash;
    Reason reason = Reason::ok;
    Time ts{};
    bool operator==(const BurntId&) const = default;
};

}  // namespace penstock::ledger
