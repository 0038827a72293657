// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "identity/c_url_error.h"
#include "identity/inline_text.h"
#include "identity/layout.h"

namespace penstock::identity {

using NodeCode = FixedText<kNodeLength>;  // "R21": the node that issued the code
using OrgCode = FixedText<kOrgLength>;    // "01002": the registrant
using CityCode = FixedText<kCityLength>;  // "420100": division code; 000000 = no place (a service)
using ZoneCode = FixedText<kZoneLength>;  // "A1": failure domain, named by the org

// Under what numbers are counted. `validate` tells whether the grammar allows it.
struct ZonePrefix {
    NodeCode node;
    OrgCode org;
    CityCode city;
    ZoneCode zone;
    bool is_service() const { return city == kServiceCity; }
    auto operator<=>(const ZonePrefix&) const = default;
};
std::string to_string(const ZonePrefix& prefix);
Result<void> validate(const ZonePrefix& prefix);

// The identity of a resource or a service: 25 characters, of which the last is computed. A code is
// never reissued and never changes its meaning. A default-made one (seq 0) names nothing.
// Order is that of the text.
struct RegistrationCode {
    NodeCode node;
    OrgCode org;
    CityCode city;
    ZoneCode zone;
    std::uint64_t seq = 0;  // 1 … kSeqMax

    bool is_service() const { return city == kServiceCity; }
    ZonePrefix prefix() const { return {node, org, city, zone}; }
    auto operator<=>(const RegistrationCode&) const = default;
};

using CodeText = std::array<char, kCodeLength>;
// The text without an allocation.
CodeText print(const RegistrationCode& code);
std::string to_string(const RegistrationCode& code);

// Reads exactly 25 characters: bad_reg, then bad_check, then reserved.
Parsed<RegistrationCode> parse_registration_code(std::string_view text);

// ISO 7064 MOD 37,36 over digits and upper-case letters: finds every single wrong character and
// most neighbour swaps. A guard against slips of the pen, not against forgery.
char check_character(std::string_view digits_and_upper_case);

}  // namespace penstock::identity

template <>
struct std::hash<penstock::identity::RegistrationCode> {
    std::size_t operator()(const penstock::identity::RegistrationCode& code) const noexcept;
};
