// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "identity/c_url.h"

namespace penstock::identity {

// The unit in which the dictionary counts a chip: host processors in cores, all others in cards.
enum class ChipUnit : std::uint8_t { core, card };
struct ChipAmount {
    std::string chip;
    std::uint64_t count = 0;
    ChipUnit unit = ChipUnit::card;
};
struct PeakAmount {
    std::string precision;
    std::uint64_t giga_ops_per_s = 0;  // dense, over the whole resource
};
struct NetworkAmount {
    std::uint64_t mbit_per_s = 0;  // per node
    char network_class = 'T';
};
struct PathDescription {
    std::string protocol;
    std::vector<std::string> hops;
};

// A resource in exact figures, as a probe or a provider states them. What is not known stays
// absent: it is never written as 0. Chips of one code are added up, in any order.
struct ResourceDescription {
    std::string kind;
    std::vector<ChipAmount> chips;
    std::vector<PeakAmount> peak;
    std::optional<std::uint64_t> device_memory_bytes;  // what M says where a card is counted
    std::optional<std::uint64_t> host_memory_bytes;    // what M says otherwise
    std::optional<std::uint64_t> storage_bytes;
    std::optional<NetworkAmount> network;
    std::string virtualisation;  // letters, in any order
    std::optional<PathDescription> path;
};

// `left_out` tells in words what the C-URL could not hold: a part over a limit (and those behind
// it), or a figure below half of its smallest unit. The exact figures belong into the record.
struct DescribedResource {
    CUrl c_url;
    std::vector<std::string> left_out;
};
// The canonical C-URL of a resource. Figures are rounded half up to 4 significant digits in the
// greatest unit that keeps them whole. When the text would pass a limit the path goes, then the
// spec, then the resource part; no part is cut. A malformed code is invalid_argument.
Result<DescribedResource> describe_resource(
    std::string_view authority, const RegistrationCode& code, const ResourceDescription& description
);

// The chip code of a host processor by the machine name the operating system gives ("x86_64").
std::optional<std::string_view> host_chip(std::string_view machine);
// A description of a site without accelerators: kind 401 and its processor counted in cores.
ResourceDescription general_purpose_site(std::string_view chip, std::uint64_t cores);

// `amount` in units of `base` · `step`^n, n below `unit_count`, by the rounding rule above.
struct ShortQuantity {
    std::uint64_t value = 0;  // 0: below half of the smallest unit
    std::size_t unit = 0;
    bool operator==(const ShortQuantity&) const = default;
};
struct UnitLadder {
    std::uint64_t base = 1;
    std::uint64_t step = 1;
    std::size_t unit_count = 1;
};
inline constexpr UnitLadder kRateLadder{1, kRateStep, kRateUnits.size()};           // giga
inline constexpr UnitLadder kSizeLadder{1ULL << 30, kSizeStep, kSizeUnits.size()};  // bytes
inline constexpr UnitLadder kNetworkLadder{1000, 1, 1};                             // Mbit/s
// Nothing when even the greatest unit needs more than 6 digits.
std::optional<ShortQuantity> shorten(std::uint64_t amount, const UnitLadder& ladder);

}  // namespace penstock::identity
