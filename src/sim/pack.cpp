// SPDX-License-Identifier: Apache-2.0
#include "sim/pack.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "placement/placer.h"
#include "placement/policies.h"
#include "sim/cpu_time.h"

namespace penstock::sim {
namespace {

using placement::Placer;
using placement::Request;
using placement::ShapeId;

// Streams of one seed that must not depend on one another.
constexpr std::uint64_t kOrderStream = 0x6F72646572ULL;
constexpr std::uint64_t kNodeStream = 0x6E6F646573ULL;
constexpr std::uint64_t kPolicyStream = 0x706F6C696379ULL;
constexpr std::size_t kProgressEvery = 256;  // decisions
constexpr std::size_t kArrivalsMax = 10'000'000;

template <class T>
void shuffle(std::vector<T>& values, Random& random) {
    for (std::size_t i = values.size(); i > 1; --i)
        std::swap(values[i - 1], values[random.below(i)]);
}

// Indices of tasks in the order of their arrival.
Result<std::vector<std::uint32_t>> arrivals(
    const std::vector<TracedTask>& tasks, std::int64_t capacity_milli, double ratio,
    std::uint64_t seed
) {
    std::vector<std::uint32_t> order(tasks.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) {
        return tasks[a].name != tasks[b].name ? tasks[a].name < tasks[b].name : a < b;
    });
    SeededRandom random(seed ^ kOrderStream);
    shuffle(order, random);
    std::int64_t asked = 0;
    for (const TracedTask& task : tasks) asked += task.request.total_milli();
    const double most = ratio * static_cast<double>(capacity_milli);
    const std::size_t originals = order.size();
    while (true) {
        const std::uint32_t pick = order[random.below(originals)];
        const Request& request = tasks[pick].request;
        if (static_cast<double>(asked + request.device_milli) > most) return order;
        if (order.size() == kArrivalsMax)
            return fail(
                ErrorCode::resource_exhausted,
                fmt::format("more than {} arrivals: lower --ratio", kArrivalsMax)
            );
        asked += request.total_milli();
        order.push_back(pick);
    }
}

// Sums over the arrivals of one seed at one x.
struct Sums {
    std::int64_t arrivals = 0;
    double allocated = 0, fragmented = 0, fragmented_idle = 0, watts = 0;

    double mean(double sum) const { return sum / static_cast<double>(arrivals); }
};

// One seed's run.
class Run {
  public:
    Run(const ClusterTrace& cluster, const std::vector<TracedTask>& tasks,
        const placement::PowerTable& power, const placement::FragmentationMeter& meter,
        std::unique_ptr<placement::Policy> policy, std::uint64_t seed)
        : tasks_(tasks),
          power_(power),
          meter_(meter),
          capacity_milli_(cluster.devices() * placement::kWholeDevice),
          placer_(ordered_nodes(cluster, seed), std::move(policy)) {
        for (const placement::Node& node : placer_.nodes()) count_node(node, +1);
    }

    Result<void> go(const std::vector<std::uint32_t>& order, Progress& progress) {
        const double start = thread_cpu_seconds();
        std::vector<ShapeId> shapes;
        shapes.reserve(tasks_.size());
        for (const TracedTask& task : tasks_) shapes.push_back(TRY(placer_.intern(task.request)));
        for (const std::uint32_t task : order) {
            arrive(shapes[task]);
            if (arrived_ % kProgressEvery == 0) progress.done(arrived_);
        }
        cpu_seconds_ = thread_cpu_seconds() - start;
        return {};
    }

    const std::map<int, Sums>& sums() const { return sums_; }
    std::size_t arrived() const { return arrived_; }
    std::size_t placed() const { return placed_; }
    double cpu_seconds() const { return cpu_seconds_; }
    const std::array<std::int64_t, placement::kVerdicts>& refused() const { return refused_; }

  private:
    // The node order of a run is random and fixed.
    static std::vector<placement::Node> ordered_nodes(
        const ClusterTrace& cluster, std::uint64_t seed
    ) {
        std::vector<placement::Node> nodes;
        nodes.reserve(cluster.nodes.size());
        for (const placement::NodeSpec& spec : cluster.nodes)
            nodes.push_back(placement::make_node(spec));
        SeededRandom random(seed ^ kNodeStream);
        shuffle(nodes, random);
        return nodes;
    }

    void count_node(const placement::Node& node, int sign) {
        fragmented_ += std::int64_t{sign} * meter_.of(node);
        free_milli_ += std::int64_t{sign} * node.free_milli();
        if (!power_.empty())
            watts_ += std::int64_t{sign} * placement::watts(node, power_[node.model]);
    }

    void arrive(ShapeId shape) {
        const auto found = placer_.find(shape);
        ++arrived_;
        asked_milli_ += placer_.request(shape).total_milli();
        if (found) {
            const placement::Node& node = placer_.nodes()[found->node];
            count_node(node, -1);
            placer_.take(*found);
            count_node(node, +1);
            ++placed_;
        } else {
            const placement::VerdictCounts& verdicts = placer_.verdicts(shape);
            for (std::size_t i = 0; i < refused_.size(); ++i) refused_[i] += verdicts[i];
        }
        record();
    }

    void record() {
        const auto capacity = static_cast<double>(capacity_milli_);
        const double asked = 100.0 * static_cast<double>(asked_milli_) / capacity;
        Sums& sums = sums_[static_cast<int>(std::lround(asked))];
        const double fragmented =
            static_cast<double>(fragmented_) / static_cast<double>(meter_.scale());
        ++sums.arrivals;
        sums.allocated += 100.0 * static_cast<double>(capacity_milli_ - free_milli_) / capacity;
        sums.fragmented += 100.0 * fragmented / capacity;
        if (free_milli_ > 0)
            sums.fragmented_idle += 100.0 * fragmented / static_cast<double>(free_milli_);
        sums.watts += static_cast<double>(watts_);
    }

    const std::vector<TracedTask>& tasks_;
    const placement::PowerTable& power_;
    const placement::FragmentationMeter& meter_;
    std::int64_t capacity_milli_;
    Placer placer_;
    std::map<int, Sums> sums_;
    std::array<std::int64_t, placement::kVerdicts> refused_{};
    std::int64_t fragmented_ = 0;  // × meter scale
    std::int64_t free_milli_ = 0;
    std::int64_t asked_milli_ = 0;
    std::int64_t watts_ = 0;
    std::size_t arrived_ = 0;
    std::size_t placed_ = 0;
    double cpu_seconds_ = 0;
};

// Adds a seed's curve to the report: means of means.
void add_curve(std::map<int, std::pair<PackPoint, int>>& curve, const std::map<int, Sums>& sums) {
    for (const auto& [x, sum] : sums) {
        auto& [point, seeds] = curve[x];
        point.allocated_percent += sum.mean(sum.allocated);
        point.fragmented_percent += sum.mean(sum.fragmented);
        point.fragmented_idle_percent += sum.mean(sum.fragmented_idle);
        point.power_watts += sum.mean(sum.watts);
        ++seeds;
    }
}

}  // namespace

double Spread::mean() const {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double Spread::sd() const {
    if (values.size() < 2) return 0;
    double squares = 0;
    for (const double value : values) squares += (value - mean()) * (value - mean());
    return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

Result<PackReport> simulate_packing(
    const ClusterTrace& cluster, const std::vector<TracedTask>& tasks, const PackOptions& options,
    Progress& progress
) {
    std::vector<Request> requests;
    requests.reserve(tasks.size());
    for (const TracedTask& task : tasks) requests.push_back(task.request);
    placement::PolicyInputs inputs{
        .workload = placement::target_workload(requests),
        .models = cluster.models.count(),
        .power = options.power
    };
    const placement::FragmentationMeter meter(inputs.workload, inputs.models);
    PackReport report{
        .nodes = static_cast<std::int64_t>(cluster.nodes.size()), .devices = cluster.devices()
    };
    std::map<int, std::pair<PackPoint, int>> curve;
    std::array<std::int64_t, placement::kVerdicts> refused{};
    for (const std::uint64_t seed : options.seeds) {
        inputs.seed = seed ^ kPolicyStream;
        const auto order =
            TRY(arrivals(tasks, report.devices * placement::kWholeDevice, options.ratio, seed));
        progress.begin(fmt::format("{}, seed {}", options.policy, seed), order.size());
        Run run(
            cluster, tasks, options.power, meter,
            TRY(placement::make_policy(options.policy, inputs)), seed
        );
        TRY(run.go(order, progress));
        const Sums& end = run.sums().rbegin()->second;
        report.allocated_percent.values.push_back(end.mean(end.allocated));
        report.fragmented_percent.values.push_back(end.mean(end.fragmented));
        report.power_watts.values.push_back(end.mean(end.watts));
        report.arrived += static_cast<std::int64_t>(run.arrived());
        report.placed += static_cast<std::int64_t>(run.placed());
        report.cpu_seconds += run.cpu_seconds();
        for (std::size_t i = 0; i < refused.size(); ++i) refused[i] += run.refused()[i];
        add_curve(curve, run.sums());
    }
    for (auto& [x, entry] : curve) {
        auto& [point, seeds] = entry;
        point.asked_percent = x;
        for (double* value :
             {&point.allocated_percent, &point.fragmented_percent, &point.fragmented_idle_percent,
              &point.power_watts})
            *value /= seeds;
        report.curve.push_back(point);
    }
    for (std::size_t i = 0; i < refused.size(); ++i)
        if (refused[i] > 0)
            report.refused.emplace_back(
                placement::code(static_cast<placement::Verdict>(i)), refused[i]
            );
    return report;
}

}  // namespace penstock::sim
