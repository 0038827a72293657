// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/plan.h"
#include "model/site.h"
#include "sim/csv.h"

namespace penstock::sim {

constexpr std::size_t kServeSitesMax = 256;
constexpr std::size_t kServeRegionsMax = 256;  // as many gateways as a server takes reports of
constexpr std::int64_t kServeEnginesMax = 1024;
// The accelerator by which a site's engines are asked for and priced.
inline constexpr std::string_view kServeEngine = "engine";

// Sites that can hold engines, the regions that calls come from, and how far they are from each
// other. Every region has a gateway of its own beside its callers. A value.
struct ServeSites {
    std::vector<SiteSpec> sites;  // with the round trips to the regions and the engine's price
    std::vector<std::int64_t> engines;  // beside the sites: that it holds at most
    std::vector<CallerShare> callers;   // by region; shares sum to 1

    Duration round_trip(std::size_t region, std::size_t site) const;
};

// From the tables of `penstock sim sites`, of which these columns are read:
//   sites  site, engines (0 to kServeEnginesMax), engine_price_per_hour (where the table has it;
//   else
//          engines cost the same everywhere)
//   links  from (a region), to (a site), rtt_ms; every pair once
// `callers`: "Tokyo=3,Frankfurt=1", parts of all calls; empty: every region of the links alike.
Result<ServeSites> read_serve_sites(const Csv& sites, const Csv& links, std::string_view callers);

// Where each call comes from: an index into `callers`, drawn by their shares. The same for the same
// seed, whatever is run with them.
std::vector<std::uint16_t> regions_of_calls(
    const ServeSites& sites, std::size_t calls, std::uint64_t seed
);

}  // namespace penstock::sim
