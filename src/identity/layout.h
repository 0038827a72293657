// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

// Every width, limit and fixed word of the C-URL, version 1. Nothing else in Penstock spells them
// out: if an official grammar appears, this header and the parser are what a profile replaces.
namespace penstock::identity {

// Whole text.
inline constexpr std::size_t kCUrlLengthMax = 512;
inline constexpr std::size_t kPartLengthMax = 128;
inline constexpr std::string_view kScheme = "c-url://";
inline constexpr std::string_view kSchemeAlias = "curl://";  // read, never printed
inline constexpr std::size_t kAuthorityLengthMax = 253;
inline constexpr std::size_t kLabelLengthMax = 63;
inline constexpr std::size_t kAuthorityLabelsMin = 2;

// Registration code: node org city zone seq check.
inline constexpr std::size_t kNodeLength = 3;
inline constexpr std::size_t kOrgLength = 5;
inline constexpr std::size_t kCityLength = 6;
inline constexpr std::size_t kZoneLength = 2;
inline constexpr std::size_t kSeqLength = 8;
inline constexpr std::size_t kCheckLength = 1;
// Prefixes used for delegation and routing.
inline constexpr std::size_t kNodePrefixLength = kNodeLength;
inline constexpr std::size_t kOrgPrefixLength = kNodePrefixLength + kOrgLength;
inline constexpr std::size_t kCityPrefixLength = kOrgPrefixLength + kCityLength;
inline constexpr std::size_t kZonePrefixLength = kCityPrefixLength + kZoneLength;
inline constexpr std::size_t kUncheckedCodeLength = kZonePrefixLength + kSeqLength;
inline constexpr std::size_t kCodeLength = kUncheckedCodeLength + kCheckLength;
inline constexpr int kSeqBitsPerCharacter = 5;
inline constexpr std::uint64_t kSeqMax = (std::uint64_t{1} << 40) - 1;
inline constexpr std::string_view kServiceCity = "000000";
inline constexpr std::string_view kServiceZone = "SV";

// Resource part: R kind {.chip.count}.
inline constexpr std::size_t kKindLength = 3;
inline constexpr std::size_t kChipLengthMin = 2;
inline constexpr std::size_t kChipLengthMax = 16;
inline constexpr std::size_t kChipsMax = 8;
inline constexpr std::size_t kChipCountDigitsMax = 7;
inline constexpr std::uint64_t kChipCountMax = 9'999'999;

// Specification part: S attribute {-attribute}.
inline constexpr std::string_view kAttributeOrder = "PMTNV";  // then the other letters, ascending
inline constexpr std::size_t kValueDigitsMax = 6;
inline constexpr std::uint64_t kValueMax = 999'999;
inline constexpr std::size_t kRatesMax = 4;
inline constexpr std::size_t kPrecisionLengthMin = 2;
inline constexpr std::size_t kPrecisionLengthMax = 8;
inline constexpr std::size_t kVirtualisationLengthMax = 6;
inline constexpr std::size_t kOtherAttributeLengthMax = 24;
inline constexpr std::string_view kRateUnits = "GTPE";  // 10⁹, 10¹², 10¹⁵, 10¹⁸ operations/s
inline constexpr std::string_view kSizeUnits = "GTP";   // GiB, TiB, PiB
inline constexpr std::uint64_t kRateStep = 1000;
inline constexpr std::uint64_t kSizeStep = 1024;
inline constexpr int kSignificantDigits = 4;

// Path part: P protocol {.hop}.
inline constexpr std::size_t kPathCodeLengthMin = 2;
inline constexpr std::size_t kPathCodeLengthMax = 12;
inline constexpr std::size_t kHopsMax = 8;

// Service part: V kind [.name [.version]]. Instance part: I code.ordinal.
inline constexpr std::size_t kServiceKindLengthMin = 2;
inline constexpr std::size_t kServiceKindLengthMax = 8;
inline constexpr std::size_t kServiceLabelLengthMax = 32;
inline constexpr std::size_t kOrdinalDigitsMax = 4;

// Query and view.
inline constexpr std::size_t kTtlDigitsMax = 5;
inline constexpr std::uint64_t kTtlSecondsMax = 86'400;
inline constexpr std::size_t kGenerationDigitsMax = 18;
inline constexpr std::string_view kSelectorPrefix = "q.";
inline constexpr std::size_t kSelectorNameLengthMax = 32;
inline constexpr std::size_t kSelectorValueLengthMax = 64;
inline constexpr std::string_view kViewTotal = "K1";
inline constexpr std::string_view kViewAvailable = "K2";

// Codes of the first dictionaries that this module itself needs; all others pass through unread.
inline constexpr std::string_view kKindGeneralPurpose = "401";
inline constexpr std::string_view kKindAi = "402";
inline constexpr std::string_view kKindSupercomputing = "403";
inline constexpr std::string_view kChipAmd64 = "AMD64";
inline constexpr std::string_view kChipArm64 = "ARM64";

static_assert(kCodeLength == 25 && kZonePrefixLength == 16);
static_assert(kSeqLength * kSeqBitsPerCharacter == 40);

}  // namespace penstock::identity
