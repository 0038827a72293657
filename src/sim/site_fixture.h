// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sim/site_scenario.h"

// Two sites for tests: `clean` is green and controlled but far, `near` is close, dear and dirty.
namespace penstock::sim {

inline const Time kScenarioStart = *parse_rfc3339("2024-01-01T00:00:00Z");

struct ScenarioText {
    std::string sites =
        "site,pue,controls,egress_per_gb,bandwidth_mbps,carbon_file,power_price_file\n"
        "clean,1.1,encryption|audit,0.02,1000,20,50\n"
        "near,1.5,,0.1,1000,600,100\n";
    std::string pools =
        "site,model,devices,price_per_hour,watts,speed\n"
        "clean,A10,8,1,150,1\n"
        "near,A10,8,2,150,1\n"
        "near,H100,4,6,700,4\n";
    std::string links =
        "from,to,rtt_ms,bandwidth_mbps,egress_per_gb\n"
        "clean,clean,1,10000,0\n"
        "clean,near,80,1000,0.02\n"
        "near,clean,80,1000,0.1\n"
        "near,near,1,10000,0\n";

    // An hourly file's name is its value here; every sixth hour has a tenth of it.
    static Result<Csv> open(const std::string& file) {
        std::string text = "time,value\n";
        for (int hour = 0; hour < 24 * 20; ++hour) {
            const std::string time = to_rfc3339(kScenarioStart + std::chrono::hours(hour));
            const double value = std::stod(file) * (hour % 6 == 5 ? 0.1 : 1);
            text += time + "," + std::to_string(value) + "\n";
        }
        return Csv::parse(text, file);
    }
    Result<SiteScenario> read() const {
        return read_scenario(
            {.sites = Csv::parse(sites, "sites.csv").value(),
             .pools = Csv::parse(pools, "pools.csv").value(),
             .links = Csv::parse(links, "links.csv").value(),
             .open = open}
        );
    }
    std::string complaint() const {
        const auto scenario = read();
        return scenario ? "" : scenario.error().message;
    }
};

}  // namespace penstock::sim
