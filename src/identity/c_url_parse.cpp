// SPDX-License-Identifier: Apache-2.0
// c-url     = scheme authority "/" ( resource / service ) [ "?" query ] [ "#" view ]
// scheme    = "c-url://" / "curl://"
// authority = label 1*( "." label )                  last label starts with a letter
// resource  = reg [ "/" res [ "/" spec [ "/" path ] ] ]
// service   = sreg [ "/" ( svc / inst ) ]            sreg: a reg of city 000000
// view      = "K1" / "K2"
// Whole text at most 512 octets of %x21-7E, also as printed; each part at most 128.
#include <algorithm>
#include <string>
#include <utility>

#include "identity/c_url.h"
#include "identity/part_parse.h"

namespace penstock::identity {
namespace {

std::unexpected<CUrlError> refuse(
    CUrlErrorCode code, std::size_t position, std::string message, std::string remedy
) {
    return std::unexpected(CUrlError{code, position, std::move(message), std::move(remedy)});
}

// The sections of a text that has passed the tests on the whole of it.
struct Sections {
    Token authority;
    Token code;
    std::optional<Token> parts;  // all of them, without the slash in front
    std::optional<Token> query;
    std::optional<Token> view;
};

Sections split(std::string_view text, std::size_t scheme_length) {
    Sections sections;
    Token rest{text, 0};
    bool found = false;
    const Token before_view = rest.cut('#', found);
    if (found) sections.view = rest;
    rest = before_view;
    const Token before_query = rest.cut('?', found);
    if (found) sections.query = rest;
    rest = before_query.after(scheme_length);
    sections.authority = rest.cut('/', found);
    sections.code = rest.cut('/', found);
    if (found) sections.parts = rest;
    return sections;
}

Parsed<std::size_t> check_whole(std::string_view text) {
    // The alias prints one octet longer; what was read must always be printable.
    const std::size_t longer =
        text.starts_with(kSchemeAlias) ? kScheme.size() - kSchemeAlias.size() : 0;
    if (text.size() + longer > kCUrlLengthMax)
        return refuse(
            CUrlErrorCode::too_long, kCUrlLengthMax,
            "the text has " + std::to_string(text.size() + longer) + " octets",
            "keep to 512; leave out path, then spec, then resource part"
        );
    const auto* const invisible =
        std::ranges::find_if_not(text, [](char c) { return kVisible.holds(c); });
    if (invisible != text.end())
        return refuse(
            CUrlErrorCode::bad_charset, static_cast<std::size_t>(invisible - text.begin()),
            "octet " + std::to_string(static_cast<unsigned char>(*invisible)) + " is not allowed",
            "use visible ASCII only, without white space"
        );
    for (const std::string_view scheme : {kScheme, kSchemeAlias})
        if (text.starts_with(scheme)) return scheme.size();
    return refuse(
        CUrlErrorCode::bad_scheme, 0, "the text does not start with c-url://",
        "write c-url://<authority>/<registration code>"
    );
}

Parsed<void> check_authority(const Token& authority) {
    const auto bad = [](const Token& at, std::string message) {
        return refuse(
            CUrlErrorCode::bad_authority, at.position, std::move(message),
            "name a host as hb.node.example: lower case, no port, no user, no address"
        );
    };
    if (authority.text.size() > kAuthorityLengthMax)
        return bad(authority.after(kAuthorityLengthMax), "the authority has more than 253 octets");
    Token rest = authority;
    Token label;
    std::size_t labels = 0;
    for (bool more = true; more; ++labels) {
        label = rest.cut('.', more);
        if (!is_label(label.text, kLabelLengthMax))
            return bad(label, "'" + std::string(label.text) + "' is no label of a host name");
    }
    if (labels < kAuthorityLabelsMin) return bad(authority, "the authority is a single label");
    if (!kLower.holds(label.text[0]))
        return bad(label, "the last label does not start with a letter");
    return {};
}

// One part, by its place behind a resource's code.
bool read_resource_section(std::size_t index, const Token& part, CUrl& out, Verdict& verdict) {
    constexpr std::string_view letters = "RSP";
    if (index >= letters.size())
        return verdict.malformed(part, "a part follows the path", "end the C-URL after the path");
    if (!part.text.starts_with(letters[index]))
        return verdict.malformed(
            part, "part " + std::to_string(index + 1) + " does not start with " + letters[index],
            "write the parts in the order /R… /S… /P…; each needs the ones before it"
        );
    if (index == 0) return read_resource_part(part, out.resource.emplace(), verdict);
    if (index == 1) return read_spec_part(part, out.spec.emplace(), verdict);
    return read_path_part(part, out.path.emplace(), verdict);
}

bool read_service_section(std::size_t index, const Token& part, CUrl& out, Verdict& verdict) {
    if (index > 0)
        return verdict.malformed(
            part, "a second part follows a service's code", "keep one of /V… and /I…"
        );
    if (part.text.starts_with('V')) return read_service_part(part, out.service.emplace(), verdict);
    if (part.text.starts_with('I'))
        return read_instance_part(part, out.instance.emplace(), verdict);
    return verdict.malformed(
        part, "the part of a service does not start with V or I",
        "write /V<kind> or /I<host's code>.<ordinal>; resource parts belong to resources"
    );
}

Parsed<void> read_parts(Token parts, CUrl& out) {
    std::size_t index = 0;
    for (bool more = true; more; ++index) {
        const Token part = parts.cut('/', more);
        Verdict verdict(CUrlErrorCode::bad_part);
        bool good = false;
        if (part.empty())
            verdict.malformed(part, "the part is empty", "remove the slash");
        else if (part.text.size() > kPartLengthMax)
            verdict.malformed(
                part.after(kPartLengthMax),
                "the part has " + std::to_string(part.text.size()) + " octets",
                "a part has at most 128"
            );
        else
            good = out.code.is_service() ? read_service_section(index, part, out, verdict)
                                         : read_resource_section(index, part, out, verdict);
        if (!good) return std::unexpected(verdict.take_error());
    }
    return {};
}

Parsed<void> read_view(const Token& view, CUrl& out) {
    if (view.text == kViewTotal)
        out.view = CapacityView::total;
    else if (view.text == kViewAvailable)
        out.view = CapacityView::available;
    else
        return refuse(
            CUrlErrorCode::bad_view, view.position, "'" + std::string(view.text) + "' is no view",
            "end with #K1 for total or #K2 for available capacity"
        );
    return {};
}

}  // namespace

Parsed<CUrl> parse(std::string_view text) {
    const auto scheme_length = check_whole(text);
    if (!scheme_length) return std::unexpected(scheme_length.error());
    const Sections sections = split(text, *scheme_length);
    if (const auto good = check_authority(sections.authority); !good)
        return std::unexpected(good.error());
    const auto code = parse_registration_code(sections.code.text);
    if (!code) {
        CUrlError error = code.error();
        error.position += sections.code.position;
        return std::unexpected(std::move(error));
    }

    Parsed<CUrl> parsed(std::in_place);
    parsed->authority.assign(sections.authority.text);
    parsed->code = *code;
    if (sections.parts)
        if (const auto good = read_parts(*sections.parts, *parsed); !good)
            return std::unexpected(good.error());
    if (sections.query) {
        Verdict verdict(CUrlErrorCode::bad_query);
        if (!read_query(*sections.query, parsed->query, verdict))
            return std::unexpected(verdict.take_error());
    }
    if (sections.view)
        if (const auto good = read_view(*sections.view, *parsed); !good)
            return std::unexpected(good.error());
    return parsed;
}

Parsed<Identity> parse_identity(std::string_view text) {
    if (text.size() == kCodeLength && !text.contains(':')) {
        const auto code = parse_registration_code(text);
        if (!code) return std::unexpected(code.error());
        return Identity{*code, {}};
    }
    const auto c_url = parse(text);
    if (!c_url) return std::unexpected(c_url.error());
    return c_url->identity();
}

}  // namespace penstock::identity
