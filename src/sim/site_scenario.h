// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "model/site.h"
#include "scheduler/outlook.h"
#include "sim/csv.h"

namespace penstock::sim {

constexpr std::size_t kScenarioSitesMax = 256;
constexpr std::size_t kScenarioPlacesMax = 1024;

// Devices of one model at a site.
struct SitePool {
    std::size_t site = 0;
    std::string model;
    std::int64_t devices = 0;
    double watts = 0;  // of one device under load, its share of the host included
    double speed = 0;  // work of a device in an hour
};

// Sites, what they have, and how far they are from the places where users and data are. A value.
class SiteScenario {
  public:
    std::vector<SiteSpec> sites;  // rtt_ms is left open: it depends on the user's place
    std::vector<scheduler::Outlook> outlooks;  // beside `sites`
    std::vector<SitePool> pools;
    std::vector<std::string> places;
    std::vector<scheduler::Route> links;  // places × sites

    const scheduler::Route& link(std::size_t place, std::size_t site) const {
        return links[place * sites.size() + site];
    }
};

// The tables of a scenario; what each row is:
//   sites  site, pue, controls ("encryption|audit", may be empty), egress_per_gb and bandwidth_mbps
//          to its users, carbon_file (gCO2e/kWh), power_price_file (per MWh; empty: power is in the
//          list price)
//   pools  site, model, devices, price_per_hour, watts, speed
//   links  from (a place), to (a site), rtt_ms, bandwidth_mbps, egress_per_gb; every pair once
// Amounts are of one currency, whichever it is.
struct ScenarioTables {
    Csv sites;
    Csv pools;
    Csv links;
    std::string carbon_column = {};  // of the hourly files; empty: the only one beside the time
    std::string power_price_column = {};
    std::function<Result<Csv>(const std::string& file)> open;  // an hourly file that `sites` names
};
Result<SiteScenario> read_scenario(const ScenarioTables& tables);

}  // namespace penstock::sim
