// SPDX-License-Identifier: Apache-2.0
#include "cli/sim_serve_answer.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "cli/table.h"

namespace penstock::cli {
namespace {

Column figure_column(std::string name, std::string figure, int decimals, double times = 1) {
    Column column = computed_column(
        std::move(name),
        [figure = std::move(figure), decimals, times](const json::Value& row, const Look&) {
            return fmt::format("{:.{}f}", row.at(figure).to_number<double>() * times, decimals);
        }
    );
    column.align = Align::right;
    return column;
}

const View& serve_view() {
    static const View kView{
        .plural = "cases",
        .singular = "case",
        .columns =
            {figure_column("RATE", "rate", 2), text_column("REPLICAS", "replicas"),
             text_column("POLICY", "policy"), figure_column("HIT%", "cache_hit_share", 1, 100),
             figure_column("TTFT-P50", "first_token_ms_p50", 0),
             figure_column("TTFT-P99", "first_token_ms_p99", 0),
             figure_column("TPOT-P50", "token_gap_ms_p50", 1),
             figure_column("TPOT-P99", "token_gap_ms_p99", 1),
             figure_column("ATTAINED%", "attained_share", 2, 100),
             figure_column("GOODPUT/S", "goodput_per_second", 2),
             figure_column("IMBALANCE", "imbalance", 2),
             figure_column("REPLICA-H", "replica_hours", 2)},
        .id = "policy",
    };
    return kView;
}

json::Array regions_of(const sim::ServeResult& result) {
    json::Array all;
    for (const sim::ServeRegionResult& region : result.regions)
        all.emplace_back(json::Object{
            {"region", region.region},
            {"calls", region.calls},
            {"first_token_ms_p50", region.first_token_ms_p50},
            {"first_token_ms_p99", region.first_token_ms_p99}
        });
    return all;
}

json::Array sites_of(const sim::ServeResult& result) {
    json::Array all;
    for (const sim::ServeSiteResult& site : result.sites)
        all.emplace_back(json::Object{
            {"site", site.site},
            {"calls", site.calls},
            {"replicas_most", site.replicas_most},
            {"replica_hours", site.replica_hours}
        });
    return all;
}

json::Object row_of(const sim::ServeRow& row) {
    json::Object out{
        {"rate", row.rate},
        {"replicas", row.fleet},
        {"policy", row.policy},
        {"runs", row.runs},
        {"calls", row.result.calls}
    };
    for (const std::string_view name : sim::serve_figure_names())
        out[name] = *sim::serve_figure(row.result, name);
    out["replicas_most"] = row.result.replicas_most;
    out["cold_starts"] = row.result.cold_starts;
    if (row.result.sites.empty()) return out;
    out["placement"] = row.placement;
    out["regions"] = regions_of(row.result);
    out["sites"] = sites_of(row.result);
    return out;
}

json::Object answer_of(std::span<const sim::ServeRow> rows) {
    json::Array cases;
    for (const sim::ServeRow& row : rows) cases.emplace_back(row_of(row));
    const auto total = static_cast<std::int64_t>(cases.size());
    return {{"cases", std::move(cases)}, {"total", total}};
}

// ---- over sites: three tables, the first column of each names the case ----

std::string name_of(const sim::ServeRow& row) {
    return fmt::format("{:g} {} {} {}", row.rate, row.fleet, row.policy, row.placement);
}

std::string case_table(std::span<const sim::ServeRow> rows) {
    constexpr Align kRight = Align::right;
    Table table(
        {{"RATE REPLICAS POLICY PLACEMENT"},
         {"RTT", kRight},
         {"TTFT-P50", kRight},
         {"TTFT-P99", kRight},
         {"TPOT-P50", kRight},
         {"TPOT-P99", kRight},
         {"ATTAINED%", kRight},
         {"TOKENS/S", kRight},
         {"HIT%", kRight},
         {"REPLICA-H", kRight},
         {"MOST", kRight}}
    );
    for (const sim::ServeRow& row : rows) {
        const sim::ServeResult& one = row.result;
        table.add(
            {name_of(row), fmt::format("{:.1f}", one.round_trip_ms_mean),
             fmt::format("{:.0f}", one.first_token_ms_p50),
             fmt::format("{:.0f}", one.first_token_ms_p99),
             fmt::format("{:.1f}", one.token_gap_ms_p50),
             fmt::format("{:.1f}", one.token_gap_ms_p99),
             fmt::format("{:.2f}", one.attained_share * 100),
             fmt::format("{:.1f}", one.tokens_per_second),
             fmt::format("{:.1f}", one.cache_hit_share * 100),
             fmt::format("{:.2f}", one.replica_hours), std::to_string(one.replicas_most)}
        );
    }
    return table.render({});
}

std::string region_table(std::span<const sim::ServeRow> rows) {
    constexpr Align kRight = Align::right;
    Table table(
        {{"RATE REPLICAS POLICY PLACEMENT"},
         {"REGION"},
         {"CALLS", kRight},
         {"TTFT-P50", kRight},
         {"TTFT-P99", kRight}}
    );
    for (const sim::ServeRow& row : rows)
        for (const sim::ServeRegionResult& region : row.result.regions)
            table.add(
                {name_of(row), region.region, std::to_string(region.calls),
                 fmt::format("{:.0f}", region.first_token_ms_p50),
                 fmt::format("{:.0f}", region.first_token_ms_p99)}
            );
    return table.render({});
}

std::string site_table(std::span<const sim::ServeRow> rows) {
    constexpr Align kRight = Align::right;
    Table table(
        {{"RATE REPLICAS POLICY PLACEMENT"},
         {"SITE"},
         {"CALLS", kRight},
         {"REPLICAS-MOST", kRight},
         {"REPLICA-H", kRight}}
    );
    for (const sim::ServeRow& row : rows)
        for (const sim::ServeSiteResult& site : row.result.sites)
            table.add(
                {name_of(row), site.site, std::to_string(site.calls),
                 std::to_string(site.replicas_most), fmt::format("{:.2f}", site.replica_hours)}
            );
    return table.render({});
}

}  // namespace

Result<void> print_serve_rows(const Invocation& invocation, std::span<const sim::ServeRow> rows) {
    if (rows.empty() || rows.front().result.sites.empty())
        return invocation.printer.list(serve_view(), answer_of(rows));
    return invocation.printer.document(
        answer_of(rows), case_table(rows) + "\n" + region_table(rows) + "\n" + site_table(rows)
    );
}

}  // namespace penstock::cli
