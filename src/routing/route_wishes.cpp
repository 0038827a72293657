// SPDX-License-Identifier: Apache-2.0
#include "routing/route_wishes.h"

#include <algorithm>
#include <utility>

#include "routing/chat_request.h"

namespace penstock::routing {
namespace {

using Kind = JsonScanner::Kind;
using String = JsonScanner::String;

std::unexpected<Error> wrong(std::string_view member, std::string message) {
    return fail_field(ErrorCode::invalid_argument, std::string(member), std::move(message));
}

Result<std::string> read_name(JsonScanner& scan, std::string_view member, std::size_t bytes_max) {
    String value;
    const bool text = scan.peek() == Kind::string && scan.read_string(value);
    std::string name = text ? scan.decode(value) : std::string();
    if (name.empty() || name.size() > bytes_max)
        return wrong(member, "expected a text of 1 to " + std::to_string(bytes_max) + " bytes");
    return name;
}

Result<std::vector<std::string>> read_models(JsonScanner& scan) {
    if (scan.peek() != Kind::array) return wrong("models", "expected an array of models' names");
    std::vector<std::string> models;
    scan.enter_array();
    while (scan.next_element()) {
        if (models.size() == kFallbackModelsMax)
            return wrong(
                "models", "at most " + std::to_string(kFallbackModelsMax) + " models can follow"
            );
        models.push_back(TRY(read_name(scan, "models", kModelBytesMax)));
    }
    return models;
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Behind white space, and behind a comma if that follows.
std::size_t behind_comma(std::string_view text, std::size_t at, bool& comma) {
    std::size_t end = at;
    while (end < text.size() && is_space(text[end])) ++end;
    comma = end < text.size() && text[end] == ',';
    if (!comma) return at;
    ++end;
    while (end < text.size() && is_space(text[end])) ++end;
    return end;
}

std::size_t before_comma(std::string_view text, std::size_t at) {
    std::size_t begin = at;
    while (begin > 0 && is_space(text[begin - 1])) --begin;
    return begin > 0 && text[begin - 1] == ',' ? begin - 1 : at;
}

}  // namespace

Result<void> take_wish(RouteWishes& wishes, std::string_view member, std::string_view json) {
    JsonScanner scan(json);
    if (scan.peek() == Kind::null) return {};
    if (member == "provider")
        wishes.provider = TRY(parse_provider_preferences(json));
    else if (member == "models")
        wishes.models = TRY(read_models(scan));
    else
        wishes.session = TRY(read_name(scan, member, kSessionNameBytesMax));
    return {};
}

std::vector<Span> cuts_of(std::string_view object, std::span<const Span> members) {
    std::vector<Span> cuts;
    bool comma = false;
    for (const Span& member : members) {
        const std::size_t end = behind_comma(object, member.end, comma);
        if (!cuts.empty() && cuts.back().end == member.begin)
            cuts.back().end = end;  // one stretch
        else
            cuts.push_back({member.begin, end});
    }
    // The last member has no comma behind it; the one before it goes.
    if (!cuts.empty() && !comma) cuts.back().begin = before_comma(object, cuts.back().begin);
    return cuts;
}

Result<std::optional<std::string>> take_wishes(RouteWishes& wishes, std::string_view object) {
    JsonScanner scan(object);
    std::vector<Span> members;
    std::array<bool, kRouteMembers.size()> seen{};
    String key;
    if (scan.peek() != Kind::object) return std::nullopt;
    scan.enter_object();
    while (scan.next_member(key)) {
        Span value;
        if (!scan.skip(&value)) return std::nullopt;
        const auto* name =
            std::ranges::find_if(kRouteMembers, [&](auto each) { return scan.equals(key, each); });
        if (name == kRouteMembers.end()) continue;
        if (std::exchange(seen[static_cast<std::size_t>(name - kRouteMembers.begin())], true))
            return wrong(*name, "'" + std::string(*name) + "' appears twice");
        TRY(take_wish(wishes, *name, scan.raw(value)));
        members.push_back({key.begin - 1, value.end});
    }
    if (members.empty()) return std::nullopt;
    std::string out;
    std::size_t copied = 0;
    for (const Span& cut : cuts_of(object, members)) {
        out.append(object, copied, cut.begin - copied);
        copied = cut.end;
    }
    return out.append(object, copied);
}

}  // namespace penstock::routing
