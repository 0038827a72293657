// SPDX-License-Identifier: Apache-2.0
// Ids are stored as the 26 characters of their text without prefix: they sort by the time they were
// made, and a person can look one up. A chain is stored as the distance to its first seq, mostly 0.
// Times are microseconds since 1970, money is micro-yuan.
#include "storage/schema.h"

#include <algorithm>

namespace penstock::storage {
namespace {

// Columns from their names; a name ends in # for an integer (others are text), in * for a part of
// the key, in ? for an integer that may be absent.
std::vector<Column> columns(std::string_view names) {
    std::vector<Column> all;
    while (!names.empty()) {
        const std::string_view word = names.substr(0, names.find(' '));
        names.remove_prefix(std::min(word.size() + 1, names.size()));
        const std::string_view marks =
            word.substr(std::min(word.find_first_of("#*?"), word.size()));
        all.push_back(Column{
            .name = word.substr(0, word.size() - marks.size()),
            .type = marks.contains('#') ? ColumnType::integer : ColumnType::text,
            .key = marks.contains('*'),
            .nullable = marks.contains('?'),
        });
    }
    return all;
}

// In the order of TableId.
const std::array<Table, kTableIds.size()>& tables() {
    static const std::array<Table, kTableIds.size()> all = {
        Table{"entity", columns("kind* id* version# body")},
        Table{
            "account",
            columns("id* asset kind owner flags# dr_pend# dr_post# cr_pend# cr_post# version#")
        },
        Table{
            "transfer",
            columns("seq#* id hash_high# hash_low# debit credit amount# kind# pending_id "
                    "chain_offset# deadline#? "
                    "code# ref_type ref_id ts#"),
            true
        },
        Table{"hold", columns("pending_id* debit credit amount# deadline#? state")},
        Table{"accumulator", columns("contract* party* posted# rem#")},
        Table{"burnt_id", columns("id* hash_high# hash_low# reason ts#"), true},
        Table{
            "idempotency", columns("tenant* idempotency_key* request_hash status# body expires_at#")
        },
        Table{"usage_record", columns("id* ts# tenant provider subject body"), true},
        Table{"event", columns("seq#* ts# subject type tenant body"), true},
    };
    return all;
}

constexpr std::int64_t kDebitsLimited = 1, kCreditsLimited = 2, kClosed = 4;

std::int64_t micros(Time time) { return time.time_since_epoch().count(); }
std::int64_t micros(const std::optional<Time>& time) { return time ? micros(*time) : kAbsent; }
Time time_of(std::int64_t value) { return Time(Duration(value)); }
std::optional<Time> maybe_time(std::int64_t value) {
    return value == kAbsent ? std::nullopt : std::optional(time_of(value));
}

// A nil id is stored as no text: a pending_id of a transfer that has none.
std::string id_text(const RawId& id) { return id == RawId{} ? std::string() : to_string(id); }
Result<RawId> raw_of(const std::string& text) {
    if (text.empty()) return RawId{};
    return parse_raw_id(text);
}
template <class IdType>
Result<IdType> id_of(const std::string& text) {
    return IdType(TRY(raw_of(text)));
}

ledger::RequestHash read_hash(RowBuffer::Reader& row) {
    const std::int64_t high = row.integer(), low = row.integer();
    return {RawId{static_cast<std::uint64_t>(high), static_cast<std::uint64_t>(low)}};
}

template <class Enum>
Result<Enum> enum_of(std::int64_t value, Enum last) {
    if (value < 0 || value > static_cast<std::int64_t>(last))
        return fail(
            ErrorCode::internal, "a stored transfer has the unknown number " + std::to_string(value)
        );
    return static_cast<Enum>(value);
}

}  // namespace

const Table& table(TableId id) { return tables().at(static_cast<std::size_t>(id)); }

void put(RowBuffer& out, const PutEntity& row) {
    out.append().text(row.kind).text(row.id).integer(row.version).text(row.body);
}

void put(RowBuffer& out, const PutAccount& row) {
    const ledger::Account& a = row.account;
    const std::int64_t flags = (a.spec.debits_not_over_credits ? kDebitsLimited : 0) |
                               (a.spec.credits_not_over_debits ? kCreditsLimited : 0) |
                               (a.closed ? kClosed : 0);
    out.append()
        .text(id_text(a.id().raw()))
        .text(a.spec.asset)
        .text(std::string(to_string(a.spec.kind)))
        .text(a.spec.owner)
        .integer(flags)
        .integer(a.dr_pend.micro())
        .integer(a.dr_post.micro())
        .integer(a.cr_pend.micro())
        .integer(a.cr_post.micro())
        .integer(static_cast<std::int64_t>(a.version));
}

void put(RowBuffer& out, const AppendTransfer& row) {
    const ledger::Transfer& t = row.transfer;
    out.append()
        .integer(static_cast<std::int64_t>(t.seq))
        .text(id_text(t.id.raw()))
        .integer(static_cast<std::int64_t>(t.request_hash.value.high))
        .integer(static_cast<std::int64_t>(t.request_hash.value.low))
        .text(id_text(t.debit.raw()))
        .text(id_text(t.credit.raw()))
        .integer(t.amount.micro())
        .integer(static_cast<std::int64_t>(t.kind))
        .text(id_text(t.pending_id.raw()))
        .integer(static_cast<std::int64_t>(t.seq - t.chain))
        .integer(micros(t.deadline))
        .integer(static_cast<std::int64_t>(t.code))
        .text(t.ref_type)
        .text(t.ref_id)
        .integer(micros(t.ts));
}

void put(RowBuffer& out, const PutHold& row) {
    const ledger::Hold& h = row.hold;
    out.append()
        .text(id_text(h.pending_id.raw()))
        .text(id_text(h.debit.raw()))
        .text(id_text(h.credit.raw()))
        .integer(h.amount.micro())
        .integer(micros(h.deadline))
        .text(std::string(to_string(h.state)));
}

void put(RowBuffer& out, const PutAccumulator& row) {
    out.append()
        .text(row.row.contract)
        .text(row.row.party)
        .integer(row.row.value.posted.micro())
        .integer(row.row.value.rem);
}

void put(RowBuffer& out, const BurnId& row) {
    out.append()
        .text(id_text(row.burnt.id.raw()))
        .integer(static_cast<std::int64_t>(row.burnt.request_hash.value.high))
        .integer(static_cast<std::int64_t>(row.burnt.request_hash.value.low))
        .text(std::string(to_string(row.burnt.reason)))
        .integer(micros(row.burnt.ts));
}

void put(RowBuffer& out, const PutIdempotency& row) {
    out.append()
        .text(row.tenant)
        .text(row.key)
        .text(row.request_hash)
        .integer(row.status)
        .text(row.body)
        .integer(micros(row.expires_at));
}

void put(RowBuffer& out, const AppendUsage& row) {
    out.append()
        .text(row.id)
        .integer(micros(row.ts))
        .text(row.tenant)
        .text(row.provider)
        .text(row.subject)
        .text(row.body);
}

void put(RowBuffer& out, const AppendEvent& row) {
    out.append()
        .integer(row.seq)
        .integer(micros(row.ts))
        .text(row.subject)
        .text(row.type)
        .text(row.tenant)
        .text(row.body);
}

Result<PutEntity> read_entity(RowBuffer::Reader row) {
    PutEntity entity{.kind = row.text(), .id = row.text()};
    entity.version = row.integer();
    entity.body = row.text();
    return entity;
}

Result<ledger::Account> read_account(RowBuffer::Reader row) {
    ledger::Account a;
    a.spec.id = TRY(id_of<ledger::AccountId>(row.text()));
    a.spec.asset = row.text();
    a.spec.kind = TRY(ledger::parse_account_kind(row.text()));
    a.spec.owner = row.text();
    const std::int64_t flags = row.integer();
    a.spec.debits_not_over_credits = (flags & kDebitsLimited) != 0;
    a.spec.credits_not_over_debits = (flags & kCreditsLimited) != 0;
    a.closed = (flags & kClosed) != 0;
    a.dr_pend = Money::micro(row.integer());
    a.dr_post = Money::micro(row.integer());
    a.cr_pend = Money::micro(row.integer());
    a.cr_post = Money::micro(row.integer());
    a.version = static_cast<std::uint64_t>(row.integer());
    return a;
}

Result<ledger::Transfer> read_transfer(RowBuffer::Reader row) {
    ledger::Transfer t;
    t.seq = static_cast<std::uint64_t>(row.integer());
    t.id = TRY(id_of<ledger::TransferId>(row.text()));
    t.request_hash = read_hash(row);
    t.debit = TRY(id_of<ledger::AccountId>(row.text()));
    t.credit = TRY(id_of<ledger::AccountId>(row.text()));
    t.amount = Money::micro(row.integer());
    t.kind = TRY(enum_of(row.integer(), ledger::TransferKind::expire));
    t.pending_id = TRY(id_of<ledger::TransferId>(row.text()));
    t.chain = t.seq - static_cast<std::uint64_t>(row.integer());
    t.deadline = maybe_time(row.integer());
    t.code = TRY(enum_of(row.integer(), ledger::TransferCode::expiry));
    t.ref_type = row.text();
    t.ref_id = row.text();
    t.ts = time_of(row.integer());
    return t;
}

Result<ledger::Hold> read_hold(RowBuffer::Reader row) {
    ledger::Hold h;
    h.pending_id = TRY(id_of<ledger::TransferId>(row.text()));
    h.debit = TRY(id_of<ledger::AccountId>(row.text()));
    h.credit = TRY(id_of<ledger::AccountId>(row.text()));
    h.amount = Money::micro(row.integer());
    h.deadline = maybe_time(row.integer());
    h.state = TRY(ledger::parse_hold_state(row.text()));
    return h;
}

Result<ledger::AccumulatorRow> read_accumulator(RowBuffer::Reader row) {
    ledger::AccumulatorRow a;
    a.contract = row.text();
    a.party = row.text();
    a.value.posted = Money::micro(row.integer());
    a.value.rem = row.integer();
    return a;
}

Result<ledger::BurntId> read_burnt(RowBuffer::Reader row) {
    ledger::BurntId b;
    b.id = TRY(id_of<ledger::TransferId>(row.text()));
    b.request_hash = read_hash(row);
    b.reason = TRY(ledger::parse_reason(row.text()));
    b.ts = time_of(row.integer());
    return b;
}

Result<PutIdempotency> read_idempotency(RowBuffer::Reader row) {
    PutIdempotency i;
    i.tenant = row.text();
    i.key = row.text();
    i.request_hash = row.text();
    i.status = row.integer();
    i.body = row.text();
    i.expires_at = time_of(row.integer());
    return i;
}

Result<AppendUsage> read_usage(RowBuffer::Reader row) {
    AppendUsage u;
    u.id = row.text();
    u.ts = time_of(row.integer());
    u.tenant = row.text();
    u.provider = row.text();
    u.subject = row.text();
    u.body = row.text();
    return u;
}

Result<AppendEvent> read_event(RowBuffer::Reader row) {
    AppendEvent e;
    e.seq = row.integer();
    e.ts = time_of(row.integer());
    e.subject = row.text();
    e.type = row.text();
    e.tenant = row.text();
    e.body = row.text();
    return e;
}

Result<void> visit(TableId id, RowBuffer::Reader row, Visitor& visitor) {
    switch (id) {
        case TableId::entity:
            return visitor.entity(TRY(read_entity(row)));
        case TableId::account:
            return visitor.account(TRY(read_account(row)));
        case TableId::transfer:
            return visitor.transfer(TRY(read_transfer(row)));
        case TableId::hold:
            return visitor.hold(TRY(read_hold(row)));
        case TableId::accumulator:
            return visitor.accumulator(TRY(read_accumulator(row)));
        case TableId::burnt_id:
            return visitor.burnt(TRY(read_burnt(row)));
        case TableId::idempotency:
            return visitor.idempotency(TRY(read_idempotency(row)));
        case TableId::usage_record:
            return visitor.usage(TRY(read_usage(row)));
        case TableId::event:
            return visitor.event(TRY(read_event(row)));
    }
    return {};
}

}  // namespace penstock::storage
