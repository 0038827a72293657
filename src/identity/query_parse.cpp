// SPDX-License-Identifier: Apache-2.0
// query = param *( "&" param )                       ascending by name, each once
// param = "ttl=" number / "v=" number / "q." ident "=" 1*64value
// ident = ( LOWER / "_" ) *31( LOWER / DIGIT / "_" )
#include <algorithm>
#include <string>

#include "identity/part_parse.h"

namespace penstock::identity {
namespace {

bool is_selector_name(std::string_view text) {
    const auto first = [](char c) { return c == '_' || kLower.holds(c); };
    const auto rest = [](char c) { return c == '_' || kLowerOrDigit.holds(c); };
    return !text.empty() && text.size() <= kSelectorNameLengthMax && first(text[0]) &&
           std::ranges::all_of(text, rest);
}

bool read_selector(const Token& name, const Token& value, Query& out, Verdict& verdict) {
    const Token bare = name.after(kSelectorPrefix.size());
    if (!is_selector_name(bare.text))
        return verdict.malformed(
            bare, "'" + std::string(bare.text) + "' is no selector name",
            "write 1 to 32 lower-case letters, digits and '_' after q., no digit first"
        );
    if (value.empty() || value.text.size() > kSelectorValueLengthMax ||
        !kValueCharacter.holds_all(value.text))
        return verdict.malformed(
            value, "selector " + std::string(bare.text) + " has a malformed value",
            "write 1 to 64 letters, digits and . _ ~ , : -"
        );
    out.selectors.push_back({std::string(bare.text), std::string(value.text)});
    return true;
}

bool read_parameter(const Token& name, const Token& value, Query& out, Verdict& verdict) {
    if (name.text == "ttl") {
        const auto ttl_s = verdict.number(value, kTtlDigitsMax, kTtlSecondsMax, "ttl");
        if (!ttl_s) return false;
        out.ttl_s = static_cast<std::uint32_t>(*ttl_s);
        return true;
    }
    if (name.text == "v") {
        constexpr std::uint64_t generation_max = 999'999'999'999'999'999;
        out.generation_min = verdict.number(value, kGenerationDigitsMax, generation_max, "v");
        return out.generation_min.has_value();
    }
    if (name.text.starts_with(kSelectorPrefix)) return read_selector(name, value, out, verdict);
    return verdict.malformed(
        name, "'" + std::string(name.text) + "' is no parameter",
        "use ttl=<seconds>, v=<generation> or q.<name>=<value>"
    );
}

// The name of the parameter that starts `rest`, for comparing with the ones before it.
std::string_view name_at(std::string_view parameter) {
    return parameter.substr(0, parameter.find('='));
}

bool occurs_before(const Token& name, std::string_view earlier) {
    for (bool more = true; more;) {
        Token rest{earlier, 0};
        if (name_at(rest.cut('&', more).text) == name.text) return true;
        earlier = rest.text;
    }
    return false;
}

}  // namespace

bool read_query(Token query, Query& out, Verdict& verdict) {
    const Token whole = query;
    std::string_view previous;
    for (bool more = true; more;) {
        Token value = query.cut('&', more);
        const std::size_t offset = value.position - whole.position;
        bool has_value = false;
        const Token name = value.cut('=', has_value);
        if (!has_value)
            return verdict.malformed(
                name, "'" + std::string(name.text) + "' is no parameter",
                "write name=value, with '&' between two parameters"
            );
        if (offset > 0 && name.text <= previous) {
            // Only an order that does not rise can hide a repetition.
            if (occurs_before(name, whole.text.substr(0, offset - 1)))
                return verdict.malformed(
                    name, "parameter " + std::string(name.text) + " occurs twice",
                    "keep one of them"
                );
            verdict.not_canonical(
                name,
                "parameter " + std::string(name.text) + " stands after " + std::string(previous),
                "order parameters ascending by name"
            );
        }
        if (!read_parameter(name, value, out, verdict)) return false;
        previous = name.text;
    }
    return verdict.close();
}

}  // namespace penstock::identity
