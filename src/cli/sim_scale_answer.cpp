// SPDX-License-Identifier: Apache-2.0
#include "cli/sim_scale_answer.h"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>

namespace penstock::cli {
namespace {

json::Object decision_object(const sim::DecisionTimes& times) {
    return {
        {"decisions", times.decisions}, {"decisions_per_second", times.per_second},
        {"p50_us", times.p50_us},       {"p99_us", times.p99_us},
        {"max_us", times.max_us},       {"allocated_percent", times.allocated_percent},
    };
}

json::Object group_object(const sim::GroupTimes& times) {
    return {
        {"devices", times.devices}, {"members", times.members}, {"placed_rounds", times.done},
        {"p50_ms", times.p50_ms},   {"max_ms", times.max_ms},
    };
}

// --no-timing leaves these keys out, wherever they stand.
constexpr std::array<std::string_view, 11> kTimings = {
    "decisions_per_second",
    "p50_us",
    "p99_us",
    "max_us",
    "p50_ms",
    "max_ms",
    "first_decisions_per_second",
    "recorded_decisions_per_second",
    "record_ms",
    "replay_ms",
    "engine_bytes_per_node",
};

void drop_timings(json::Object& object) {
    for (const std::string_view key : kTimings) object.stable_erase(key);
    for (auto& [key, value] : object)
        if (json::Object* inner = value.if_object()) drop_timings(*inner);
}

json::Object dispatch_object(const sim::DispatchTimes& times) {
    return {
        {"sites", times.sites},
        {"decisions", times.decisions},
        {"placed", times.placed},
        {"first_decisions_per_second", times.first_per_second},
        {"decisions_per_second", times.per_second},
        {"recorded_decisions_per_second", times.recorded_per_second},
        {"bytes_per_decision", times.bytes_per_decision},
        {"record_ms", times.record_ms},
        {"replay_ms", times.replay_ms},
    };
}

json::Object report_object(const sim::ScaleReport& report, const sim::ScaleOptions& options) {
    return {
        {"policy", options.policy},
        {"seed", options.seed},
        {"nodes", report.nodes},
        {"devices", report.devices},
        {"shapes", report.shapes},
        {"decisions_per_second", std::min(report.empty.per_second, report.saturated.per_second)},
        {"p50_us", std::max(report.empty.p50_us, report.saturated.p50_us)},
        {"p99_us", std::max(report.empty.p99_us, report.saturated.p99_us)},
        {"bytes_per_node", report.bytes_per_node},
        {"engine_bytes_per_node", report.dispatch.bytes_per_node},
        {"empty", decision_object(report.empty)},
        {"saturated", decision_object(report.saturated)},
        {"gang", group_object(report.dispatch.gang)},
        {"preemption", group_object(report.dispatch.preemption)},
        {"dispatch", dispatch_object(report.dispatch)},
    };
}

std::string counts_of(Language language, const sim::ScaleReport& report) {
    const auto rounded = [](double value) { return fmt::format("{:.1f}", value); };
    return format(
               language, "sim.scale.counts", report.nodes, report.devices, report.shapes,
               fmt::format("{:.0f}", report.bytes_per_node),
               rounded(report.empty.allocated_percent), rounded(report.saturated.allocated_percent),
               report.dispatch.gang.done, report.dispatch.preemption.done
           ) +
           "\n";
}

std::string lines_of(Language language, const sim::ScaleReport& report) {
    const auto rounded = [](double value) { return fmt::format("{:.1f}", value); };
    const auto whole = [](double value) { return fmt::format("{:.0f}", value); };
    std::string lines =
        format(
            language, "sim.scale.cluster", report.nodes, report.devices, report.shapes,
            whole(report.bytes_per_node), whole(report.dispatch.bytes_per_node)
        ) +
        "\n";
    for (const auto& [label, times] :
         {std::pair{text(language, "sim.scale.empty"), report.empty},
          std::pair{text(language, "sim.scale.saturated"), report.saturated}})
        lines += format(
                     language, "sim.scale.decisions", label, whole(times.per_second),
                     rounded(times.p50_us), rounded(times.p99_us), rounded(times.allocated_percent)
                 ) +
                 "\n";
    lines += format(
                 language, "sim.scale.gang", report.dispatch.gang.devices,
                 rounded(report.dispatch.gang.p50_ms), rounded(report.dispatch.gang.max_ms),
                 report.dispatch.gang.done
             ) +
             "\n";
    lines += format(
                 language, "sim.scale.preemption", report.dispatch.preemption.devices,
                 rounded(report.dispatch.preemption.p50_ms),
                 rounded(report.dispatch.preemption.max_ms), report.dispatch.preemption.done
             ) +
             "\n";
    if (report.dispatch.decisions > 0)
        lines += format(
                     language, "sim.scale.dispatch", whole(report.dispatch.per_second),
                     whole(report.dispatch.recorded_per_second),
                     whole(report.dispatch.bytes_per_decision)
                 ) +
                 "\n";
    return lines;
}

}  // namespace

Result<void> print_scale(
    const Invocation& invocation, std::span<const sim::ScaleReport> reports,
    const sim::ScaleOptions& options
) {
    const bool timing = !invocation.arguments.has("no-timing");
    json::Array clusters;
    std::string lines;
    for (const sim::ScaleReport& report : reports) {
        json::Object object = report_object(report, options);
        if (!timing) drop_timings(object);
        clusters.emplace_back(std::move(object));
        lines +=
            timing ? lines_of(invocation.language, report) : counts_of(invocation.language, report);
    }
    json::Object answer{{"clusters", clusters}};
    if (clusters.size() == 1) answer = clusters.front().as_object();
    return invocation.printer.document(answer, lines);
}

}  // namespace penstock::cli
