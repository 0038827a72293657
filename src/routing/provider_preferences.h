// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "base/time.h"

namespace penstock::routing {

// Whom a call may go to and whom it should: the member "provider" of a request, with the names
// that OpenRouter's clients use. Providers are named by their organisation.
struct ProviderPreferences {
    enum class Sort : std::uint8_t { none, price, throughput, latency };
    static constexpr std::size_t kNamesMax = 32;

    std::vector<std::string> order;    // tried in this order, before all others
    std::vector<std::string> only;     // nobody else; empty: everybody
    std::vector<std::string> ignore;   // never
    std::vector<std::string> regions;  // begin of the region's name: "cn", "cn-hubei"; empty: any
    std::vector<std::string> quantizations;  // "fp8", "unknown" …; empty: any
    // Not to an engine that must be told less than the request says.
    bool require_parameters = false;
    bool deny_data_collection = false;  // only suppliers that say they keep and train on nothing
    bool zero_retention = false;        // only suppliers that say they keep nothing at all
    bool allow_fallbacks = true;        // false: only `order`, or only the first one's own replicas
    Sort sort = Sort::none;             // none: the least score
    std::optional<Price> input_price_max;   // yuan per million tokens
    std::optional<Price> output_price_max;  // yuan per million tokens
    // Wished, not required: who does worse is asked later.
    std::optional<Duration> first_token_wished;
    std::optional<double> tokens_per_second_wished;
    bool operator==(const ProviderPreferences&) const = default;
};

// Reads the object, for instance
//     {"order": ["a", "b"], "allow_fallbacks": false, "max_price": {"prompt": 1, "completion": 2}}
// An unknown member is an error: a wish that is not understood must not be passed over in silence.
Result<ProviderPreferences> parse_provider_preferences(std::string_view json);

}  // namespace penstock::routing
