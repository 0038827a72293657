// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace penstock::http {

// An absolute http, https, ws or wss URL.
struct Url {
    std::string scheme;      // lower case
    std::string user_info;   // as written; empty when absent
    std::string host;        // lower case, IPv6 without brackets
    std::uint16_t port = 0;  // the scheme's own when none was written
    std::string target;      // path and query, as written, at least "/"; the fragment is dropped

    bool secure() const { return scheme == "https" || scheme == "wss"; }
    bool default_port() const { return port == (secure() ? 443 : 80); }
    // For the Host header: "example.org", "[::1]:8080".
    std::string authority() const;
    // "https://example.org:8443"
    std::string origin() const;
    bool operator==(const Url&) const = default;
};

constexpr std::size_t kUrlBytesMax = 8192;
Result<Url> parse_url(std::string_view text);
std::string to_string(const Url& url);

// "%41+b" -> "A+b" ("A b" with `plus_is_space`); broken escapes are an error.
Result<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
// Everything but unreserved characters is escaped.
std::string percent_encode(std::string_view text);

// The query of a request: decoded, in order, names may repeat.
class Query {
  public:
    static constexpr std::size_t kParametersMax = 256;
    static Result<Query> parse(std::string_view text);

    // The first value, or nullptr.
    const std::string* find(std::string_view name) const;
    // The first value, or empty.
    std::string_view get(std::string_view name) const;
    std::vector<std::string_view> get_all(std::string_view name) const;
    bool contains(std::string_view name) const { return find(name) != nullptr; }
    void add(std::string name, std::string value);
    // "a=1&b=x%20y"
    std::string to_string() const;

    auto begin() const { return parameters_.begin(); }
    auto end() const { return parameters_.end(); }
    bool empty() const { return parameters_.empty(); }

  private:
    std::vector<std::pair<std::string, std::string>> parameters_;
};

}  // namespace penstock::http
