// SPDX-License-Identifier: Apache-2.0
#include "identity/resource_encoder.h"

#include <algorithm>
#include <map>
#include <utility>

#include "identity/character.h"
#include "identity/scanner.h"

namespace penstock::identity {
namespace {

using Wide = unsigned __int128;  // bytes times powers of ten pass 64 bits

Wide round_to_significant(Wide amount, Wide unit) {
    constexpr Wide limit = [] {
        Wide power = 1;
        for (int i = 0; i < kSignificantDigits; ++i) power *= 10;
        return power;
    }();
    Wide scale = 1;
    for (;;) {
        const Wide divisor = unit * scale;
        const Wide digits = (amount + divisor / 2) / divisor;
        if (digits < limit) return digits * scale;
        scale *= 10;
    }
}

Result<void> check_code(
    const std::string& field, std::string_view text, std::size_t min, std::size_t max,
    CharacterSet first
) {
    if (Token{text, 0}.matches(min, max, first, kUpperOrDigit)) return {};
    return fail_field(
        ErrorCode::invalid_argument, field,
        "'" + std::string(text) + "' is no code; write " + std::to_string(min) + " to " +
            std::to_string(max) + " upper-case letters and digits"
    );
}

std::string indexed(std::string_view list, std::size_t index, std::string_view member) {
    return std::string(list) + "[" + std::to_string(index) + "]." + std::string(member);
}

// Builds the parts one after the other and remembers what did not fit.
class Encoder {
  public:
    explicit Encoder(const ResourceDescription& description) : description_(description) {}

    Result<void> check() const;
    void encode_resource(CUrl& c_url);
    void encode_spec(CUrl& c_url);
    void encode_path(CUrl& c_url);
    void fit_whole(CUrl& c_url);
    std::vector<std::string> take_left_out() { return std::move(left_out_); }

  private:
    Result<void> check_figures() const;
    // The figure, or nothing with a line in left_out_. `over` is set when it is too great.
    std::optional<ShortQuantity> figure(
        std::string_view what, std::uint64_t amount, const UnitLadder& ladder, bool& over
    );
    std::optional<SizeValue> size(
        std::string_view what, const std::optional<std::uint64_t>& bytes, bool& over
    );
    void encode_peak(SpecPart& spec, bool& over);
    void leave_out(std::string line) { left_out_.push_back(std::move(line)); }

    const ResourceDescription& description_;
    std::vector<std::string> left_out_;
};

Result<void> Encoder::check() const {
    if (description_.kind.size() != kKindLength || !kDigit.holds_all(description_.kind))
        return fail_field(
            ErrorCode::invalid_argument, "kind",
            "'" + description_.kind + "' is no resource kind; write three digits, as 401"
        );
    for (std::size_t i = 0; i < description_.chips.size(); ++i) {
        const ChipAmount& chip = description_.chips[i];
        TRY(check_code(
            indexed("chips", i, "chip"), chip.chip, kChipLengthMin, kChipLengthMax, kUpper
        ));
        if (chip.count == 0)
            return fail_field(
                ErrorCode::invalid_argument, indexed("chips", i, "count"),
                "0 chips cannot be described; leave the chip out"
            );
    }
    if (const auto& path = description_.path) {
        TRY(check_code(
            "path.protocol", path->protocol, kPathCodeLengthMin, kPathCodeLengthMax, kUpper
        ));
        for (std::size_t i = 0; i < path->hops.size(); ++i)
            TRY(check_code(
                "path.hops[" + std::to_string(i) + "]", path->hops[i], kPathCodeLengthMin,
                kPathCodeLengthMax, kUpperOrDigit
            ));
    }
    return check_figures();
}

Result<void> Encoder::check_figures() const {
    for (std::size_t i = 0; i < description_.peak.size(); ++i) {
        const std::string& precision = description_.peak[i].precision;
        TRY(check_code(
            indexed("peak", i, "precision"), precision, kPrecisionLengthMin, kPrecisionLengthMax,
            kUpper
        ));
        if (std::ranges::count(description_.peak, precision, &PeakAmount::precision) > 1)
            return fail_field(
                ErrorCode::invalid_argument, indexed("peak", i, "precision"),
                precision + " occurs twice; state one peak over the whole resource"
            );
    }
    if (description_.network && !kUpper.holds(description_.network->network_class))
        return fail_field(
            ErrorCode::invalid_argument, "network.network_class",
            "the class is one upper-case letter, as R or T"
        );
    if (!kUpper.holds_all(description_.virtualisation))
        return fail_field(
            ErrorCode::invalid_argument, "virtualisation",
            "'" + description_.virtualisation + "' holds more than upper-case letters"
        );
    return {};
}

void Encoder::encode_resource(CUrl& c_url) {
    // Counts are added with care: a sum past the limit stays past it instead of wrapping.
    std::map<std::string, std::uint64_t> counts;
    for (const ChipAmount& chip : description_.chips) {
        std::uint64_t& sum = counts[chip.chip];
        sum = std::min(sum, kChipCountMax + 1) + std::min(chip.count, kChipCountMax + 1);
    }
    if (counts.size() > kChipsMax)
        return leave_out("resource: " + std::to_string(counts.size()) + " chips, at most 8 fit");
    ResourcePart part{KindCode(description_.kind), {}};
    std::size_t length = 1 + kKindLength;
    for (const auto& [chip, count] : counts) {
        if (count > kChipCountMax)
            return leave_out("resource: the count of " + chip + " has more than 7 digits");
        part.chips.push_back({ChipCode(chip), static_cast<std::uint32_t>(count)});
        length += 2 + chip.size() + std::to_string(count).size();
    }
    if (length > kPartLengthMax)
        return leave_out(
            "resource: the part has " + std::to_string(length) + " octets, at most 128 fit"
        );
    c_url.resource = part;
}

std::optional<ShortQuantity> Encoder::figure(
    std::string_view what, std::uint64_t amount, const UnitLadder& ladder, bool& over
) {
    const auto quantity = shorten(amount, ladder);
    if (!quantity) {
        over = true;
        leave_out("spec: " + std::string(what) + " has more than 6 digits in its greatest unit");
        return {};
    }
    if (quantity->value == 0) {
        leave_out(std::string(what) + ": below half of the smallest unit");
        return {};
    }
    return quantity;
}

std::optional<SizeValue> Encoder::size(
    std::string_view what, const std::optional<std::uint64_t>& bytes, bool& over
) {
    if (!bytes) return {};
    const auto quantity = figure(what, *bytes, kSizeLadder, over);
    if (!quantity) return {};
    return SizeValue{
        static_cast<std::uint32_t>(quantity->value),
        static_cast<SizeUnit>(kSizeUnits[quantity->unit])
    };
}

void Encoder::encode_peak(SpecPart& spec, bool& over) {
    std::vector<PeakAmount> peak = description_.peak;
    std::ranges::sort(peak, {}, &PeakAmount::precision);
    for (const PeakAmount& amount : peak) {
        const auto quantity =
            figure("peak " + amount.precision, amount.giga_ops_per_s, kRateLadder, over);
        if (!quantity) continue;
        if (spec.peak.full()) {
            over = true;
            return leave_out("spec: more than 4 precisions");
        }
        spec.peak.push_back(
            {static_cast<std::uint32_t>(quantity->value),
             static_cast<RateUnit>(kRateUnits[quantity->unit]),
             InlineText<kPrecisionLengthMax>(amount.precision)}
        );
    }
}

void Encoder::encode_spec(CUrl& c_url) {
    SpecPart spec;
    bool over = false;
    encode_peak(spec, over);
    const auto is_card = [](const ChipAmount& chip) { return chip.unit == ChipUnit::card; };
    const bool has_card = std::ranges::any_of(description_.chips, is_card);
    spec.memory = size(
        "memory", has_card ? description_.device_memory_bytes : description_.host_memory_bytes, over
    );
    spec.storage = size("storage", description_.storage_bytes, over);
    if (const auto& network = description_.network)
        if (const auto rate = figure("network", network->mbit_per_s, kNetworkLadder, over))
            spec.network = {static_cast<std::uint32_t>(rate->value), network->network_class};
    std::string letters = description_.virtualisation;
    std::ranges::sort(letters);
    const auto repeated = std::ranges::unique(letters);
    letters.erase(repeated.begin(), repeated.end());
    if (letters.size() > kVirtualisationLengthMax) {
        over = true;
        leave_out("spec: more than 6 virtualisation letters");
    } else {
        spec.virtualisation.assign(letters);
    }
    if (over || spec == SpecPart{}) return;
    if (!c_url.resource) return leave_out("spec: it needs a resource part before it");
    c_url.spec = std::move(spec);
}

void Encoder::encode_path(CUrl& c_url) {
    if (!description_.path) return;
    if (!c_url.spec) return leave_out("path: it needs a spec before it");
    if (description_.path->hops.size() > kHopsMax) return leave_out("path: more than 8 hops");
    PathPart part{PathCode(description_.path->protocol), {}};
    for (const std::string& hop : description_.path->hops) part.hops.push_back(PathCode(hop));
    c_url.path = part;
}

void Encoder::fit_whole(CUrl& c_url) {
    const auto too_long = [&] { return to_string(c_url).size() > kCUrlLengthMax; };
    const auto drop = [&](auto& part, std::string_view name) {
        if (!part || !too_long()) return;
        part.reset();
        leave_out(std::string(name) + ": the C-URL would have more than 512 octets");
    };
    drop(c_url.path, "path");
    drop(c_url.spec, "spec");
    drop(c_url.resource, "resource");
}

}  // namespace

std::optional<ShortQuantity> shorten(std::uint64_t amount, const UnitLadder& ladder) {
    std::vector<Wide> units{ladder.base};
    while (units.size() < ladder.unit_count) units.push_back(units.back() * ladder.step);
    // A figure that is whole in a greater unit keeps its digits there: 16384 GiB is 16T, not
    // 16380G.
    for (std::size_t i = units.size(); i-- > 0;) {
        const Wide value = amount / units[i];
        if (value == 0 || amount % units[i] != 0) continue;
        if (value <= kValueMax && round_to_significant(amount, units[i]) == value)
            return ShortQuantity{static_cast<std::uint64_t>(value), i};
        break;
    }
    for (std::size_t i = 0; i < units.size(); ++i) {
        Wide value = round_to_significant(amount, units[i]);
        if (value > kValueMax) continue;
        for (; value != 0 && i + 1 < units.size() && value % ladder.step == 0; ++i)
            value /= ladder.step;
        return ShortQuantity{static_cast<std::uint64_t>(value), i};
    }
    return {};
}

Result<DescribedResource> describe_resource(
    std::string_view authority, const RegistrationCode& code, const ResourceDescription& description
) {
    // The bare identity is tested first: it must be right whatever is left out later.
    DescribedResource described;
    if (authority.size() > kAuthorityLengthMax)
        return fail_field(ErrorCode::invalid_argument, "authority", "it has more than 253 octets");
    described.c_url.authority.assign(authority);
    described.c_url.code = code;
    if (const auto good = validate(described.c_url); !good)
        return std::unexpected(to_error(good.error(), "c_url"));
    if (code.is_service())
        return fail_field(
            ErrorCode::invalid_argument, "code",
            to_string(code) + " names a service; describe the resource it runs on"
        );
    Encoder encoder(description);
    TRY(encoder.check());
    encoder.encode_resource(described.c_url);
    encoder.encode_spec(described.c_url);
    encoder.encode_path(described.c_url);
    encoder.fit_whole(described.c_url);
    described.left_out = encoder.take_left_out();
    return described;
}

std::optional<std::string_view> host_chip(std::string_view machine) {
    if (machine == "x86_64" || machine == "amd64") return kChipAmd64;
    if (machine == "aarch64" || machine == "arm64") return kChipArm64;
    return {};
}

ResourceDescription general_purpose_site(std::string_view chip, std::uint64_t cores) {
    ResourceDescription site;
    site.kind = kKindGeneralPurpose;
    site.chips.push_back({std::string(chip), cores, ChipUnit::core});
    return site;
}

}  // namespace penstock::identity
