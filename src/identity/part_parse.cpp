// SPDX-License-Identifier: Apache-2.0
// res  = R 3DIGIT *8( "." chip "." number )          chip ascending, each once
// path = P protocol *8( "." hop )
// svc  = V kind [ "." name [ "." version ] ]
// inst = I code "." number
#include "identity/part_parse.h"

#include <string>

namespace penstock::identity {
namespace {

std::string quoted(const Token& token) { return "'" + std::string(token.text) + "'"; }

}  // namespace

std::optional<std::uint64_t> Verdict::number(
    const Token& token, std::size_t digits_max, std::uint64_t max, std::string_view what
) {
    const auto out_of_range = [&] {
        malformed(
            token, std::string(what) + " is " + quoted(token),
            "write a whole number from 1 to " + std::to_string(max)
        );
        return std::nullopt;
    };
    if (token.empty() || token.text.size() > digits_max || !kDigit.holds_all(token.text))
        return out_of_range();
    std::uint64_t value = 0;
    for (const char digit : token.text) value = value * 10 + static_cast<unsigned>(digit - '0');
    if (value == 0 || value > max) return out_of_range();
    if (token.text[0] == '0')
        not_canonical(
            token, std::string(what) + " has a leading zero", "write " + std::to_string(value)
        );
    return value;
}

bool is_label(std::string_view text, std::size_t length_max) {
    static constexpr CharacterSet inner = kLowerOrDigit;
    if (text.empty() || text.size() > length_max) return false;
    if (!inner.holds(text.front()) || !inner.holds(text.back())) return false;
    return std::ranges::all_of(text, [](char c) { return c == '-' || inner.holds(c); });
}

bool read_resource_part(Token part, ResourcePart& out, Verdict& verdict) {
    bool more = false;
    const Token kind = part.cut('.', more);
    if (!kind.after(1).matches(kKindLength, kKindLength, kDigit, kDigit))
        return verdict.malformed(
            kind, "the resource part starts with " + quoted(kind),
            "write R and three digits of the resource kind, as R402"
        );
    out.kind = KindCode(kind.after(1).text);
    while (more) {
        const Token chip = part.cut('.', more);
        if (!chip.matches(kChipLengthMin, kChipLengthMax, kUpper, kUpperOrDigit))
            return verdict.malformed(
                chip, quoted(chip) + " is no chip code",
                "write 2 to 16 upper-case letters and digits, a letter first"
            );
        if (!more)
            return verdict.malformed(
                part, "chip " + std::string(chip.text) + " has no count", "add '.' and the count"
            );
        const Token count = part.cut('.', more);
        const auto value =
            verdict.number(count, kChipCountDigitsMax, kChipCountMax, "the chip count");
        if (!value) return false;
        if (out.chips.full())
            return verdict.malformed(
                chip, "this is chip " + std::to_string(kChipsMax + 1),
                "a resource part has at most " + std::to_string(kChipsMax) + " chips"
            );
        if (!out.chips.empty() && chip.text <= out.chips.back().chip.view())
            verdict.not_canonical(
                chip,
                "chip " + std::string(chip.text) + " stands after " +
                    std::string(out.chips.back().chip.view()),
                "list each chip once, ascending by code"
            );
        out.chips.push_back({ChipCode(chip.text), static_cast<std::uint32_t>(*value)});
    }
    return verdict.close();
}

bool read_path_part(Token part, PathPart& out, Verdict& verdict) {
    bool more = false;
    const Token protocol = part.cut('.', more).after(1);
    if (!protocol.matches(kPathCodeLengthMin, kPathCodeLengthMax, kUpper, kUpperOrDigit))
        return verdict.malformed(
            protocol, quoted(protocol) + " is no path protocol",
            "write 2 to 12 upper-case letters and digits after P, a letter first"
        );
    out.protocol.assign(protocol.text);
    while (more) {
        const Token hop = part.cut('.', more);
        if (!hop.matches(kPathCodeLengthMin, kPathCodeLengthMax, kUpperOrDigit, kUpperOrDigit))
            return verdict.malformed(
                hop, quoted(hop) + " is no hop", "write 2 to 12 upper-case letters and digits"
            );
        if (out.hops.full())
            return verdict.malformed(
                hop, "this is hop " + std::to_string(kHopsMax + 1),
                "a path has at most " + std::to_string(kHopsMax) + " hops"
            );
        out.hops.push_back(PathCode(hop.text));
    }
    return verdict.close();
}

bool read_service_part(Token part, ServicePart& out, Verdict& verdict) {
    bool more = false;
    const Token kind = part.cut('.', more).after(1);
    if (!kind.matches(kServiceKindLengthMin, kServiceKindLengthMax, kUpperOrDigit, kUpperOrDigit))
        return verdict.malformed(
            kind, quoted(kind) + " is no service kind",
            "write 2 to 8 upper-case letters and digits after V"
        );
    out.kind.assign(kind.text);
    for (auto* label : {&out.name, &out.version}) {
        if (!more) break;
        const Token text = part.cut('.', more);
        if (!is_label(text.text, kServiceLabelLengthMax))
            return verdict.malformed(
                text, quoted(text) + " is no service name or version",
                "write 1 to 32 lower-case letters, digits and inner hyphens"
            );
        label->assign(text.text);
    }
    if (more)
        return verdict.malformed(
            part, "more follows the version", "write V<kind>, .<name> and .<version> only"
        );
    return verdict.close();
}

bool read_instance_part(Token part, InstancePart& out, Verdict& verdict) {
    bool more = false;
    const Token host = part.cut('.', more).after(1);
    if (!more)
        return verdict.malformed(
            part, "the instance has no ordinal", "write I<code of the hosting resource>.<1 to 9999>"
        );
    auto code = parse_registration_code(host.text);
    if (!code && code.error().code == CUrlErrorCode::bad_reg)
        return verdict.malformed(
            host.after(code.error().position), "in the host's code, " + code.error().message,
            code.error().remedy
        );
    const auto ordinal = verdict.number(part, kOrdinalDigitsMax, 9999, "the instance's ordinal");
    if (!ordinal) return false;
    if (!code) {
        code.error().position += host.position;
        return verdict.refuse(std::move(code).error());
    }
    if (code->is_service())
        return verdict.refuse(
            CUrlErrorCode::reserved, host, "the instance's host is itself a service",
            "name the resource that the instance runs on"
        );
    out = {*code, static_cast<std::uint16_t>(*ordinal)};
    return verdict.close();
}

}  // namespace penstock::identity
