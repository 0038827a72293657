// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/c_url_error.h"
#include "identity/inline_text.h"
#include "identity/layout.h"
#include "identity/registration_code.h"

namespace penstock::identity {

// R402.ASC910B.8: what it is made of. Codes that no dictionary knows are kept as they are.
using KindCode = FixedText<kKindLength>;
using ChipCode = InlineText<kChipLengthMax>;
struct ChipCount {
    ChipCode chip;
    std::uint32_t count = 0;  // in the chip's unit of the dictionary: cores or cards
    bool operator==(const ChipCount&) const = default;
};
struct ResourcePart {
    KindCode kind;
    InlineList<ChipCount, kChipsMax> chips;  // ascending by code
    bool operator==(const ResourcePart&) const = default;
};

// SP2560T.FP16-M512G-N200R: how much it can do.
enum class RateUnit : char { giga = 'G', tera = 'T', peta = 'P', exa = 'E' };
struct PeakRate {
    std::uint32_t value = 0;
    RateUnit unit = RateUnit::tera;  // operations per second, dense, over the whole resource
    InlineText<kPrecisionLengthMax> precision;
    bool operator==(const PeakRate&) const = default;
};
enum class SizeUnit : char { gib = 'G', tib = 'T', pib = 'P' };
struct SizeValue {
    std::uint32_t value = 0;
    SizeUnit unit = SizeUnit::gib;
    bool operator==(const SizeValue&) const = default;
};
struct NetworkValue {
    std::uint32_t gbit_per_s = 0;  // per node
    char network_class = 'T';
    bool operator==(const NetworkValue&) const = default;
};
struct OtherAttribute {
    char letter = 'A';
    std::string value;
    bool operator==(const OtherAttribute&) const = default;
};
struct SpecPart {
    InlineList<PeakRate, kRatesMax> peak;  // ascending by precision
    std::optional<SizeValue> memory;       // next to the counted chips
    std::optional<SizeValue> storage;      // a task may use
    std::optional<NetworkValue> network;
    InlineText<kVirtualisationLengthMax> virtualisation;  // ascending letters
    std::vector<OtherAttribute> others;                   // of later versions; ascending by letter
    bool operator==(const SpecPart&) const = default;
};

// PSRV6.IXP: how it is reached.
using PathCode = InlineText<kPathCodeLengthMax>;
struct PathPart {
    PathCode protocol;
    InlineList<PathCode, kHopsMax> hops;  // in travel order, the resource's end last
    bool operator==(const PathPart&) const = default;
};

// VLLM.qwen3-32b.2026-09: what a service does.
struct ServicePart {
    InlineText<kServiceKindLengthMax> kind;
    InlineText<kServiceLabelLengthMax> name;     // may be empty
    InlineText<kServiceLabelLengthMax> version;  // may be empty; never without a name
    bool operator==(const ServicePart&) const = default;
};
// I<code>.1: one running instance of the service, on the resource that hosts it.
struct InstancePart {
    RegistrationCode host;
    std::uint16_t ordinal = 0;  // 1 … 9999
    bool operator==(const InstancePart&) const = default;
};

struct Selector {
    std::string name;  // without "q."
    std::string value;
    bool operator==(const Selector&) const = default;
};
struct Query {
    std::vector<Selector> selectors;              // ascending by name
    std::optional<std::uint32_t> ttl_s;           // an answer no older than this
    std::optional<std::uint64_t> generation_min;  // an answer of at least this generation
    bool operator==(const Query&) const = default;
};
enum class CapacityView : std::uint8_t { total, available };  // K1, K2

// What a C-URL names, without any description: the key for maps and caches. A resource or service
// has its code alone; an instance adds the code of its host and its ordinal.
struct Identity {
    RegistrationCode code;
    std::optional<InstancePart> instance;
    bool operator==(const Identity&) const = default;
};

// A computing-power identifier. Four parts describe, the registration code alone identifies:
// two C-URLs are equal when their identities are, whatever else they say (compare `to_string` for
// sameness of the text). The authority is a hint where to resolve and proves nothing.
// A spec occurs only after a resource part, a path only after a spec; a service code has at most
// one of service and instance and none of those three. `parse` gives nothing else; `validate` tells
// for one built by hand.
struct CUrl {
    InlineText<kAuthorityLengthMax> authority;
    RegistrationCode code;
    std::optional<ResourcePart> resource;
    std::optional<SpecPart> spec;
    std::optional<PathPart> path;
    std::optional<ServicePart> service;
    std::optional<InstancePart> instance;
    Query query;
    std::optional<CapacityView> view;

    Identity identity() const { return {code, instance}; }
    bool operator==(const CUrl& other) const {
        return code == other.code && instance == other.instance;
    }
};

// Strict: for the wire, the store and everything signed. Never throws; allocates only for
// attributes of unknown letters, for selectors and for errors.
Parsed<CUrl> parse(std::string_view text);
// The one canonical text; parse(to_string(x)) gives x back field by field.
std::string to_string(const CUrl& c_url);
Parsed<void> validate(const CUrl& c_url);

// Reads a C-URL or a bare registration code: for APIs, which take either.
Parsed<Identity> parse_identity(std::string_view text);

// What a person typed, made strict where that is harmless: outer white space goes, scheme and host
// become lower case, a bare code upper case. For command line and console only.
std::string tidy_input(std::string_view typed);
Parsed<CUrl> parse_lenient(std::string_view typed);
Parsed<Identity> parse_identity_lenient(std::string_view typed);

}  // namespace penstock::identity

template <>
struct std::hash<penstock::identity::Identity> {
    std::size_t operator()(const penstock::identity::Identity& identity) const noexcept;
};
template <>
struct std::hash<penstock::identity::CUrl> {
    std::size_t operator()(const penstock::identity::CUrl& c_url) const noexcept {
        return std::hash<penstock::identity::Identity>{}(c_url.identity());
    }
};
