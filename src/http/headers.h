// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

namespace penstock::http {

// A field as it stands in its Headers.
struct Header {
    std::string_view name;
    std::string_view value;
    bool operator==(const Header&) const = default;
};

// Header fields in the order they came. Names compare without regard to ASCII case. All text is
// kept together, so that a message costs few allocations: what is looked up stays valid until
// something is added or set, also when the object is moved.
class Headers {
  public:
    static constexpr std::size_t kFieldsMax = 128;

    Headers() = default;
    Headers(std::initializer_list<Header> fields);

    // The first value, or nothing.
    std::optional<std::string_view> find(std::string_view name) const;
    // The first value, or empty.
    std::string_view get(std::string_view name) const;
    std::vector<std::string_view> get_all(std::string_view name) const;
    bool contains(std::string_view name) const { return find(name).has_value(); }
    // Whether a comma-separated list field (all its lines) names `token`: "Connection: close".
    bool has_token(std::string_view name, std::string_view token) const;
    std::size_t count(std::string_view name) const;

    // Replaces all of that name.
    void set(std::string_view name, std::string_view value);
    void add(std::string_view name, std::string_view value);
    // A name that is made of two parts: add_prefixed("x-penstock-", "call", …).
    void add_prefixed(std::string_view prefix, std::string_view name, std::string_view value);
    // How many were removed.
    std::size_t remove(std::string_view name);
    // All whose name begins with `prefix`: "x-penstock-".
    std::size_t remove_prefix(std::string_view prefix);
    // Connection, the fields it names, Keep-Alive, TE, Trailer, Transfer-Encoding, Upgrade,
    // Proxy-*: what a proxy must not pass on.
    void remove_hop_by_hop();

    class Iterator {
      public:
        using value_type = Header;
        using difference_type = std::ptrdiff_t;
        Iterator() = default;
        Iterator(const Headers* of, std::size_t at) : of_(of), at_(at) {}
        Header operator*() const { return of_->field(at_); }
        Iterator& operator++() {
            ++at_;
            return *this;
        }
        Iterator operator++(int) { return {of_, at_++}; }
        bool operator==(const Iterator& other) const { return at_ == other.at_; }

      private:
        const Headers* of_ = nullptr;
        std::size_t at_ = 0;
    };
    Iterator begin() const { return {this, 0}; }
    Iterator end() const { return {this, fields_.size()}; }
    std::size_t size() const { return fields_.size(); }
    bool empty() const { return fields_.empty(); }
    bool operator==(const Headers& other) const;

  private:
    // A name and its value, one behind the other in bytes_.
    struct Place {
        std::uint32_t at = 0;
        std::uint32_t name_size = 0;
        std::uint32_t value_size = 0;
    };
    Header field(std::size_t index) const;
    bool is_named(const Place& place, std::string_view name) const;
    std::string_view name_of(const Place& place) const;
    Place append(std::string_view prefix, std::string_view name, std::string_view value);

    std::vector<char> bytes_;
    std::vector<Place> fields_;
};

bool equal_ignoring_case(std::string_view a, std::string_view b);
// RFC 9110: a token; a value without CR, LF, NUL and other controls but tab.
bool valid_field_name(std::string_view name);
bool valid_field_value(std::string_view value);

}  // namespace penstock::http
