// SPDX-License-Identifier: Apache-2.0
// code  = node org city zone seq check
// node  = UPPER 2DIGIT     org = 5an     city = 6DIGIT     zone = 2an     (an = DIGIT / UPPER)
// seq   = 8 Crockford base-32 characters, 1 … 2^40-1     check = an
// City 000000 goes with zone SV, and zone SV with city 000000 only.
#include "identity/registration_code.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "identity/character.h"

namespace penstock::identity {
namespace {

constexpr unsigned kCheckRadix = 36;
constexpr std::string_view kCheckAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

unsigned check_value(char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'A' + 10); }

std::unexpected<CUrlError> refuse(
    CUrlErrorCode code, std::size_t position, std::string message, std::string remedy
) {
    return std::unexpected(CUrlError{code, position, std::move(message), std::move(remedy)});
}

struct Field {
    std::size_t begin;
    std::size_t length;
    CharacterSet set;
    std::string_view remedy;
};
constexpr std::array kFields = {
    Field{0, 1, kUpper, "a code starts with the node's class, an upper-case letter"},
    Field{1, 2, kDigit, "the node's number is two digits"},
    Field{
        kNodePrefixLength, kOrgLength, kUpperOrDigit, "the org is 5 digits or upper-case letters"
    },
    Field{kOrgPrefixLength, kCityLength, kDigit, "the city is 6 digits"},
    Field{
        kCityPrefixLength, kZoneLength, kUpperOrDigit, "the zone is 2 digits or upper-case letters"
    },
    Field{
        kZonePrefixLength, kSeqLength, kBase32,
        "the number is base 32: digits and upper-case letters without I, L, O, U"
    },
    Field{
        kUncheckedCodeLength, kCheckLength, kUpperOrDigit,
        "the check character is a digit or an upper-case letter"
    },
};

std::optional<CUrlError> find_malformed(std::string_view text) {
    if (text.size() != kCodeLength)
        return CUrlError{
            CUrlErrorCode::bad_reg, std::min(text.size(), kCodeLength),
            "a registration code has 25 characters, this one " + std::to_string(text.size()),
            "copy the whole code, without spaces"
        };
    for (const Field& field : kFields) {
        const std::string_view value = text.substr(field.begin, field.length);
        for (std::size_t i = 0; i < value.size(); ++i)
            if (!field.set.holds(value[i]))
                return CUrlError{
                    CUrlErrorCode::bad_reg, field.begin + i,
                    "the registration code has '" + std::string(1, value[i]) + "' here",
                    std::string(field.remedy)
                };
    }
    return {};
}

// The rules on the place apply to a code and to a prefix alike.
std::optional<CUrlError> find_reserved_place(const ZonePrefix& prefix) {
    if (prefix.is_service() && prefix.zone != kServiceZone)
        return CUrlError{
            CUrlErrorCode::reserved, kCityPrefixLength,
            "city 000000 means a service, but the zone is " + std::string(prefix.zone.view()),
            "a service has zone SV, a resource a city other than 000000"
        };
    if (!prefix.is_service() && prefix.zone == kServiceZone)
        return CUrlError{
            CUrlErrorCode::reserved, kCityPrefixLength,
            "zone SV is kept for services, but the city is " + std::string(prefix.city.view()),
            "name the zone of a resource otherwise, or use city 000000 for a service"
        };
    return {};
}

std::uint64_t read_seq(std::string_view text) {
    std::uint64_t seq = 0;
    for (const char c : text) seq = (seq << kSeqBitsPerCharacter) | base32_value(c);
    return seq;
}

}  // namespace

char check_character(std::string_view digits_and_upper_case) {
    unsigned product = kCheckRadix;
    for (const char c : digits_and_upper_case) {
        CHECK(kUpperOrDigit.holds(c), "callers test the characters first");
        unsigned sum = product + check_value(c);
        if (sum > kCheckRadix) sum -= kCheckRadix;
        product = 2 * sum;
        if (product > kCheckRadix) product -= kCheckRadix + 1;
    }
    return kCheckAlphabet[(kCheckRadix + 1 - product) % kCheckRadix];
}

Parsed<RegistrationCode> parse_registration_code(std::string_view text) {
    if (auto error = find_malformed(text)) return std::unexpected(*std::move(error));
    const char check = check_character(text.substr(0, kUncheckedCodeLength));
    if (text.back() != check)
        return refuse(
            CUrlErrorCode::bad_check, kUncheckedCodeLength,
            "the check character is " + std::string(1, text.back()) +
                ", but the 24 characters before it need " + std::string(1, check),
            "compare the code with its source; a character was mistyped or two were swapped"
        );
    const RegistrationCode code{
        .node = NodeCode(text.substr(0, kNodeLength)),
        .org = OrgCode(text.substr(kNodePrefixLength, kOrgLength)),
        .city = CityCode(text.substr(kOrgPrefixLength, kCityLength)),
        .zone = ZoneCode(text.substr(kCityPrefixLength, kZoneLength)),
        .seq = read_seq(text.substr(kZonePrefixLength, kSeqLength)),
    };
    if (code.seq == 0)
        return refuse(
            CUrlErrorCode::reserved, kZonePrefixLength, "number 00000000 is never issued",
            "numbers start at 00000001"
        );
    if (auto error = find_reserved_place(code.prefix())) return std::unexpected(*std::move(error));
    return code;
}

CodeText print(const RegistrationCode& code) {
    CHECK(code.seq <= kSeqMax, "issuing and parsing both stay within 40 bits");
    CodeText text;
    auto* at = text.data();
    for (const std::string_view field :
         {code.node.view(), code.org.view(), code.city.view(), code.zone.view()})
        at = std::ranges::copy(field, at).out;
    for (std::size_t i = kSeqLength; i-- > 0;)
        *at++ =
            base32_character(static_cast<unsigned>((code.seq >> (i * kSeqBitsPerCharacter)) & 31));
    *at = check_character({text.data(), kUncheckedCodeLength});
    return text;
}

std::string to_string(const RegistrationCode& code) {
    const CodeText text = print(code);
    return {text.data(), text.size()};
}

std::string to_string(const ZonePrefix& prefix) {
    std::string text;
    for (const std::string_view field :
         {prefix.node.view(), prefix.org.view(), prefix.city.view(), prefix.zone.view()})
        text += field;
    return text;
}

Result<void> validate(const ZonePrefix& prefix) {
    const std::string text = to_string(prefix);
    for (const Field& field : kFields) {
        if (field.begin >= kZonePrefixLength) break;
        if (!field.set.holds_all(std::string_view(text).substr(field.begin, field.length)))
            return fail(
                ErrorCode::invalid_argument,
                "'" + text + "' is no prefix of a registration code: " + std::string(field.remedy)
            );
    }
    if (const auto error = find_reserved_place(prefix)) return std::unexpected(to_error(*error));
    return {};
}

}  // namespace penstock::identity

std::size_t std::hash<penstock::identity::RegistrationCode>::operator()(
    const penstock::identity::RegistrationCode& code
) const noexcept {
    // Codes of one owner differ in seq only, and small ones: the multiplication spreads them.
    std::uint64_t mixed = code.seq * 0x9E3779B97F4A7C15ULL;
    for (const std::string_view field :
         {code.node.view(), code.org.view(), code.city.view(), code.zone.view()})
        for (const char c : field)
            mixed = (mixed ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    return static_cast<std::size_t>(mixed ^ (mixed >> 32));
}
