// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace penstock::http {

struct Header {
    std::string name;
    std::string value;
    bool operator==(const Header&) const = default;
};

// Header fields in the order they came. Names compare without regard to ASCII case.
class Headers {
  public:
    static constexpr std::size_t kFieldsMax = 128;

    Headers() = default;
    Headers(std::initializer_list<Header> fields) : fields_(fields) {}

    // The first value, or nullptr.
    const std::string* find(std::string_view name) const;
    // The first value, or empty.
    std::string_view get(std::string_view name) const;
    std::vector<std::string_view> get_all(std::string_view name) const;
    bool contains(std::string_view name) const { return find(name) != nullptr; }
    // Whether a comma-separated list field (all its lines) names `token`: "Connection: close".
    bool has_token(std::string_view name, std::string_view token) const;
    std::size_t count(std::string_view name) const;

    // Replaces all of that name.
    void set(std::string_view name, std::string value);
    void add(std::string name, std::string value);
    // How many were removed.
    std::size_t remove(std::string_view name);
    // All whose name begins with `prefix`: "x-penstock-".
    std::size_t remove_prefix(std::string_view prefix);
    // Connection, the fields it names, Keep-Alive, TE, Trailer, Transfer-Encoding, Upgrade,
    // Proxy-*: what a proxy must not pass on.
    void remove_hop_by_hop();

    auto begin() const { return fields_.begin(); }
    auto end() const { return fields_.end(); }
    std::size_t size() const { return fields_.size(); }
    bool empty() const { return fields_.empty(); }
    bool operator==(const Headers&) const = default;

  private:
    std::vector<Header> fields_;
};

bool equal_ignoring_case(std::string_view a, std::string_view b);
// RFC 9110: a token; a value without CR, LF, NUL and other controls but tab.
bool valid_field_name(std::string_view name);
bool valid_field_value(std::string_view value);

}  // namespace penstock::http
