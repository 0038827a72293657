// SPDX-License-Identifier: Apache-2.0
#include "sim/scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "placement/placer.h"
#include "placement/policies.h"
#include "sim/cpu_time.h"
#include "sim/dispatch_scale.h"

namespace penstock::sim {
namespace {

using placement::Placement;
using placement::Placer;
using placement::Request;
using placement::ShapeId;

constexpr std::uint64_t kNodeStream = 0x6E6F646573ULL;
constexpr std::uint64_t kTaskStream = 0x7461736B73ULL;
constexpr std::int64_t kSaturationTriesMax = 20'000'000;
constexpr std::int64_t kRefusalsOfAFullCluster = 2000;  // in a row
constexpr std::size_t kProgressEvery = 4096;

std::vector<placement::Node> repeated_nodes(
    const ClusterTrace& cluster, const ScaleOptions& options
) {
    std::vector<placement::Node> nodes;
    nodes.reserve(cluster.nodes.size() * static_cast<std::size_t>(options.repeat));
    for (std::int64_t copy = 0; copy < options.repeat; ++copy)
        for (const placement::NodeSpec& spec : cluster.nodes)
            nodes.push_back(placement::make_node(spec));
    SeededRandom random(options.seed ^ kNodeStream);
    for (std::size_t i = nodes.size(); i > 1; --i) std::swap(nodes[i - 1], nodes[random.below(i)]);
    if (cluster.topology_known) return nodes;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const std::size_t rack = i / static_cast<std::size_t>(options.nodes_per_rack);
        nodes[i].rack = static_cast<std::uint32_t>(rack);
        nodes[i].site =
            static_cast<std::uint32_t>(rack / static_cast<std::size_t>(options.racks_per_site));
    }
    return nodes;
}

double at_share(std::vector<double>& values, double share) {
    if (values.empty()) return 0;
    const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
    std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(at));
    return values[at];
}

class Bench {
  public:
    Bench(
        std::vector<placement::Node> nodes, std::unique_ptr<placement::Policy> policy,
        const ScaleOptions& options, Progress& progress
    )
        : options_(options),
          progress_(progress),
          placer_(std::move(nodes), std::move(policy)),
          random_(options.seed ^ kTaskStream) {
        for (const placement::Node& node : placer_.nodes())
            capacity_milli_ += std::int64_t{node.devices} * placement::kWholeDevice;
    }

    Result<void> know(const std::vector<TracedTask>& tasks) {
        for (const TracedTask& task : tasks) arriving_.push_back(TRY(placer_.intern(task.request)));
        return {};
    }

    Placer& placer() { return placer_; }

    DecisionTimes fill_empty() {
        begin("empty", options_.tasks);
        for (std::int64_t i = 0; i < options_.tasks; ++i) decide();
        return end();
    }

    // Tasks arrive until none of many in a row fits; not measured.
    Result<void> saturate() {
        std::int64_t refused = 0;
        for (std::int64_t i = 0; refused < kRefusalsOfAFullCluster; ++i) {
            if (i == kSaturationTriesMax)
                return fail(
                    ErrorCode::resource_exhausted,
                    fmt::format("not full after {} tasks: they ask too little", i)
                );
            const auto found = placer_.place(next());
            refused = found ? 0 : refused + 1;
            if (found) running_.push_back(*found);
        }
        return {};
    }

    // One task leaves for every second arrival and every refusal: the cluster stays nearly full.
    // A refusal costs a decision like any other.
    DecisionTimes churn() {
        begin("saturated", options_.tasks);
        for (std::int64_t i = 0; i < options_.tasks; ++i)
            if (!decide() || i % 2 == 0) leave();
        return end();
    }

  private:
    void begin(const std::string& stage, std::int64_t steps) {
        progress_.begin(stage, static_cast<std::size_t>(steps));
        microseconds_.clear();
        microseconds_.reserve(static_cast<std::size_t>(steps));
        started_at_ = thread_cpu_seconds();
    }

    DecisionTimes end() {
        const double seconds = std::max(thread_cpu_seconds() - started_at_, 1e-9);
        DecisionTimes times{.decisions = static_cast<std::int64_t>(microseconds_.size())};
        times.per_second = static_cast<double>(times.decisions) / seconds;
        times.p50_us = at_share(microseconds_, 0.5);
        times.p99_us = at_share(microseconds_, 0.99);
        times.max_us = at_share(microseconds_, 1);
        times.allocated_percent = allocated();
        return times;
    }

    ShapeId next() { return arriving_[random_.below(arriving_.size())]; }

    bool decide() {
        const ShapeId shape = next();
        const auto start = std::chrono::steady_clock::now();
        const auto found = placer_.place(shape);
        const std::chrono::duration<double, std::micro> took =
            std::chrono::steady_clock::now() - start;
        microseconds_.push_back(took.count());
        if (microseconds_.size() % kProgressEvery == 0) progress_.done(microseconds_.size());
        if (found) running_.push_back(*found);
        return found.has_value();
    }

    void leave() {
        std::swap(running_[random_.below(running_.size())], running_.back());
        placer_.release(running_.back());
        running_.pop_back();
    }

    double allocated() const {
        std::int64_t free = 0;
        for (const placement::Node& node : placer_.nodes()) free += node.free_milli();
        return 100.0 * static_cast<double>(capacity_milli_ - free) /
               static_cast<double>(capacity_milli_);
    }

    const ScaleOptions& options_;
    Progress& progress_;
    Placer placer_;
    SeededRandom random_;
    std::int64_t capacity_milli_ = 0;
    std::vector<ShapeId> arriving_;
    std::vector<Placement> running_;
    std::vector<double> microseconds_;
    double started_at_ = 0;
};

}  // namespace

LinePlot scale_plot(std::span<const ScaleReport> reports) {
    LinePlot plot{
        .title = "Decisions as the cluster grows",
        .x_label = "nodes",
        .y_label = "decisions per second of CPU",
        .series =
            {{.name = "placement, from empty", .points = {}},
             {.name = "placement, nearly full", .points = {}},
             {.name = "whole decisions", .points = {}}}
    };
    for (const ScaleReport& report : reports) {
        const auto nodes = static_cast<double>(report.nodes);
        plot.series[0].points.push_back({nodes, report.empty.per_second});
        plot.series[1].points.push_back({nodes, report.saturated.per_second});
        if (report.dispatch.decisions > 0)
            plot.series[2].points.push_back({nodes, report.dispatch.per_second});
    }
    std::erase_if(plot.series, [](const Series& each) { return each.points.empty(); });
    return plot;
}

Result<ScaleReport> measure_scale(
    const ClusterTrace& cluster, const std::vector<TracedTask>& tasks, const ScaleOptions& options,
    Progress& progress
) {
    std::vector<Request> requests;
    requests.reserve(tasks.size());
    for (const TracedTask& task : tasks) requests.push_back(task.request);
    const placement::PolicyInputs inputs{
        .workload = placement::target_workload(requests),
        .models = cluster.models.count(),
        .seed = options.seed,
        .power = options.power
    };
    Bench bench(
        repeated_nodes(cluster, options), TRY(placement::make_policy(options.policy, inputs)),
        options, progress
    );
    TRY(bench.know(tasks));
    ScaleReport report{
        .nodes = static_cast<std::int64_t>(bench.placer().nodes().size()),
        .devices = cluster.devices() * options.repeat,
        .shapes = static_cast<std::int64_t>(bench.placer().shapes()),
    };
    report.empty = bench.fill_empty();
    TRY(bench.saturate());
    report.saturated = bench.churn();
    report.bytes_per_node =
        static_cast<double>(bench.placer().bytes()) / static_cast<double>(report.nodes);
    report.dispatch = TRY(measure_dispatch(cluster, tasks, options, progress));
    return report;
}

}  // namespace penstock::sim
