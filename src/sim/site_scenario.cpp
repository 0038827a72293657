// SPDX-License-Identifier: Apache-2.0
#include "sim/site_scenario.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sim/hourly.h"

namespace penstock::sim {
namespace {

constexpr double kPriceMax = 1e6;
constexpr double kSpeedMax = 1e6;
constexpr double kMbpsMax = 1e7;
constexpr double kRttMsMax = 10'000;
constexpr double kWattsMax = 100'000;
constexpr std::int64_t kDevicesMax = 1'000'000;
constexpr double kLeast = 1e-6;
constexpr double kKwhPerMwh = 1000;
constexpr int kPriceScale = 12;

// A price per `per` units of what the table's column counts.
Price price_of(double amount, double per) {
    constexpr double kPerUnit = 1e12;
    return {std::llround(amount / per * kPerUnit), kPriceScale};
}

Result<std::vector<std::string>> controls_of(const Csv& csv, std::size_t row, std::size_t column) {
    constexpr std::array<std::string_view, 4> kControls = {
        "attestation", "dedicated_tenancy", "encryption", "audit"
    };
    std::vector<std::string> controls;
    std::string_view rest = csv.text(row, column);
    while (!rest.empty()) {
        const std::size_t bar = std::min(rest.find('|'), rest.size());
        const std::string_view name = rest.substr(0, bar);
        if (std::ranges::find(kControls, name) == kControls.end())
            return csv.wrong(
                row, column,
                "'" + std::string(name) +
                    "' is none of attestation, dedicated_tenancy, encryption, audit"
            );
        controls.emplace_back(name);
        rest.remove_prefix(std::min(bar + 1, rest.size()));
    }
    return controls;
}

Result<std::size_t> site_named(
    const SiteScenario& scenario, const Csv& csv, std::size_t row, std::size_t column
) {
    const auto found = std::ranges::find(scenario.sites, csv.text(row, column), &SiteSpec::name);
    if (found == scenario.sites.end())
        return csv.wrong(
            row, column, "'" + csv.text(row, column) + "' is no site of the sites file"
        );
    return static_cast<std::size_t>(found - scenario.sites.begin());
}

Result<void> read_sites(const ScenarioTables& tables, SiteScenario& scenario) {
    const Csv& csv = tables.sites;
    const auto name = TRY(csv.column("site")), pue = TRY(csv.column("pue"));
    const auto controls = TRY(csv.column("controls")), egress = TRY(csv.column("egress_per_gb"));
    const auto mbps = TRY(csv.column("bandwidth_mbps")), carbon = TRY(csv.column("carbon_file"));
    const auto power = TRY(csv.column("power_price_file"));
    if (csv.rows() == 0 || csv.rows() > kScenarioSitesMax)
        return fail(
            ErrorCode::invalid_argument,
            csv.name() + ": 1 to " + std::to_string(kScenarioSitesMax) + " sites are expected"
        );
    for (std::size_t row = 0; row < csv.rows(); ++row) {
        SiteSpec site{.name = TRY(csv.filled_text(row, name))};
        if (std::ranges::find(scenario.sites, site.name, &SiteSpec::name) != scenario.sites.end())
            return csv.wrong(row, name, "'" + site.name + "' stands there twice");
        site.pue = TRY(csv.number(row, pue, 1, 10));
        site.controls = TRY(controls_of(csv, row, controls));
        site.egress_per_gb = price_of(TRY(csv.number(row, egress, 0, kPriceMax)), 1);
        site.bandwidth_mbps = TRY(csv.number(row, mbps, kLeast, kMbpsMax));
        site.watts_per_core = 0;  // in the watts of the devices
        scheduler::Outlook outlook;
        const Csv hours = TRY(tables.open(TRY(csv.filled_text(row, carbon))));
        outlook.carbon_g_per_kwh = TRY(read_hourly(hours, tables.carbon_column, 1));
        if (const std::string& file = csv.text(row, power); !file.empty())
            outlook.power_price_per_kwh =
                TRY(read_hourly(TRY(tables.open(file)), tables.power_price_column, 1 / kKwhPerMwh));
        scenario.sites.push_back(std::move(site));
        scenario.outlooks.push_back(std::move(outlook));
    }
    return {};
}

Result<void> read_pools(const Csv& csv, SiteScenario& scenario) {
    constexpr double kSecondsPerHour = 3600;
    const auto site = TRY(csv.column("site")), model = TRY(csv.column("model"));
    const auto devices = TRY(csv.column("devices")), price = TRY(csv.column("price_per_hour"));
    const auto watts = TRY(csv.column("watts")), speed = TRY(csv.column("speed"));
    for (std::size_t row = 0; row < csv.rows(); ++row) {
        SitePool pool{
            .site = TRY(site_named(scenario, csv, row, site)),
            .model = TRY(csv.filled_text(row, model)),
            .devices = TRY(csv.integer(row, devices, 1, kDevicesMax)),
            .watts = TRY(csv.number(row, watts, 0, kWattsMax)),
            .speed = TRY(csv.number(row, speed, kLeast, kSpeedMax))
        };
        PriceList& prices = scenario.sites[pool.site].prices;
        const double hourly = TRY(csv.number(row, price, 0, kPriceMax));
        if (!prices.card_second.emplace(pool.model, price_of(hourly, kSecondsPerHour)).second)
            return csv.wrong(row, model, "stands there twice for the same site");
        const auto same = std::ranges::find(scenario.pools, pool.model, &SitePool::model);
        if (same != scenario.pools.end() &&
            (same->watts != pool.watts || same->speed != pool.speed))
            return csv.wrong(row, model, "has other watts or another speed than at another site");
        scenario.pools.push_back(std::move(pool));
    }
    if (scenario.pools.empty()) return fail(ErrorCode::invalid_argument, csv.name() + ": no pools");
    return {};
}

Result<void> read_links(const Csv& csv, SiteScenario& scenario) {
    const auto from = TRY(csv.column("from")), to = TRY(csv.column("to"));
    const auto rtt = TRY(csv.column("rtt_ms")), mbps = TRY(csv.column("bandwidth_mbps"));
    const auto egress = TRY(csv.column("egress_per_gb"));
    std::vector<bool> known;
    for (std::size_t row = 0; row < csv.rows(); ++row) {
        const std::string place = TRY(csv.filled_text(row, from));
        auto found = std::ranges::find(scenario.places, place);
        if (found == scenario.places.end()) {
            if (scenario.places.size() == kScenarioPlacesMax)
                return csv.wrong(row, from, "is one place too many");
            scenario.places.push_back(place);
            scenario.links.resize(scenario.places.size() * scenario.sites.size());
            known.resize(scenario.links.size());
            found = std::prev(scenario.places.end());
        }
        const std::size_t index =
            static_cast<std::size_t>(found - scenario.places.begin()) * scenario.sites.size() +
            TRY(site_named(scenario, csv, row, to));
        if (known[index]) return csv.wrong(row, to, "stands there twice for this place");
        known[index] = true;
        scenario.links[index] = {
            .rtt_ms = TRY(csv.number(row, rtt, 0, kRttMsMax)),
            .bandwidth_mbps = TRY(csv.number(row, mbps, kLeast, kMbpsMax)),
            .egress_per_gb = price_of(TRY(csv.number(row, egress, 0, kPriceMax)), 1)
        };
    }
    if (known.empty()) return fail(ErrorCode::invalid_argument, csv.name() + ": no links");
    const auto missing = std::ranges::find(known, false);
    if (missing == known.end()) return {};
    const auto index = static_cast<std::size_t>(missing - known.begin());
    return fail(
        ErrorCode::invalid_argument, csv.name() + ": no link from " +
                                         scenario.places[index / scenario.sites.size()] + " to " +
                                         scenario.sites[index % scenario.sites.size()].name
    );
}

}  // namespace

Result<SiteScenario> read_scenario(const ScenarioTables& tables) {
    SiteScenario scenario;
    TRY(read_sites(tables, scenario));
    TRY(read_pools(tables.pools, scenario));
    TRY(read_links(tables.links, scenario));
    return scenario;
}

}  // namespace penstock::sim
