// SPDX-License-Identifier: Apache-2.0
#include "sim/serve_sites.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/check.h"
#include "base/random.h"

namespace penstock::sim {
namespace {

constexpr double kPriceMax = 1e6;
constexpr double kRttMsMax = 10'000;
constexpr double kPartMax = 1e9;
constexpr std::size_t kNameBytesMax = 128;
constexpr std::uint64_t kRegionStream = 0x726567696FULL;

// A price for a second, from one for an hour.
Price price_of(double hourly) {
    constexpr int kScale = 12;
    constexpr double kUnits = 1e12;
    constexpr double kSecondsPerHour = 3600;
    return {std::llround(hourly / kSecondsPerHour * kUnits), kScale};
}

Result<void> read_sites(const Csv& csv, ServeSites& out) {
    const auto name = TRY(csv.column("site")), engines = TRY(csv.column("engines"));
    const auto price = csv.find_column("engine_price_per_hour");
    if (csv.rows() == 0 || csv.rows() > kServeSitesMax)
        return fail(
            ErrorCode::invalid_argument,
            csv.name() + ": 1 to " + std::to_string(kServeSitesMax) + " sites are expected"
        );
    for (std::size_t row = 0; row < csv.rows(); ++row) {
        SiteSpec site{.name = TRY(csv.filled_text(row, name))};
        if (std::ranges::find(out.sites, site.name, &SiteSpec::name) != out.sites.end())
            return csv.wrong(row, name, "'" + site.name + "' stands there twice");
        const double hourly = price ? TRY(csv.number(row, *price, 0, kPriceMax)) : 0;
        site.prices.card_second[std::string(kServeEngine)] = price_of(hourly);
        out.engines.push_back(TRY(csv.integer(row, engines, 0, kServeEnginesMax)));
        out.sites.push_back(std::move(site));
    }
    return {};
}

Result<void> read_links(const Csv& csv, ServeSites& out) {
    const auto from = TRY(csv.column("from")), to = TRY(csv.column("to"));
    const auto rtt = TRY(csv.column("rtt_ms"));
    for (std::size_t row = 0; row < csv.rows(); ++row) {
        const std::string region = TRY(csv.filled_text(row, from));
        if (region.size() > kNameBytesMax)
            return csv.wrong(row, from, "has more than 128 characters");
        if (std::ranges::find(out.callers, region, &CallerShare::region) == out.callers.end()) {
            if (out.callers.size() == kServeRegionsMax)
                return csv.wrong(row, from, "is one region too many: 256 are possible");
            out.callers.push_back({.region = region, .share = 1});
        }
        const auto site = std::ranges::find(out.sites, csv.text(row, to), &SiteSpec::name);
        if (site == out.sites.end())
            return csv.wrong(row, to, "'" + csv.text(row, to) + "' is no site of the sites file");
        const double trip = TRY(csv.number(row, rtt, 0, kRttMsMax));
        if (!site->rtt_to.emplace(region, trip).second)
            return csv.wrong(row, to, "stands there twice for this region");
    }
    if (out.callers.empty()) return fail(ErrorCode::invalid_argument, csv.name() + ": no links");
    for (const CallerShare& caller : out.callers)
        for (const SiteSpec& site : out.sites)
            if (!site.rtt_to.contains(caller.region))
                return fail(
                    ErrorCode::invalid_argument,
                    csv.name() + ": no link from " + caller.region + " to " + site.name
                );
    return {};
}

std::unexpected<Error> wrong_callers(std::string what) {
    return fail_field(ErrorCode::invalid_argument, "--callers", std::move(what));
}

// "Tokyo=3,Frankfurt=1": regions that are not named call nowhere.
Result<void> read_callers(std::string_view text, std::vector<CallerShare>& callers) {
    for (CallerShare& caller : callers) caller.share = 0;
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), part.size() + 1));
        const std::size_t equals = part.rfind('=');
        if (equals == std::string_view::npos)
            return wrong_callers("'" + std::string(part) + "': write REGION=PART,…");
        const std::string_view region = part.substr(0, equals);
        const auto found = std::ranges::find(callers, region, &CallerShare::region);
        if (found == callers.end())
            return wrong_callers(
                "'" + std::string(region) + "' stands in no line of the links file under from"
            );
        if (found->share > 0) return wrong_callers(std::string(region) + " is named twice");
        const char* end = part.data() + part.size();
        double share = 0;
        const auto [stop, error] = std::from_chars(part.data() + equals + 1, end, share);
        if (error != std::errc() || stop != end || !(share > 0) || share > kPartMax)
            return wrong_callers(
                "'" + std::string(part.substr(equals + 1)) + "' is no number above 0"
            );
        found->share = share;
    }
    std::erase_if(callers, [](const CallerShare& caller) { return caller.share == 0; });
    return {};
}

}  // namespace

Duration ServeSites::round_trip(std::size_t region, std::size_t site) const {
    constexpr double kMicros = 1000;
    return Duration(std::llround(sites[site].rtt_to.at(callers[region].region) * kMicros));
}

Result<ServeSites> read_serve_sites(const Csv& sites, const Csv& links, std::string_view callers) {
    ServeSites out;
    TRY(read_sites(sites, out));
    TRY(read_links(links, out));
    if (!callers.empty()) TRY(read_callers(callers, out.callers));
    double all = 0;
    for (const CallerShare& caller : out.callers) all += caller.share;
    for (CallerShare& caller : out.callers) caller.share /= all;
    return out;
}

std::vector<std::uint16_t> regions_of_calls(
    const ServeSites& sites, std::size_t calls, std::uint64_t seed
) {
    CHECK(!sites.callers.empty(), "somebody calls");
    SeededRandom random(seed ^ kRegionStream);
    std::vector<std::uint16_t> regions(calls);
    for (std::uint16_t& region : regions) {
        double drawn = random.unit();
        while (region + 1U < sites.callers.size() && drawn >= sites.callers[region].share)
            drawn -= sites.callers[region++].share;
    }
    return regions;
}

}  // namespace penstock::sim
