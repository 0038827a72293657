// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "routing/json_scanner.h"
#include "routing/provider_preferences.h"

namespace penstock::routing {

constexpr std::size_t kFallbackModelsMax = 4;
constexpr std::size_t kSessionNameBytesMax = 256;

// What a request of any dialect says to the gateway alone: the members "provider", "models" and
// "session_id". Engines do not get them.
struct RouteWishes {
    std::optional<ProviderPreferences> provider;
    std::vector<std::string> models;  // asked in turn where the request's own cannot answer
    std::string session;              // its calls stay together; empty: none
    bool operator==(const RouteWishes&) const = default;
};
constexpr std::array<std::string_view, 3> kRouteMembers{"provider", "models", "session_id"};

// Takes the value of one of kRouteMembers over; null is as if it were not there. invalid_argument
// names the member that is not understood.
Result<void> take_wish(RouteWishes& wishes, std::string_view member, std::string_view json);

// What is to be cut out of an object so that its members at `members` (from the key's quote to the
// end of the value, ascending) are gone, with the commas that they bring.
std::vector<Span> cuts_of(std::string_view object, std::span<const Span> members);
// Takes the routing members of a request over and answers the request without them; nothing where
// it has none. What is no object is left for others to refuse.
Result<std::optional<std::string>> take_wishes(RouteWishes& wishes, std::string_view object);

}  // namespace penstock::routing
