// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include "server/stored_list.h"

namespace penstock::server {
namespace {

// Rows in memory that are read as those of a store.
class ListedRows final : public StoredRows {
  public:
    explicit ListedRows(std::vector<StoredRow> rows) : rows_(std::move(rows)) {}
    Result<std::vector<StoredRow>> read(std::string_view after, std::size_t limit) override {
        auto from = rows_.begin();
        if (!after.empty()) from = std::ranges::find(rows_, after, &StoredRow::id) + 1;
        // Less than was asked for, as a store may give.
        const auto there = static_cast<std::size_t>(rows_.end() - from);
        const std::size_t count = std::min({there, limit, kReadMax});
        return std::vector<StoredRow>(from, from + static_cast<std::ptrdiff_t>(count));
    }
    Result<std::int64_t> count() override { return std::ssize(rows_); }
    Result<std::optional<StoredRow>> find(std::string_view id) override {
        const auto found = std::ranges::find(rows_, id, &StoredRow::id);
        return found == rows_.end() ? std::nullopt : std::optional(*found);
    }

  private:
    static constexpr std::size_t kReadMax = 7;
    std::vector<StoredRow> rows_;
};

std::vector<StoredRow> some_rows() {
    std::vector<StoredRow> rows;
    const int count = *rc::gen::inRange(0, 60);
    for (int i = 0; i < count; ++i) {
        const int size = *rc::gen::inRange(0, 5);
        const char* color = *rc::gen::element("red", "blue");
        rows.push_back(
            {"r" + std::to_string(i),
             R"({"size":)" + std::to_string(size) + R"(,"color":")" + color + "\"}"}
        );
    }
    return rows;
}

std::string shown(const std::vector<std::string>& bodies, const std::optional<std::string>& next) {
    std::string text;
    for (const std::string& body : bodies) text += body + "\n";
    return text + next.value_or("end");
}

// A list in the store gives page for page what a list in memory gives.
TEST(StoredList, EveryPageIsThatOfAListInMemory) {
    EXPECT_TRUE(rc::check([] {
        const std::vector<StoredRow> rows = some_rows();
        http::Request request;
        request.query.add("page_size", std::to_string(*rc::gen::inRange(1, 20)));
        const std::string filter = *rc::gen::element<std::string>("", "color=red", "size!=2");
        const std::string order = *rc::gen::element<std::string>("", "size", "size desc", "color");
        if (!filter.empty()) request.query.add("filter", filter);
        if (!order.empty()) request.query.add("order_by", order);
        ListedRows stored(rows);
        std::string token;
        do {
            http::Request asked = request;
            if (!token.empty()) asked.query.add("page_token", token);
            const Result<Selection> model = select(
                asked, rows.size(), [&](std::size_t i) { return rows[i].body; },
                [&](std::size_t i) { return rows[i].id; }
            );
            const Result<StoredPage> page = stored_page(*list_query(asked), stored);
            RC_ASSERT(model.has_value() && page.has_value());
            std::vector<std::string> bodies;
            for (const std::size_t i : model->indices) bodies.push_back(rows[i].body);
            RC_ASSERT(
                shown(page->bodies, page->next_page_token) == shown(bodies, model->next_page_token)
            );
            RC_ASSERT(page->total == model->total);
            token = model->next_page_token.value_or("");
        } while (!token.empty());
    }));
}

}  // namespace
}  // namespace penstock::server
