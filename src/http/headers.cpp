// SPDX-License-Identifier: Apache-2.0
#include "http/headers.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

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

// Room that is made at once.
constexpr std::size_t kFieldsUsual = 16;
constexpr std::size_t kBytesUsual = 512;

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

Headers::Headers(std::initializer_list<Header> fields) {
    for (const Header& field : fields) add(field.name, field.value);
}

Header Headers::field(std::size_t index) const {
    const Place& place = fields_[index];
    const char* const at = bytes_.data() + place.at;
    return {{at, place.name_size}, {at + place.name_size, place.value_size}};
}

std::string_view Headers::name_of(const Place& place) const {
    return {bytes_.data() + place.at, place.name_size};
}

bool Headers::is_named(const Place& place, std::string_view name) const {
    return place.name_size == name.size() && equal_ignoring_case(name_of(place), name);
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
    for (std::size_t i = 0; i < fields_.size(); ++i)
        if (is_named(fields_[i], name)) return field(i).value;
    return std::nullopt;
}

std::string_view Headers::get(std::string_view name) const {
    return find(name).value_or(std::string_view());
}

std::vector<std::string_view> Headers::get_all(std::string_view name) const {
    std::vector<std::string_view> all;
    for (const Header field : *this)
        if (equal_ignoring_case(field.name, name)) all.push_back(field.value);
    return all;
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
    bool found = false;
    for (const Header field : *this)
        if (equal_ignoring_case(field.name, name))
            each_token(field.value, [&](std::string_view t) {
                found = found || equal_ignoring_case(t, token);
            });
    return found;
}

std::size_t Headers::count(std::string_view name) const {
    return static_cast<std::size_t>(std::ranges::count_if(fields_, [&](const Place& place) {
        return is_named(place, name);
    }));
}

bool Headers::operator==(const Headers& other) const {
    return size() == other.size() && std::equal(begin(), end(), other.begin());
}

// The texts may be this object's own: they are read before what they stand in goes away.
Headers::Place Headers::append(
    std::string_view prefix, std::string_view name, std::string_view value
) {
    const std::size_t at = bytes_.size();
    const std::size_t size = prefix.size() + name.size() + value.size();
    std::vector<char> outgrown;
    if (at + size > bytes_.capacity()) {
        std::vector<char> more;
        more.reserve(std::max({2 * bytes_.capacity(), at + size, kBytesUsual}));
        more = bytes_;
        outgrown = std::exchange(bytes_, std::move(more));
    }
    bytes_.resize(at + size);
    char* to = bytes_.data() + at;
    for (const std::string_view text : {prefix, name, value}) to = std::ranges::copy(text, to).out;
    return {
        .at = static_cast<std::uint32_t>(at),
        .name_size = static_cast<std::uint32_t>(prefix.size() + name.size()),
        .value_size = static_cast<std::uint32_t>(value.size())
    };
}

void Headers::set(std::string_view name, std::string_view value) {
    const auto same = [&](const Place& place) { return is_named(place, name); };
    const auto first = std::ranges::find_if(fields_, same);
    if (first == fields_.end()) return add(name, value);
    fields_.erase(std::remove_if(first + 1, fields_.end(), same), fields_.end());
    *first = append({}, name_of(*first), value);
}

void Headers::add(std::string_view name, std::string_view value) { add_prefixed({}, name, value); }

void Headers::add_prefixed(std::string_view prefix, std::string_view name, std::string_view value) {
    if (fields_.empty()) fields_.reserve(kFieldsUsual);
    fields_.push_back(append(prefix, name, value));
}

std::size_t Headers::remove(std::string_view name) {
    return std::erase_if(fields_, [&](const Place& place) { return is_named(place, name); });
}

std::size_t Headers::remove_prefix(std::string_view prefix) {
    return std::erase_if(fields_, [&](const Place& place) {
        return starts_ignoring_case(name_of(place), prefix);
    });
}

void Headers::remove_hop_by_hop() {
    std::vector<std::string_view> named;
    for (const Header field : *this)
        if (equal_ignoring_case(field.name, "connection"))
            each_token(field.value, [&](std::string_view token) { named.push_back(token); });
    const auto is_listed = [](const auto& list, std::string_view name) {
        return std::ranges::any_of(list, [&](std::string_view one) {
            return equal_ignoring_case(one, name);
        });
    };
    std::erase_if(fields_, [&](const Place& place) {
        const std::string_view name = name_of(place);
        return is_listed(kHopByHop, name) || is_listed(named, name) ||
               starts_ignoring_case(name, "proxy-");
    });
}

}  // namespace penstock::http
