// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/lists.h"
#include "storage/store.h"

// Lists whose rows stay in the store: bill lines and events, which grow without end.
namespace penstock::server {

// Rows that a filter or an order looks at for one page; a longer list is refused.
constexpr std::size_t kScannedRowsMax = 2'000'000;

struct StoredRow {
    std::string id;
    std::string body;  // the element as JSON
};

// The rows of one list in its own order. Blocks on the store.
class StoredRows {
  public:
    virtual ~StoredRows() = default;
    // At least one and at most `limit` rows behind the one with the id `after`, none at the end;
    // from the first where it is empty.
    virtual Result<std::vector<StoredRow>> read(std::string_view after, std::size_t limit) = 0;
    virtual Result<std::int64_t> count() = 0;
    virtual Result<std::optional<StoredRow>> find(std::string_view id) = 0;
};

// Bill lines, newest first; the tenant and the provider of the filter choose them.
class UsageRows final : public StoredRows {
  public:
    UsageRows(storage::Store& store, storage::UsageFilter filter);
    Result<std::vector<StoredRow>> read(std::string_view after, std::size_t limit) override;
    Result<std::int64_t> count() override;
    Result<std::optional<StoredRow>> find(std::string_view id) override;

  private:
    storage::Store& store_;
    storage::UsageFilter filter_;
};

// Events, oldest first; an id is the cursor.
class EventRows final : public StoredRows {
  public:
    EventRows(storage::Store& store, storage::EventFilter filter);
    Result<std::vector<StoredRow>> read(std::string_view after, std::size_t limit) override;
    Result<std::int64_t> count() override;
    Result<std::optional<StoredRow>> find(std::string_view id) override;

  private:
    storage::Store& store_;
    storage::EventFilter filter_;
};

struct StoredPage {
    std::vector<std::string> bodies;
    std::optional<std::string> next_page_token;
    std::int64_t total = 0;
};
// The page that select() gives of the same rows, holding no more than one page and one read of
// them. Blocks: for a pool.
Result<StoredPage> stored_page(const ListQuery& query, StoredRows& rows);

// The same as an answer: a PENSTOCK_PAGE with its elements in `member`.
template <class Page, class T>
Outcome stored_list(const ListQuery& query, StoredRows& rows, std::vector<T> Page::* member) {
    StoredPage stored = TRY(stored_page(query, rows));
    Page page;
    for (const std::string& body : stored.bodies)
        (page.*member).push_back(TRY(json::parse<T>(body)));
    page.next_page_token = std::move(stored.next_page_token);
    page.total = stored.total;
    return answer(page);
}

}  // namespace penstock::server
