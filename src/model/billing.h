// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/time.h"
#include "model/disconnect.h"
#include "model/ids.h"
#include "model/second_meter.h"

namespace penstock {

struct Wallet {
    std::string account;  // id in the ledger
    OrganisationId organisation_id;
    std::string asset = "CNY";
    Money balance;    // posted
    Money held;       // reserved by running work
    Money available;  // balance − held
    Money spent;      // since the account was opened
    bool operator==(const Wallet&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Wallet, (), (account, organisation_id, asset, balance, held, available, spent)
)

struct TopUp {
    static constexpr bool kJsonDefaults = true;
    std::string organisation;  // id or name; empty: the caller's
    Money amount;
    std::string reference;  // of the payment channel; the same reference is credited once
    bool operator==(const TopUp&) const = default;
};
BOOST_DESCRIBE_STRUCT(TopUp, (), (organisation, amount, reference))

// Input and output classes are disjoint; an absent class was not reported, which is not zero.
struct TokenCounts {
    static constexpr bool kJsonDefaults = true;
    std::optional<std::int64_t> input_fresh;
    std::optional<std::int64_t> cache_read;
    std::optional<std::int64_t> cache_write_5m;  // written to a cache that lives five minutes
    std::optional<std::int64_t> cache_write_1h;
    std::optional<std::int64_t> input_image;
    std::optional<std::int64_t> input_audio;
    std::optional<std::int64_t> output_visible;
    std::optional<std::int64_t> output_reasoning;
    std::optional<std::int64_t> output_audio;
    bool operator==(const TokenCounts&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    TokenCounts, (),
    (input_fresh, cache_read, cache_write_5m, cache_write_1h, input_image, input_audio,
     output_visible, output_reasoning, output_audio)
)

// cached: of an answer that was kept; the tokens are those of the call that it was kept from.
enum class UsageBasis { upstream, counted, estimated, metered, cached };
BOOST_DESCRIBE_ENUM(UsageBasis, upstream, counted, estimated, metered, cached)

// gateway_stopped: its process was told to end, and waited no longer.
enum class EndReason {
    done,
    client_gone,
    upstream_error,
    timeout,
    gateway_crash,
    refused,
    gateway_stopped
};
BOOST_DESCRIBE_ENUM(
    EndReason, done, client_gone, upstream_error, timeout, gateway_crash, refused, gateway_stopped
)

constexpr std::size_t kUsageTextMax = 2048;  // of an engine's usage that is kept as it was written

// One priced line of a usage: quantity × price. Quantities are whole numbers of `unit`.
struct UsageItem {
    // core_ms, gib_ms, card_ms; of a call the classes of TokenCounts, which are disjoint:
    // input_tokens (fresh), cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
    // image_tokens, audio_tokens, output_tokens (visible), reasoning_tokens, audio_output_tokens
    std::string meter;
    std::string unit;
    std::int64_t quantity = 0;
    Price price;               // per core-second, GiB-second, card-second or token
    std::string exact_amount;  // decimal yuan with 15 places: for display
    // The meter whose price stands for this one's, where the seller set none; see class_prices.h.
    std::optional<std::string> priced_as;
    bool operator==(const UsageItem&) const = default;
};
BOOST_DESCRIBE_STRUCT(UsageItem, (), (meter, unit, quantity, price, exact_amount, priced_as))

// One settled thing: an attempt of a task, or a token call. `charged` is what the ledger posted.
struct BillLine {
    UsageId id;
    OrganisationId organisation_id;
    ProjectId project_id;
    OrganisationId provider_id;
    std::string provider;
    std::string kind;      // task | tokens
    std::string resource;  // "attempt/at_…" or "call/rq_…"
    std::string task;      // "task/tk_…", empty for a call to a registered endpoint
    std::string name;      // of the task, or the model
    std::string site;
    std::string c_url;
    Time from;
    Time to;
    std::vector<UsageItem> usage;
    UsageBasis basis = UsageBasis::metered;
    std::string end_reason;
    bool disputed =
        false;  // the two meters differ by more than the tolerance; the smaller one counts
    bool simulated = false;
    Money charged;
    Money fee;
    Money provider_share;
    std::vector<std::string> transfers;  // ids in the ledger
    std::optional<KeyId> key_id;         // of a call: whose it was
    std::optional<std::int64_t> ttft_us;
    std::optional<TextTokens> counted;      // of a call: by the second meter
    std::optional<std::string> tariff;      // batch, cached; absent: list prices
    std::optional<std::string> batch_line;  // "batch_…/12": the line of a batch that the call was
    std::optional<std::string> trace_id;    // of a call: its W3C trace
    // A stream whose engine broke off is two calls: this one goes on with that one's answer, or
    // that one with this one's. "call/rq_…"
    std::optional<std::string> continues;
    std::optional<std::string> continued_by;
    // Of one that goes on: tokens of the answer before it that its engine read again, and that are
    // not charged.
    std::optional<std::int64_t> overlap_tokens;
    // An attempt that was made for that call, which the user is not charged for: "call/rq_…"
    std::optional<std::string> attempt_of;
    std::optional<std::int64_t> status;  // of such an attempt: what the engine answered; 0: nothing
    std::optional<DisconnectPolicy> on_disconnect;  // by which a stream was charged that was left
    std::optional<std::string> raw_usage;  // the engine's words, where they contradict each other
    std::optional<std::string> routing;    // how it found its endpoint, where that was kept
    bool operator==(const BillLine&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    BillLine, (),
    (id, organisation_id, project_id, provider_id, provider, kind, resource, task, name, site,
     c_url, from, to, usage, basis, end_reason, disputed, simulated, charged, fee, provider_share,
     transfers, key_id, ttft_us, counted, tariff, batch_line, trace_id, continues, continued_by,
     overlap_tokens, attempt_of, status, on_disconnect, raw_usage, routing)
)

struct StatementEntry {
    std::string transfer;
    Time at;
    std::string code;  // grant, top_up, charge, fee, payout …
    std::string reference;
    Money debit;
    Money credit;
    Money balance;  // after it
    bool operator==(const StatementEntry&) const = default;
};
BOOST_DESCRIBE_STRUCT(StatementEntry, (), (transfer, at, code, reference, debit, credit, balance))

// The rows of one account, and the proof that the whole ledger balances.
struct Statement {
    std::string account;
    OrganisationId organisation_id;
    std::string asset;
    std::vector<StatementEntry> entries;
    Money opening;
    Money closing;
    Money held;
    Money total_debits;  // of all accounts of the asset
    Money total_credits;
    bool balanced = false;
    bool operator==(const Statement&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Statement, (),
    (account, organisation_id, asset, entries, opening, closing, held, total_debits, total_credits,
     balanced)
)

// What each party of the platform paid and earned; the operator's view.
struct SettlementParty {
    std::string party;  // consumer, provider or platform name
    std::string role;
    Money paid;
    Money earned;
    Money fee;
    bool operator==(const SettlementParty&) const = default;
};
BOOST_DESCRIBE_STRUCT(SettlementParty, (), (party, role, paid, earned, fee))

struct SettlementReport {
    std::vector<SettlementParty> parties;
    Money total_debits;
    Money total_credits;
    bool balanced = false;
    std::int64_t transfers = 0;
    bool operator==(const SettlementReport&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    SettlementReport, (), (parties, total_debits, total_credits, balanced, transfers)
)

}  // namespace penstock
