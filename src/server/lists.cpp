// SPDX-License-Identifier: Apache-2.0
#include "server/lists.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

namespace penstock::server {
namespace {

constexpr std::size_t kFilterBytesMax = 4096;

std::unexpected<Error> bad_filter(std::string_view term) {
    return fail_field(
        ErrorCode::invalid_argument, "filter",
        "'" + std::string(term) +
            "' is not understood: write field=value or field!=value, joined by AND"
    );
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

Result<std::vector<ListTerm>> parse_filter(std::string_view text) {
    std::vector<ListTerm> terms;
    if (text.size() > kFilterBytesMax)
        return fail_field(ErrorCode::invalid_argument, "filter", "is longer than 4096 bytes");
    while (!trim(text).empty()) {
        const std::size_t end = std::min(text.find(" AND "), text.size());
        const std::string_view part = trim(text.substr(0, end));
        const std::size_t sign = part.find('=');
        if (sign == std::string_view::npos || sign == 0) return bad_filter(part);
        ListTerm term;
        term.equal = part[sign - 1] != '!';
        term.path = std::string(trim(part.substr(0, term.equal ? sign : sign - 1)));
        std::string_view value = trim(part.substr(sign + 1));
        if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
            value = value.substr(1, value.size() - 2);
        term.value = std::string(value);
        if (term.path.empty()) return bad_filter(part);
        terms.push_back(std::move(term));
        text = end == text.size() ? std::string_view() : text.substr(end + 5);
    }
    return terms;
}

const json::Value* at_path(const json::Value& value, std::string_view path) {
    const json::Value* here = &value;
    while (!path.empty()) {
        const json::Object* object = here->if_object();
        if (object == nullptr) return nullptr;
        const std::string_view name = path.substr(0, path.find('.'));
        here = object->if_contains(name);
        if (here == nullptr) return nullptr;
        path.remove_prefix(std::min(path.size(), name.size() + 1));
    }
    return here;
}

std::string text_of(const json::Value* value) {
    if (value == nullptr) return {};
    if (const auto* text = value->if_string()) return std::string(*text);
    return json::print_value(*value);
}

}  // namespace

bool matches(const json::Value& object, const std::vector<ListTerm>& terms) {
    return std::ranges::all_of(terms, [&](const ListTerm& term) {
        return (text_of(at_path(object, term.path)) == term.value) == term.equal;
    });
}

SortKey sort_key(const json::Value& object, std::string_view path) {
    const json::Value* value = at_path(object, path);
    SortKey key{.text = text_of(value)};
    if (value != nullptr && value->is_number()) {
        key.has_number = true;
        key.number = value->to_number<double>();
    }
    return key;
}

bool before(const SortKey& left, const SortKey& right) {
    return left.has_number && right.has_number ? left.number < right.number
                                               : left.text < right.text;
}

std::unexpected<Error> unknown_page_token() {
    return fail_field(
        ErrorCode::invalid_argument, "page_token", "is not known any more: start again without it"
    );
}

Result<ListQuery> list_query(const http::Request& request) {
    ListQuery query{.terms = TRY(parse_filter(request.query.get("filter")))};
    std::string_view order = trim(request.query.get("order_by"));
    query.descending = order.ends_with(" desc");
    if (query.descending) order = trim(order.substr(0, order.size() - 5));
    query.order = std::string(order);
    const std::int64_t asked =
        TRY(query_integer(request, "page_size", kPageSizeDefault, 0, INT32_MAX));
    if (asked != 0) query.size = std::min(static_cast<std::size_t>(asked), kPageSizeMax);
    query.token = std::string(request.query.get("page_token"));
    return query;
}

Result<std::int64_t> query_integer(
    const http::Request& request, std::string_view name, std::int64_t otherwise, std::int64_t min,
    std::int64_t max
) {
    const std::string* text = request.query.find(name);
    if (text == nullptr) return otherwise;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size() || value < min || value > max)
        return fail_field(
            ErrorCode::invalid_argument, std::string(name),
            "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max)
        );
    return value;
}

Result<Selection> select(
    const http::Request& request, std::size_t count,
    const std::function<std::string(std::size_t)>& object_at,
    const std::function<std::string(std::size_t)>& id_at
) {
    const ListQuery query = TRY(list_query(request));
    struct Row {
        std::size_t index = 0;
        SortKey key = {};
    };
    std::vector<Row> rows;
    for (std::size_t i = 0; i < count; ++i) {
        if (query.plain()) {
            rows.push_back({.index = i});
            continue;
        }
        const json::Value object = TRY(json::parse_value(object_at(i)));
        if (matches(object, query.terms)) rows.push_back({i, sort_key(object, query.order)});
    }
    if (!query.order.empty())
        std::ranges::sort(rows, [&](const Row& left, const Row& right) {
            if (before(left.key, right.key)) return !query.descending;
            if (before(right.key, left.key)) return query.descending;
            return left.index < right.index;
        });
    std::size_t first = 0;
    if (!query.token.empty()) {
        const auto found = std::ranges::find_if(rows, [&](const Row& row) {
            return id_at(row.index) == query.token;
        });
        if (found == rows.end()) return unknown_page_token();
        first = static_cast<std::size_t>(found - rows.begin()) + 1;
    }
    const std::size_t size = query.size;
    Selection selection{.total = static_cast<std::int64_t>(rows.size())};
    for (std::size_t i = first; i < rows.size() && i < first + size; ++i)
        selection.indices.push_back(rows[i].index);
    if (first + size < rows.size()) selection.next_page_token = id_at(selection.indices.back());
    return selection;
}

}  // namespace penstock::server
