// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/endpoint.h"
#include "routing/allowance_pool.h"
#include "routing/api_error.h"

// What a key's limits mean for one call.
namespace penstock::routing {

struct CallNeeds {
    std::string_view model;
    Money amount;             // at most
    std::int64_t tokens = 0;  // at most, input and output together
    Time admitted_at;         // the instant whose periods count
    // Free of charge: only requests by the minute and calls at one time are limited.
    bool unbilled = false;
};

// permission_denied naming the level whose list lacks the model.
Result<void> check_model(const ResolvedKey& key, std::string_view model);

// The lists of providers and of sites that the endpoint must be in, of all levels.
class EndpointLists {
  public:
    EndpointLists() = default;
    // Borrows the lists of the key.
    explicit EndpointLists(const ResolvedKey& key);
    std::span<const std::vector<std::string>* const> providers() const {
        return std::span(providers_).first(providers_count_);
    }
    std::span<const std::vector<std::string>* const> sites() const {
        return std::span(sites_).first(sites_count_);
    }

  private:
    std::array<const std::vector<std::string>*, 3> providers_{};
    std::array<const std::vector<std::string>*, 3> sites_{};
    std::size_t providers_count_ = 0;
    std::size_t sites_count_ = 0;
};

// Writes to `out` what the call needs of each limit, in the order in which limits are checked:
// organisation, project, key; of each all models, then this one; of each calls at one time,
// requests, tokens, budget; the wallet last. False: there is no room for another model's name.
bool demands_of(
    const ResolvedKey& key, const CallNeeds& needs, AllowancePool& pool, std::vector<Demand>& out
);

// What the client is told when `lacking` of the demands does not fit: which level, which limit,
// what remains, when it begins anew. Requests beyond a rate may be repeated after Retry-After;
// what no waiting can help (money, a call larger than its limit) says so.
ApiError limit_error(
    const Demand& lacking, std::string_view model, const std::optional<AccountView>& view, Time now
);

// OpenAI's x-ratelimit-limit-, -remaining- and -reset-requests and -tokens, of the tightest minute
// limit among the demands; empty where there is none.
using HeaderList = std::vector<std::pair<std::string_view, std::string>>;  // names are constants
HeaderList rate_headers(std::span<const Demand> demands, const AllowancePool& pool, Time now);

}  // namespace penstock::routing
