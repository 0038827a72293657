// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "http/message.h"
#include "json/json.h"
#include "server/api.h"

namespace penstock::server {

constexpr std::size_t kPageSizeDefault = 100;
constexpr std::size_t kPageSizeMax = 1000;  // larger ones are coerced to it

// field=value or field!=value of a filter.
struct ListTerm {
    std::string path;
    std::string value;
    bool equal = true;
};
// What a request asks of a list.
//   filter   = term *(" AND " term);  term = path ("=" | "!=") value;  path = member *("." member)
//   order_by = path [" desc"]
struct ListQuery {
    std::vector<ListTerm> terms;
    std::string order;  // path; empty: the list's own order
    bool descending = false;
    std::size_t size = kPageSizeDefault;
    std::string token;  // id of the element before the page; empty: from the first
    bool plain() const { return terms.empty() && order.empty(); }
};
Result<ListQuery> list_query(const http::Request& request);
bool matches(const json::Value& object, const std::vector<ListTerm>& terms);

// By what an element is ordered: a number where there is one, else text.
struct SortKey {
    bool has_number = false;
    double number = 0;
    std::string text;
};
SortKey sort_key(const json::Value& object, std::string_view path);
bool before(const SortKey& left, const SortKey& right);
std::unexpected<Error> unknown_page_token();

// A page of a list: which elements of the whole, in which order.
struct Selection {
    std::vector<std::size_t> indices;
    std::optional<std::string> next_page_token;
    std::int64_t total = 0;
};
// Applies filter, order_by, page_size and page_token of the query.
// `object_at` gives an element as JSON text (asked for only when filter or order need it), `id_at`
// its id, which is the page token: a page goes on after that element, whatever came before it
// meanwhile.
Result<Selection> select(
    const http::Request& request, std::size_t count,
    const std::function<std::string(std::size_t)>& object_at,
    const std::function<std::string(std::size_t)>& id_at
);

// The usual case: elements are structs of the model with an id, the page is a PENSTOCK_PAGE.
template <class Page, class T, class Id>
Outcome list_page(
    const http::Request& request, const std::vector<const T*>& all, std::vector<T> Page::* member,
    Id id_of
) {
    const Selection selection = TRY(select(
        request, all.size(), [&](std::size_t i) { return json::print(*all[i]); },
        [&](std::size_t i) { return std::string(id_of(*all[i])); }
    ));
    Page page;
    for (const std::size_t i : selection.indices) (page.*member).push_back(*all[i]);
    page.next_page_token = selection.next_page_token;
    page.total = selection.total;
    return answer(page);
}
template <class Page, class T, class Id>
Outcome list_page(
    const http::Request& request, const std::vector<T>& all, std::vector<T> Page::* member, Id id_of
) {
    std::vector<const T*> pointers;
    pointers.reserve(all.size());
    for (const T& one : all) pointers.push_back(&one);
    return list_page(request, pointers, member, id_of);
}

// A whole number from the query, or the default; out of range is an error naming the parameter.
Result<std::int64_t> query_integer(
    const http::Request& request, std::string_view name, std::int64_t otherwise, std::int64_t min,
    std::int64_t max
);

}  // namespace penstock::server
