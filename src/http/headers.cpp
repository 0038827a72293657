// SPDX-License-Identifier: Apache-2.0
#include "http/headers.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace penstock::http {
namespace {

constexpr char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

constexpr std::array<bool, 256> name_bytes() {
    constexpr std::string_view kSymbols = "!#$%&'*+-.^_`|~";
    std::array<bool, 256> is{};
    for (std::size_t i = 0; i < is.size(); ++i) {
        const char c = lower(static_cast<char>(i));
        is[i] = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || kSymbols.contains(c);
    }
    return is;
}
constexpr std::array<bool, 256> kNameBytes = name_bytes();

bool starts_ignoring_case(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() &&
           equal_ignoring_case(text.substr(0, prefix.size()), prefix);
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// Calls `take` with each member of a comma-separated list.
template <class Take>
void each_token(std::string_view list, Take take) {
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        if (const std::string_view token = trim(list.substr(0, comma)); !token.empty()) take(token);
        if (comma == std::string_view::npos) return;
        list.remove_prefix(comma + 1);
    }
}

constexpr std::size_t kFieldsUsual = 16;  // room that is made at once

constexpr std::array<std::string_view, 8> kHopByHop = {
    "connection", "keep-alive",        "te",      "trailer",
    "trailers",   "transfer-encoding", "upgrade", "http2-settings",
};

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::ranges::equal(a, b, {}, lower, lower);
}

bool valid_field_name(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return kNameBytes[static_cast<unsigned char>(c)];
    });
}

bool valid_field_value(std::string_view value) {
    // Without a branch for each byte, so that many are looked at together.
    bool bad = false;
    for (const char c : value) {
        const auto byte = static_cast<std::uint8_t>(c);
        bad |= (byte < 0x20 && byte != '\t') || byte == 0x7F;
    }
    return !bad;
}

const std::string* Headers::find(std::string_view name) const {
    for (const Header& field : fields_)
        if (equal_ignoring_case(field.name, name)) return &field.value;
    return nullptr;
}

std::string_view Headers::get(std::string_view name) const {
    const std::string* value = find(name);
    return value == nullptr ? std::string_view() : std::string_view(*value);
}

std::vector<std::string_view> Headers::get_all(std::string_view name) const {
    std::vector<std::string_view> all;
    for (const Header& field : fields_)
        if (equal_ignoring_case(field.name, name)) all.push_back(field.value);
    return all;
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
    bool found = false;
    for (const Header& field : fields_)
        if (equal_ignoring_case(field.name, name))
            each_token(field.value, [&](std::string_view t) {
                found = found || equal_ignoring_case(t, token);
            });
    return found;
}

std::size_t Headers::count(std::string_view name) const {
    return static_cast<std::size_t>(std::ranges::count_if(fields_, [&](const Header& field) {
        return equal_ignoring_case(field.name, name);
    }));
}

void Headers::set(std::string_view name, std::string value) {
    const auto same = [&](const Header& field) { return equal_ignoring_case(field.name, name); };
    const auto first = std::ranges::find_if(fields_, same);
    if (first == fields_.end()) return add(std::string(name), std::move(value));
    first->value = std::move(value);
    fields_.erase(std::remove_if(first + 1, fields_.end(), same), fields_.end());
}

void Headers::add(std::string name, std::string value) {
    if (fields_.empty()) fields_.reserve(kFieldsUsual);
    fields_.push_back({std::move(name), std::move(value)});
}

std::size_t Headers::remove(std::string_view name) {
    return std::erase_if(fields_, [&](const Header& field) {
        return equal_ignoring_case(field.name, name);
    });
}

std::size_t Headers::remove_prefix(std::string_view prefix) {
    return std::erase_if(fields_, [&](const Header& field) {
        return starts_ignoring_case(field.name, prefix);
    });
}

void Headers::remove_hop_by_hop() {
    std::vector<std::string> named;
    for (const Header& field : fields_)
        if (equal_ignoring_case(field.name, "connection"))
            each_token(field.value, [&](std::string_view token) { named.emplace_back(token); });
    const auto is_listed = [](const auto& list, std::string_view name) {
        return std::ranges::any_of(list, [&](std::string_view one) {
            return equal_ignoring_case(one, name);
        });
    };
    std::erase_if(fields_, [&](const Header& field) {
        return is_listed(kHopByHop, field.name) || is_listed(named, field.name) ||
               starts_ignoring_case(field.name, "proxy-");
    });
}

}  // namespace penstock::http
