// SPDX-License-Identifier: Apache-2.0
#include "cli/candidate_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <boost/json.hpp>

#include "cli/human_text.h"
#include "cli/json_path.h"

namespace penstock::cli {
namespace {

constexpr const char* kStartColumn = "START";  // shown where one starts later

std::function<std::string(const json::Value&, const Look&)> number_at(
    std::string path, int decimals
) {
    return [path = std::move(path), decimals](const json::Value& row, const Look&) {
        const json::Value* found = at_path(row, path);
        boost::json::error_code error;
        return found == nullptr || !found->is_number()
                   ? std::string()
                   : number_text(found->to_number<double>(error), decimals);
    };
}

Column right(Column column) {
    column.align = Align::right;
    return column;
}

// Whether cost and carbon are of an hour, since nobody knows how long it runs.
bool has_rates(const json::Value& row) { return text_at(row, "terms.per_hour") == "true"; }

std::string duration_cell(const json::Value& row, const Look& look) {
    const json::Value* found = at_path(row, "terms.duration_s");
    boost::json::error_code error;
    if (found == nullptr || !found->is_number()) return {};
    const double seconds = found->to_number<double>(error);
    if (look.machine) return number_text(seconds, 3);
    constexpr double kShownMax = 1e9;  // thirty years: beyond it a number says nothing more
    if (seconds > kShownMax) return "∞";
    const auto span = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
    return has_rates(row) ? format(look.language, "plan.beside_run", span_text(span))
                          : span_text(span);
}

// A cell of what is of an hour where nobody knows how long it runs.
Column rate_column(Column column) {
    column.cell = [cell = std::move(column.cell)](const json::Value& row, const Look& look) {
        const std::string shown = cell(row, look);
        return look.machine || shown.empty() || !has_rates(row)
                   ? shown
                   : format(look.language, "plan.per_hour", shown);
    };
    return column;
}

std::string plain_verdict(const json::Value& row, const Look& look) {
    const std::string filter = text_at(row, "filter");
    if (text_at(row, "chosen") == "true") return std::string(text(look.language, "plan.chosen"));
    if (!filter.empty() && filter != "none") {
        const std::string detail = text_at(row, "filter_detail");
        return detail.empty() ? filter : filter + ": " + detail;
    }
    const std::string rank = text_at(row, "rank");
    return rank.empty() ? "" : "#" + rank;
}

// With how many nodes more it stands for.
std::string verdict_cell(const json::Value& row, const Look& look) {
    const std::string alike = text_at(row, "alike");
    return plain_verdict(row, look) + (alike.empty() ? "" : " (+" + alike + ")");
}

// How old what its site states of its hours to come is: "fresh 2h".
std::string outlook_cell(const json::Value& row, const Look& look) {
    const json::Value* age = at_path(row, "outlook.age_seconds");
    if (age == nullptr || !age->is_int64()) return {};
    const std::string state = text_at(row, "outlook.state");
    return look.machine ? state + " " + std::to_string(age->as_int64()) + "s"
                        : state + " " + age_text(std::chrono::seconds(age->as_int64()));
}

std::string weights_text(const Strategy& strategy) {
    std::string text;
    const auto add = [&](std::string_view name, double weight) {
        if (weight > 0)
            text += (text.empty() ? "" : " ") + std::string(name) + "=" + number_text(weight, 3);
    };
    add("cost", strategy.cost);
    add("duration", strategy.duration);
    add("security", strategy.security);
    add("latency", strategy.latency);
    add("green", strategy.green);
    return text;
}

}  // namespace

const View& candidate_view() {
    static const View kView{
        .plural = "candidates",
        .singular = "node",
        .columns =
            {
                text_column("SITE", "site"),
                text_column("NODE", "node"),
                wide(text_column("PROVIDER", "provider")),
                wide(text_column("REGION", "region")),
                rate_column(amount_column("COST", "terms.cost")),
                right(computed_column("DURATION", duration_cell)),
                right(computed_column("SECURITY", number_at("terms.security", 2))),
                right(computed_column("LATENCY-MS", number_at("terms.latency_ms", 1))),
                rate_column(right(computed_column("CARBON-G", number_at("terms.carbon_g", 2)))),
                right(computed_column("SCORE", number_at("score", 4))),
                wide(amount_column("EGRESS", "terms.egress")),
                wide(amount_column("RESTARTS", "terms.restarts")),
                wide(amount_column("PRICE/H", "price_per_hour")),
                wide(text_column("PRICE-%", "price_percent")),
                wide(text_column(kStartColumn, "start_at")),
                wide(computed_column("OUTLOOK", outlook_cell)),
                wide(text_column("SIMULATED", "simulated")),
                computed_column("CHOSEN/FILTER", verdict_cell),
            },
        .id = "node_id",
    };
    return kView;
}

void show_plan(const Invocation& invocation, const Plan& plan) {
    if (invocation.quiet) return;
    const Look& look = invocation.printer.look();
    std::vector<Table::Heading> headings;
    std::vector<Column> columns;
    for (const Column& column : candidate_view().columns)
        if (!column.wide || (plan.later && column.name == kStartColumn)) columns.push_back(column);
    for (const Column& column : columns)
        headings.push_back({heading(column, look.language), column.align});
    Table table(std::move(headings));
    const json::Value encoded = json::encode(plan);
    const json::Array& rows = encoded.at("candidates").as_array();
    for (std::size_t i = 0; i < std::min(plan.candidates.size(), kCandidatesShownMax); ++i) {
        const json::Value& row = rows.at(i);
        std::vector<std::string> cells;
        for (const Column& column : columns) cells.push_back(column.cell(row, look));
        table.add(std::move(cells));
    }
    if (!table.empty()) {
        std::string lines = table.render({.cell_max = 64});
        lines.pop_back();
        invocation.terminal.say(lines);
    } else {
        invocation.say("plan.no_candidates");
    }
    if (plan.candidates.size() > kCandidatesShownMax)
        invocation.say("plan.more", plan.candidates.size() - kCandidatesShownMax);
    invocation.say("plan.weights", weights_text(plan.strategy));
    const std::string& why = invocation.language == Language::zh && !plan.explanation_zh.empty()
                                 ? plan.explanation_zh
                                 : plan.explanation;
    if (!why.empty()) invocation.terminal.say(why);
    if (plan.estimated_cost)
        invocation.say(
            "plan.estimate", amount_text(to_string(*plan.estimated_cost)), plan.estimate_basis,
            plan.hold ? amount_text(to_string(*plan.hold)) : "-"
        );
    else if (plan.hold)
        invocation.say("plan.no_estimate", plan.estimate_basis, amount_text(to_string(*plan.hold)));
}

bool may_fit_later(const Plan& plan) {
    if (plan.gang) return plan.gang->ever;
    return std::ranges::any_of(plan.candidates, [](const Candidate& candidate) {
        switch (candidate.filter) {
            case FilterReason::none:
            case FilterReason::node_unreachable:
            case FilterReason::node_cordoned:
            case FilterReason::node_unhealthy:
            case FilterReason::insufficient_cpu:
            case FilterReason::insufficient_memory:
            case FilterReason::insufficient_accelerator:
            case FilterReason::excluded_after_failure:
            case FilterReason::kept_for_others:
            case FilterReason::left_to_others:
                return true;
            case FilterReason::spot_not_sold:
            case FilterReason::cpu_too_large:
            case FilterReason::memory_too_large:
            case FilterReason::accelerator_absent:
            case FilterReason::limit_not_enforced:
            case FilterReason::trust_too_low:
            case FilterReason::residency_not_allowed:
            case FilterReason::provider_not_allowed:
            case FilterReason::site_not_allowed:
            case FilterReason::region_not_allowed:
            case FilterReason::identity_differs:
            case FilterReason::rtt_too_high:
            case FilterReason::rtt_unknown:
            case FilterReason::green_too_low:
            case FilterReason::green_unknown:
            case FilterReason::price_above_maximum:
            case FilterReason::over_budget:
            case FilterReason::deadline_too_near:
                return false;
        }
        return false;
    });
}

bool refused_by_policy(const Plan& plan) {
    return !plan.feasible && !plan.candidates.empty() &&
           std::ranges::all_of(plan.candidates, [](const Candidate& candidate) {
               return candidate.filter == FilterReason::trust_too_low ||
                      candidate.filter == FilterReason::residency_not_allowed ||
                      candidate.filter == FilterReason::provider_not_allowed;
           });
}

}  // namespace penstock::cli
