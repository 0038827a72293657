// SPDX-License-Identifier: Apache-2.0
#include "identity/c_url.h"

#include <algorithm>
#include <utility>

#include "identity/character.h"

namespace penstock::identity {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n\f\v";

std::string_view trim(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(kWhiteSpace);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kWhiteSpace) - begin + 1);
}

char lower(char c) { return kUpper.holds(c) ? static_cast<char>(c - 'A' + 'a') : c; }
char upper(char c) { return kLower.holds(c) ? static_cast<char>(c - 'a' + 'A') : c; }

bool has_text(const RegistrationCode& code) {
    return code.seq <= kSeqMax && validate(code.prefix()).has_value();
}

bool same_fields(const CUrl& left, const CUrl& right) {
    return left.authority == right.authority && left == right && left.resource == right.resource &&
           left.spec == right.spec && left.path == right.path && left.service == right.service &&
           left.query == right.query && left.view == right.view;
}

}  // namespace

Parsed<void> validate(const CUrl& c_url) {
    if (!has_text(c_url.code) || (c_url.instance && !has_text(c_url.instance->host)))
        return std::unexpected(CUrlError{
            CUrlErrorCode::bad_reg, 0, "a registration code has no text", "use an issued code"
        });
    const auto read = parse(to_string(c_url));
    if (!read) return std::unexpected(read.error());
    // A value may hold a separator and so read back as something else.
    if (!same_fields(*read, c_url))
        return std::unexpected(CUrlError{
            CUrlErrorCode::bad_part, 0, "the text of these fields reads back as other fields",
            "keep separators out of codes, and give a service's version only with its name"
        });
    return {};
}

std::string tidy_input(std::string_view typed) {
    std::string text(trim(typed));
    const std::size_t scheme_end = text.find("://");
    if (scheme_end == std::string::npos) {
        if (text.size() == kCodeLength) std::ranges::transform(text, text.begin(), upper);
        return text;
    }
    const std::size_t host_end = std::min(text.find_first_of("/?#", scheme_end + 3), text.size());
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(host_end);
    std::transform(text.begin(), end, text.begin(), lower);
    return text;
}

Parsed<CUrl> parse_lenient(std::string_view typed) { return parse(tidy_input(typed)); }

Parsed<Identity> parse_identity_lenient(std::string_view typed) {
    return parse_identity(tidy_input(typed));
}

}  // namespace penstock::identity

std::size_t std::hash<penstock::identity::Identity>::operator()(
    const penstock::identity::Identity& identity
) const noexcept {
    const std::hash<penstock::identity::RegistrationCode> of_code;
    std::size_t mixed = of_code(identity.code);
    if (identity.instance)
        mixed = (mixed * 31 + of_code(identity.instance->host)) * 31 + identity.instance->ordinal;
    return mixed;
}
