// SPDX-License-Identifier: Apache-2.0
#include "http/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>

namespace penstock::http {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool unreserved(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    });
    return out;
}

std::unexpected<Error> bad_url(std::string_view text, std::string_view why) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format(
            "'{}' is not a usable URL: {} (like https://example.org:8443/path)",
            text.substr(0, 200), why
        )
    );
}

Result<std::uint16_t> parse_port(std::string_view text, std::string_view port) {
    std::uint16_t value = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
    if (error != std::errc() || end != port.data() + port.size() || value == 0)
        return bad_url(text, "the port must be from 1 to 65535");
    return value;
}

}  // namespace

std::string Url::authority() const {
    std::string text = host.contains(':') ? "[" + host + "]" : host;
    if (!default_port()) text += fmt::format(":{}", port);
    return text;
}

std::string Url::origin() const { return scheme + "://" + authority(); }

std::string to_string(const Url& url) {
    const std::string user = url.user_info.empty() ? "" : url.user_info + "@";
    return url.scheme + "://" + user + url.authority() + url.target;
}

Result<Url> parse_url(std::string_view text) {
    if (text.size() > kUrlBytesMax)
        return bad_url(text, fmt::format("it is longer than {} bytes", kUrlBytesMax));
    const auto parsed = boost::urls::parse_uri({text.data(), text.size()});
    if (!parsed) return bad_url(text, parsed.error().message());
    const boost::urls::url_view view = *parsed;
    Url url;
    const auto as_view = [](auto part) { return std::string_view(part.data(), part.size()); };
    url.scheme = lower(as_view(view.scheme()));
    if (url.scheme != "http" && url.scheme != "https" && url.scheme != "ws" && url.scheme != "wss")
        return bad_url(text, "the scheme must be http, https, ws or wss");
    url.user_info = std::string(as_view(view.encoded_userinfo()));
    url.host = lower(as_view(view.encoded_host()));
    if (url.host.starts_with('[')) url.host = url.host.substr(1, url.host.size() - 2);
    if (url.host.empty()) return bad_url(text, "it names no host");
    if (url.host.contains('%')) return bad_url(text, "the host must not be escaped");
    url.port = url.secure() ? 443 : 80;
    if (view.has_port() && !view.port().empty())
        url.port = TRY(parse_port(text, as_view(view.port())));
    url.target = std::string(as_view(view.encoded_path()));
    if (url.target.empty()) url.target = "/";
    // Boost.URL takes what follows an empty port for a path, whatever it begins with.
    if (!url.target.starts_with('/')) return bad_url(text, "the path must begin with '/'");
    if (view.has_query()) url.target += "?" + std::string(as_view(view.encoded_query()));
    return url;
}

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            out += ' ';
        } else if (text[i] != '%') {
            out += text[i];
        } else {
            const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0)
                return fail(
                    ErrorCode::invalid_argument,
                    fmt::format(
                        "'{}' has a broken escape: % must be followed by two hexadecimal digits",
                        text.substr(0, 200)
                    )
                );
            out += static_cast<char>(high * 16 + low);
            i += 2;
        }
    }
    return out;
}

std::string percent_encode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (unreserved(c))
            out += c;
        else
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

Result<Query> Query::parse(std::string_view text) {
    Query query;
    while (!text.empty()) {
        const std::size_t end = text.find('&');
        const std::string_view pair = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (pair.empty()) continue;
        if (query.parameters_.size() == kParametersMax)
            return fail(
                ErrorCode::invalid_argument,
                fmt::format("the query has more than {} parameters", kParametersMax)
            );
        const std::size_t equals = pair.find('=');
        const std::string_view value =
            equals == std::string_view::npos ? "" : pair.substr(equals + 1);
        query.add(
            TRY(percent_decode(pair.substr(0, equals), true)), TRY(percent_decode(value, true))
        );
    }
    return query;
}

const std::string* Query::find(std::string_view name) const {
    for (const auto& [key, value] : parameters_)
        if (key == name) return &value;
    return nullptr;
}

std::string_view Query::get(std::string_view name) const {
    const std::string* value = find(name);
    return value == nullptr ? std::string_view() : std::string_view(*value);
}

std::vector<std::string_view> Query::get_all(std::string_view name) const {
    std::vector<std::string_view> all;
    for (const auto& [key, value] : parameters_)
        if (key == name) all.push_back(value);
    return all;
}

void Query::add(std::string name, std::string value) {
    parameters_.emplace_back(std::move(name), std::move(value));
}

std::string Query::to_string() const {
    std::string text;
    for (const auto& [name, value] : parameters_) {
        if (!text.empty()) text += '&';
        text += percent_encode(name) + '=' + percent_encode(value);
    }
    return text;
}

}  // namespace penstock::http
