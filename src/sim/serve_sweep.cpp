// SPDX-License-Identifier: Apache-2.0
#include "sim/serve_sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace penstock::sim {
namespace {

struct Figure {
    std::string_view name;
    double (*read)(const ServeResult& result);
};

constexpr std::array kFigures{
    Figure{"cache_hit_share", [](const ServeResult& r) { return r.cache_hit_share; }},
    Figure{"first_token_ms_p50", [](const ServeResult& r) { return r.first_token_ms_p50; }},
    Figure{"first_token_ms_p99", [](const ServeResult& r) { return r.first_token_ms_p99; }},
    Figure{"token_gap_ms_p50", [](const ServeResult& r) { return r.token_gap_ms_p50; }},
    Figure{"token_gap_ms_p99", [](const ServeResult& r) { return r.token_gap_ms_p99; }},
    Figure{"attained_share", [](const ServeResult& r) { return r.attained_share; }},
    Figure{"goodput_per_second", [](const ServeResult& r) { return r.goodput_per_second; }},
    Figure{"tokens_per_second", [](const ServeResult& r) { return r.tokens_per_second; }},
    Figure{"round_trip_ms_mean", [](const ServeResult& r) { return r.round_trip_ms_mean; }},
    Figure{"imbalance", [](const ServeResult& r) { return r.imbalance; }},
    Figure{"replica_hours", [](const ServeResult& r) { return r.replica_hours; }},
};

Result<ServeOptions> options_of(const ServeSweep& sweep, const std::string& fleet) {
    ServeOptions options = sweep.base;
    if (fleet == "auto") {
        options.autoscale = sweep.autoscale;
        return options;
    }
    const auto [end, error] =
        std::from_chars(fleet.data(), fleet.data() + fleet.size(), options.replicas);
    if (error != std::errc() || end != fleet.data() + fleet.size())
        return fail_field(
            ErrorCode::invalid_argument, "replicas",
            "'" + fleet + "' is neither a number of replicas nor auto"
        );
    return options;
}

// Regions and sites are those of the tables, in every run the same.
void add_places(ServeResult& mean, const ServeResult& one, double runs) {
    if (mean.sites.empty()) {
        for (const ServeRegionResult& region : one.regions)
            mean.regions.push_back({.region = region.region});
        for (const ServeSiteResult& site : one.sites) mean.sites.push_back({.site = site.site});
    }
    for (std::size_t i = 0; i < one.regions.size(); ++i) {
        mean.regions[i].calls += one.regions[i].calls;
        mean.regions[i].first_token_ms_p50 += one.regions[i].first_token_ms_p50 / runs;
        mean.regions[i].first_token_ms_p99 += one.regions[i].first_token_ms_p99 / runs;
    }
    for (std::size_t i = 0; i < one.sites.size(); ++i) {
        mean.sites[i].calls += one.sites[i].calls;
        mean.sites[i].replica_hours += one.sites[i].replica_hours / runs;
        mean.sites[i].replicas_most =
            std::max(mean.sites[i].replicas_most, one.sites[i].replicas_most);
    }
}

ServeResult mean(std::span<const ServeRow> runs) {
    ServeResult out;
    out.imbalance = 0;
    const auto count = static_cast<double>(runs.size());
    for (const ServeRow& run : runs) {
        const ServeResult& one = run.result;
        out.calls = one.calls;
        out.cache_hit_share += one.cache_hit_share / count;
        out.first_token_ms_p50 += one.first_token_ms_p50 / count;
        out.first_token_ms_p99 += one.first_token_ms_p99 / count;
        out.token_gap_ms_p50 += one.token_gap_ms_p50 / count;
        out.token_gap_ms_p99 += one.token_gap_ms_p99 / count;
        out.attained_share += one.attained_share / count;
        out.goodput_per_second += one.goodput_per_second / count;
        out.tokens_per_second += one.tokens_per_second / count;
        out.round_trip_ms_mean += one.round_trip_ms_mean / count;
        out.imbalance += one.imbalance / count;
        out.replica_hours += one.replica_hours / count;
        out.replicas_most = std::max(out.replicas_most, one.replicas_most);
        out.cold_starts = std::max(out.cold_starts, one.cold_starts);
        add_places(out, one, count);
    }
    return out;
}

bool same_case(const ServeRow& a, const ServeRow& b) {
    return a.rate == b.rate && a.fleet == b.fleet && a.policy == b.policy &&
           a.placement == b.placement;
}

struct PlaceFigure {
    std::string_view name;
    // Beside the names of regions or sites.
    std::vector<std::pair<std::string, double>> (*read)(const ServeResult& result);
};

template <class Place>
std::vector<std::pair<std::string, double>> each_of(
    const std::vector<Place>& places, std::string Place::* name, double Place::* value
) {
    std::vector<std::pair<std::string, double>> all;
    for (const Place& place : places) all.emplace_back(place.*name, place.*value);
    return all;
}

constexpr std::array kPlaceFigures{
    PlaceFigure{
        "region_first_token_ms_p50",
        [](const ServeResult& r) {
            using Region = ServeRegionResult;
            return each_of(r.regions, &Region::region, &Region::first_token_ms_p50);
        }
    },
    PlaceFigure{
        "region_first_token_ms_p99",
        [](const ServeResult& r) {
            using Region = ServeRegionResult;
            return each_of(r.regions, &Region::region, &Region::first_token_ms_p99);
        }
    },
    PlaceFigure{
        "site_replica_hours",
        [](const ServeResult& r) {
            return each_of(r.sites, &ServeSiteResult::site, &ServeSiteResult::replica_hours);
        }
    },
};

// What a plot shows of a row: a value, or one beside each region or site.
Result<std::vector<std::pair<std::string, double>>> plotted(
    const ServeResult& result, std::string_view figure
) {
    if (const std::optional<double> value = serve_figure(result, figure))
        return std::vector<std::pair<std::string, double>>{{"", *value}};
    const auto found = std::ranges::find(kPlaceFigures, figure, &PlaceFigure::name);
    const bool of_places = found != kPlaceFigures.end();
    if (of_places && !result.sites.empty()) return found->read(result);
    return fail_field(
        ErrorCode::invalid_argument, "plot-y",
        of_places
            ? "'" + std::string(figure) + "' is drawn with --sites only"
            : fmt::format(
                  "'{}' is no figure; there are {}, and with --sites {}", figure,
                  fmt::join(serve_figure_names(), ", "), fmt::join(serve_place_figure_names(), ", ")
              )
    );
}

Result<ServeResult> run_row(
    std::span<const ServeRequest> trace, const ServeSweep& sweep, const ServeRow& row,
    Progress* progress
) {
    ServeOptions options = TRY(options_of(sweep, row.fleet));
    options.rate = row.rate;
    options.policy = row.policy;
    options.placement = row.placement;
    options.seed = row.seed;
    const std::string placement = row.placement.empty() ? "" : ", " + row.placement;
    if (progress != nullptr)
        progress->begin(
            fmt::format(
                "{} × {}{}, {}, seed {}", row.policy, row.fleet, placement, row.rate, row.seed
            ),
            trace.size()
        );
    return run_serve(trace, options, progress);
}

}  // namespace

std::span<const std::string_view> serve_place_figure_names() {
    static const std::vector<std::string_view> kNames = [] {
        std::vector<std::string_view> names;
        for (const PlaceFigure& figure : kPlaceFigures) names.push_back(figure.name);
        return names;
    }();
    return kNames;
}

std::span<const std::string_view> serve_figure_names() {
    static const std::vector<std::string_view> kNames = [] {
        std::vector<std::string_view> names;
        for (const Figure& figure : kFigures) names.push_back(figure.name);
        return names;
    }();
    return kNames;
}

std::optional<double> serve_figure(const ServeResult& result, std::string_view name) {
    const auto found = std::ranges::find(kFigures, name, &Figure::name);
    if (found == kFigures.end()) return std::nullopt;
    return found->read(result);
}

Result<std::vector<ServeRow>> run_sweep(
    std::span<const ServeRequest> trace, const ServeSweep& sweep, Progress* progress
) {
    std::vector<std::string> placements{""};
    if (sweep.base.sites != nullptr) placements = sweep.placements;
    const std::size_t runs = sweep.rates.size() * sweep.fleets.size() * sweep.policies.size() *
                             placements.size() * sweep.seeds.size();
    if (runs == 0 || runs > kServeRunsMax)
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("{} runs are asked for; 1 to {} can be made", runs, kServeRunsMax)
        );
    std::vector<ServeRow> rows;
    for (const double rate : sweep.rates)
        for (const std::string& fleet : sweep.fleets)
            for (const std::string& policy : sweep.policies)
                for (const std::string& placement : placements)
                    for (const std::uint64_t seed : sweep.seeds) {
                        ServeRow row{rate, fleet, policy, placement, seed};
                        row.result = TRY(run_row(trace, sweep, row, progress));
                        rows.push_back(std::move(row));
                    }
    return rows;
}

std::vector<ServeRow> mean_over_seeds(std::span<const ServeRow> runs) {
    std::vector<ServeRow> means;
    while (!runs.empty()) {
        const auto end = std::ranges::find_if_not(runs, [&](const ServeRow& run) {
            return same_case(run, runs.front());
        });
        const auto size = static_cast<std::size_t>(end - runs.begin());
        ServeRow row = runs.front();
        row.runs = size;
        row.result = mean(runs.first(size));
        means.push_back(std::move(row));
        runs = runs.subspan(size);
    }
    return means;
}

std::string serve_csv(std::span<const ServeRow> runs) {
    std::string out = "rate,replicas,policy,placement,seed,calls";
    for (const Figure& figure : kFigures) out.append(",").append(figure.name);
    out += ",replicas_most,cold_starts\n";
    for (const ServeRow& run : runs) {
        out += fmt::format(
            "{},{},{},{},{},{}", run.rate, run.fleet, run.policy, run.placement, run.seed,
            run.result.calls
        );
        for (const Figure& figure : kFigures)
            out += fmt::format(",{:.6g}", figure.read(run.result));
        out += fmt::format(",{},{}\n", run.result.replicas_most, run.result.cold_starts);
    }
    return out;
}

Result<LinePlot> serve_plot(std::span<const ServeRow> means, std::string_view figure) {
    LinePlot plot{
        .title = std::string(figure) + " over the offered rate",
        .x_label = "rate, times the trace's own",
        .y_label = std::string(figure)
    };
    bool many_fleets = false, many_placements = false;
    for (const ServeRow& row : means) {
        many_fleets |= row.fleet != means.front().fleet;
        many_placements |= row.placement != means.front().placement;
    }
    for (const ServeRow& row : means)
        for (const auto& [place, value] : TRY(plotted(row.result, figure))) {
            std::string name = row.policy;
            if (many_fleets) name += " × " + row.fleet;
            if (many_placements) name += ", " + row.placement;
            if (!place.empty()) name += ": " + place;
            auto series = std::ranges::find(plot.series, name, &Series::name);
            if (series == plot.series.end())
                series = plot.series.insert(plot.series.end(), Series{.name = name});
            series->points.push_back({row.rate, value});
        }
    return plot;
}

}  // namespace penstock::sim
