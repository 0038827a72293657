// SPDX-License-Identifier: Apache-2.0
// spec = S attr *( "-" attr )                        in the order P M T N V, then other letters
// attr = P rate *3( "." rate )                       rate = number (G/T/P/E) "." precision
//      / M number (G/T/P)  /  T number (G/T/P)       GiB, TiB, PiB
//      / N number UPPER  /  V 1*6UPPER  /  another upper-case letter 1*24( DIGIT / UPPER / "." )
#include <string>

#include "identity/part_parse.h"

namespace penstock::identity {
namespace {

std::string quoted(const Token& token) { return "'" + std::string(token.text) + "'"; }

// Where an attribute stands in canonical order.
std::size_t rank(char letter) {
    const std::size_t known = kAttributeOrder.find(letter);
    return known != std::string_view::npos ? known : static_cast<unsigned char>(letter);
}

// A number and its unit, as 512G. `step` and `top` say when the next greater unit is due.
struct UnitRule {
    std::string_view units;
    std::uint64_t step;
    std::string_view what;
};
constexpr UnitRule kRateRule{kRateUnits, kRateStep, "the peak rate"};
constexpr UnitRule kMemoryRule{kSizeUnits, kSizeStep, "the memory"};
constexpr UnitRule kStorageRule{kSizeUnits, kSizeStep, "the storage"};

std::optional<std::uint32_t> read_quantity(
    const Token& token, const UnitRule& rule, char& unit, Verdict& verdict
) {
    const std::size_t found =
        token.empty() ? std::string_view::npos : rule.units.find(token.text.back());
    if (found == std::string_view::npos) {
        verdict.malformed(
            token.after(token.empty() ? 0 : token.text.size() - 1),
            std::string(rule.what) + " " + quoted(token) + " has no unit",
            "end the number with one of the letters " + std::string(rule.units)
        );
        return {};
    }
    unit = rule.units[found];
    const Token digits{token.text.substr(0, token.text.size() - 1), token.position};
    const auto value = verdict.number(digits, kValueDigitsMax, kValueMax, rule.what);
    if (!value) return {};
    if (found + 1 < rule.units.size() && *value % rule.step == 0)
        verdict.not_canonical(
            digits, std::string(rule.what) + " is a multiple of " + std::to_string(rule.step),
            "write " + std::to_string(*value / rule.step) + rule.units[found + 1]
        );
    return static_cast<std::uint32_t>(*value);
}

bool read_peak(Token rest, SpecPart& out, Verdict& verdict) {
    for (bool more = true; more;) {
        const Token quantity = rest.cut('.', more);
        PeakRate rate;
        char unit{};
        const auto value = read_quantity(quantity, kRateRule, unit, verdict);
        if (!value) return false;
        if (!more)
            return verdict.malformed(
                rest, "peak rate " + std::string(quantity.text) + " names no precision",
                "add '.' and the precision, as FP16"
            );
        const Token precision = rest.cut('.', more);
        if (!precision.matches(kPrecisionLengthMin, kPrecisionLengthMax, kUpper, kUpperOrDigit))
            return verdict.malformed(
                precision, quoted(precision) + " is no precision",
                "write 2 to 8 upper-case letters and digits, a letter first"
            );
        if (out.peak.full())
            return verdict.malformed(
                quantity, "this is peak rate " + std::to_string(kRatesMax + 1),
                "name at most " + std::to_string(kRatesMax) + " precisions"
            );
        if (!out.peak.empty() && precision.text <= out.peak.back().precision.view())
            verdict.not_canonical(
                precision,
                "precision " + std::string(precision.text) + " stands after " +
                    std::string(out.peak.back().precision.view()),
                "list each precision once, ascending"
            );
        rate.value = *value;
        rate.unit = static_cast<RateUnit>(unit);
        rate.precision.assign(precision.text);
        out.peak.push_back(rate);
    }
    return true;
}

bool read_size(
    const Token& token, const UnitRule& rule, std::optional<SizeValue>& out, Verdict& verdict
) {
    char unit{};
    const auto value = read_quantity(token, rule, unit, verdict);
    if (!value) return false;
    out = SizeValue{*value, static_cast<SizeUnit>(unit)};
    return true;
}

bool read_network(const Token& token, SpecPart& out, Verdict& verdict) {
    if (token.empty() || !kUpper.holds(token.text.back()))
        return verdict.malformed(
            token, "the network " + quoted(token) + " has no class",
            "write Gbit/s per node and a class letter, as N200R"
        );
    const Token digits{token.text.substr(0, token.text.size() - 1), token.position};
    const auto value = verdict.number(digits, kValueDigitsMax, kValueMax, "the network rate");
    if (!value) return false;
    out.network = NetworkValue{static_cast<std::uint32_t>(*value), token.text.back()};
    return true;
}

bool read_virtualisation(const Token& token, SpecPart& out, Verdict& verdict) {
    if (!token.matches(1, kVirtualisationLengthMax, kUpper, kUpper))
        return verdict.malformed(
            token, quoted(token) + " names no virtualisation",
            "write 1 to 6 upper-case letters after V"
        );
    for (std::size_t i = 1; i < token.text.size(); ++i)
        if (token.text[i] <= token.text[i - 1])
            verdict.not_canonical(
                token.after(i), "the letters after V are not ascending",
                "write each letter once, in the order of the alphabet"
            );
    out.virtualisation.assign(token.text);
    return true;
}

bool read_other(char letter, const Token& token, SpecPart& out, Verdict& verdict) {
    const bool fits = !token.empty() && token.text.size() <= kOtherAttributeLengthMax;
    const auto allowed = [](char c) { return c == '.' || kUpperOrDigit.holds(c); };
    if (!fits || !std::ranges::all_of(token.text, allowed))
        return verdict.malformed(
            token, "attribute " + std::string(1, letter) + " has the value " + quoted(token),
            "write 1 to 24 upper-case letters, digits and dots"
        );
    out.others.push_back({letter, std::string(token.text)});
    return true;
}

bool read_attribute(const Token& attribute, SpecPart& out, Verdict& verdict) {
    if (attribute.empty() || !kUpper.holds(attribute.text[0]))
        return verdict.malformed(
            attribute, quoted(attribute) + " is no attribute",
            "start each attribute with its upper-case letter"
        );
    const Token value = attribute.after(1);
    switch (attribute.text[0]) {
        case 'P':
            return read_peak(value, out, verdict);
        case 'M':
            return read_size(value, kMemoryRule, out.memory, verdict);
        case 'T':
            return read_size(value, kStorageRule, out.storage, verdict);
        case 'N':
            return read_network(value, out, verdict);
        case 'V':
            return read_virtualisation(value, out, verdict);
        default:
            return read_other(attribute.text[0], value, out, verdict);
    }
}

}  // namespace

bool read_spec_part(Token part, SpecPart& out, Verdict& verdict) {
    Token rest = part.after(1);
    std::optional<char> previous;
    for (bool more = true; more;) {
        const Token attribute = rest.cut('-', more);
        if (!attribute.empty() && previous && rank(attribute.text[0]) <= rank(*previous)) {
            verdict.not_canonical(
                attribute,
                "attribute " + std::string(1, attribute.text[0]) + " stands after " +
                    std::string(1, *previous),
                "write each attribute once, in the order P M T N V and then by letter"
            );
            // The text is refused anyway; a second list must not run into the first one's limit.
            if (attribute.text[0] == 'P') out.peak = {};
        }
        if (!read_attribute(attribute, out, verdict)) return false;
        previous = attribute.text[0];
    }
    return verdict.close();
}

}  // namespace penstock::identity
