// SPDX-License-Identifier: Apache-2.0
#include "server/stored_list.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

namespace penstock::server {
namespace {

constexpr std::size_t kRowsPerRead = 500;

struct Candidate {
    SortKey key;
    std::size_t position = 0;  // in the list's own order
    StoredRow row = {};
};

// The rows of the page and one more, of all that are shown to it: a heap whose top is the last.
class Sieve {
    bool less(const SortKey& left, const SortKey& right) const {
        return query_.descending ? before(right, left) : before(left, right);
    }
    auto in_order() const {
        return [this](const Candidate& left, const Candidate& right) {
            if (less(left.key, right.key)) return true;
            return !less(right.key, left.key) && left.position < right.position;
        };
    }

  public:
    explicit Sieve(const ListQuery& query) : query_(query) {}

    void set_token_key(SortKey key) { token_key_ = std::move(key); }
    Result<void> take(StoredRow row) {
        const std::size_t position = position_++;
        const json::Value object = TRY(json::parse_value(row.body));
        if (!matches(object, query_.terms)) return {};
        ++total_;
        if (row.id == query_.token) {
            passed_token_ = true;
            return {};
        }
        Candidate candidate{.key = key_of(object), .position = position};
        if (!is_behind_token(candidate.key)) return {};
        candidate.row = std::move(row);
        heap_.push_back(std::move(candidate));
        std::ranges::push_heap(heap_, in_order());
        if (heap_.size() <= query_.size + 1) return {};
        std::ranges::pop_heap(heap_, in_order());
        heap_.pop_back();
        return {};
    }
    SortKey key_of(const json::Value& object) const {
        return query_.order.empty() ? SortKey{} : sort_key(object, query_.order);
    }
    StoredPage finish() {
        std::ranges::sort_heap(heap_, in_order());
        StoredPage page{.total = total_};
        const bool more = heap_.size() > query_.size;
        if (more) heap_.pop_back();
        if (more) page.next_page_token = heap_.back().row.id;
        for (Candidate& each : heap_) page.bodies.push_back(std::move(each.row.body));
        return page;
    }

  private:
    bool is_behind_token(const SortKey& key) const {
        if (query_.token.empty()) return true;
        if (less(token_key_, key)) return true;
        return !less(key, token_key_) && passed_token_;
    }

    const ListQuery& query_;
    SortKey token_key_;
    bool passed_token_ = false;
    std::size_t position_ = 0;
    std::int64_t total_ = 0;
    std::vector<Candidate> heap_;
};

// In the list's own order, all of it: only the page itself is read.
Result<StoredPage> plain_page(const ListQuery& query, StoredRows& rows) {
    if (!query.token.empty() && !TRY(rows.find(query.token))) return unknown_page_token();
    StoredPage page{.total = TRY(rows.count())};
    std::string after = query.token;
    while (page.bodies.size() < query.size) {
        std::vector<StoredRow> read =
            TRY(rows.read(after, std::min(kRowsPerRead, query.size - page.bodies.size())));
        if (read.empty()) return page;
        after = read.back().id;
        for (StoredRow& row : read) page.bodies.push_back(std::move(row.body));
    }
    if (!TRY(rows.read(after, 1)).empty()) page.next_page_token = after;
    return page;
}

std::optional<std::int64_t> cursor_of(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 1) return std::nullopt;
    return value;
}

}  // namespace

Result<StoredPage> stored_page(const ListQuery& query, StoredRows& rows) {
    if (query.plain()) return plain_page(query, rows);
    Sieve sieve(query);
    if (!query.token.empty()) {
        const std::optional<StoredRow> last = TRY(rows.find(query.token));
        if (!last) return unknown_page_token();
        const json::Value object = TRY(json::parse_value(last->body));
        if (!matches(object, query.terms)) return unknown_page_token();
        sieve.set_token_key(sieve.key_of(object));
    }
    std::string after;
    for (std::size_t scanned = 0;;) {
        std::vector<StoredRow> read = TRY(rows.read(after, kRowsPerRead));
        if (read.empty()) return sieve.finish();
        after = read.back().id;
        scanned += read.size();
        if (scanned > kScannedRowsMax)
            return fail_field(
                ErrorCode::resource_exhausted, "filter",
                "would look at more than " + std::to_string(kScannedRowsMax) +
                    " rows: leave filter and order_by out, and page through the list"
            );
        for (StoredRow& row : read) TRY(sieve.take(std::move(row)));
    }
}

UsageRows::UsageRows(storage::Store& store, storage::UsageFilter filter)
    : store_(store), filter_(std::move(filter)) {}

Result<std::vector<StoredRow>> UsageRows::read(std::string_view after, std::size_t limit) {
    storage::UsageFilter filter = filter_;
    filter.before_id = std::string(after);
    filter.limit = limit;
    auto page = TRY(store_.usage(filter));
    std::vector<StoredRow> rows;
    for (storage::AppendUsage& row : page.rows)
        rows.push_back({std::move(row.id), std::move(row.body)});
    return rows;
}

Result<std::int64_t> UsageRows::count() { return store_.count_usage(filter_); }

Result<std::optional<StoredRow>> UsageRows::find(std::string_view id) {
    if (!UsageId::parse(id)) return std::optional<StoredRow>();
    // Ids have one length, so nothing stands between an id and the same id with a sign behind it.
    std::vector<StoredRow> rows = TRY(read(std::string(id) + "!", 1));
    if (rows.empty() || rows.front().id != id) return std::optional<StoredRow>();
    return std::move(rows.front());
}

EventRows::EventRows(storage::Store& store, storage::EventFilter filter)
    : store_(store), filter_(std::move(filter)) {}

Result<std::vector<StoredRow>> EventRows::read(std::string_view after, std::size_t limit) {
    storage::EventFilter filter = filter_;
    filter.after_seq = std::max(filter_.after_seq, cursor_of(after).value_or(0));
    filter.limit = limit;
    auto page = TRY(store_.events(filter));
    std::vector<StoredRow> rows;
    for (storage::AppendEvent& row : page.rows)
        rows.push_back({std::to_string(row.seq), std::move(row.body)});
    return rows;
}

Result<std::int64_t> EventRows::count() { return store_.count_events(filter_); }

Result<std::optional<StoredRow>> EventRows::find(std::string_view id) {
    const std::optional<std::int64_t> cursor = cursor_of(id);
    if (!cursor || *cursor <= filter_.after_seq) return std::optional<StoredRow>();
    std::vector<StoredRow> rows = TRY(read(std::to_string(*cursor - 1), 1));
    if (rows.empty() || rows.front().id != id) return std::optional<StoredRow>();
    return std::move(rows.front());
}

}  // namespace penstock::server
