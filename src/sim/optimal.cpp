// SPDX-License-Identifier: Apache-2.0
#include "sim/optimal.h"

#include <algorithm>
#include <tuple>

#include "base/check.h"
#include "scheduler/joint.h"
#include "sim/optimal_instance.h"

namespace penstock::sim {
namespace {

constexpr double kLossUnits = 1e9;

struct Total {
    std::int64_t unplaced = 0;
    std::int64_t loss = 0;  // in 10⁻⁹
    auto operator<=>(const Total&) const = default;
};
struct Outcome {
    Total total;
    std::vector<bool> placed;  // of each task
};

// What is free of each node.
class Room {
  public:
    explicit Room(std::vector<Capacity> free) : free_(std::move(free)) {}

    const std::vector<Capacity>& free() const { return free_; }
    bool fits(std::size_t node, const ResourceRequest& request) const {
        const Capacity& free = free_[node];
        if (free.cpu_milli < request.cpu_milli || free.memory_mib < request.memory_mib)
            return false;
        if (!request.accelerator) return true;
        const auto found = free.accelerator_milli.find(request.accelerator->model);
        return found != free.accelerator_milli.end() &&
               found->second >= request.accelerator->count_milli;
    }
    void change(std::size_t node, const ResourceRequest& request, std::int64_t times) {
        Capacity& free = free_[node];
        free.cpu_milli += times * request.cpu_milli;
        free.memory_mib += times * request.memory_mib;
        if (request.accelerator)
            free.accelerator_milli[request.accelerator->model] +=
                times * request.accelerator->count_milli;
    }

  private:
    std::vector<Capacity> free_;
};

// Every way to give each task one of its options or none. A branch is left when the tasks that
// remain cannot make it better, even if each had the best of its options to itself.
class BruteForce {
  public:
    // `placed`: tasks that are to have a place where the order of the queue is kept; then nobody is
    // passed over either while those before it leave it room.
    BruteForce(const OptimalInstance& instance, std::optional<std::vector<bool>> placed)
        : options_(instance.options()), placed_(std::move(placed)), room_(instance.totals()) {
        least_left_.resize(options_.size() + 1);
        for (std::size_t task = options_.size(); task-- > 0;) {
            least_left_[task] = least_left_[task + 1];
            const auto least =
                std::ranges::min_element(options_[task], {}, &scheduler::Option::score);
            if (least == options_[task].end())
                ++least_left_[task].unplaced;
            else
                least_left_[task].loss += least->score;
        }
        best_.unplaced = static_cast<std::int64_t>(options_.size()) + 1;
        descend(0, {});
    }
    Total best() const { return best_; }

  private:
    void descend(std::size_t task, Total so_far) {
        if (task == options_.size()) {
            best_ = std::min(best_, so_far);
            return;
        }
        const Total at_least{
            so_far.unplaced + least_left_[task].unplaced, so_far.loss + least_left_[task].loss
        };
        if (at_least >= best_) return;
        bool has_room = false;
        for (const scheduler::Option& each : options_[task]) {
            if (!room_.fits(each.node, each.request)) continue;
            has_room = true;
            room_.change(each.node, each.request, -1);
            descend(task + 1, {so_far.unplaced, so_far.loss + each.score});
            room_.change(each.node, each.request, 1);
        }
        if (placed_ && (has_room || (*placed_)[task])) return;
        descend(task + 1, {so_far.unplaced + 1, so_far.loss});
    }

    const std::vector<std::vector<scheduler::Option>>& options_;
    std::optional<std::vector<bool>> placed_;
    Room room_;
    std::vector<Total> least_left_;  // of all tasks from that one on
    Total best_;
};

using Left = OptimalInstance::Left;

// Each in its turn on what those before it have taken; what it leaves to others stands beside the
// tasks. Where that is all there is, it is taken after all.
Outcome in_turn(const OptimalInstance& instance, const std::vector<Left>& left) {
    Room room(instance.totals());
    Outcome outcome{.total = {}, .placed = std::vector<bool>(instance.tasks())};
    Total& total = outcome.total;
    for (std::size_t task = 0; task < instance.tasks(); ++task) {
        Plan plan = instance.plan(task, room.free(), left[task]);
        if (!plan.feasible && left[task].alone)
            plan = instance.plan(task, room.free(), {left[task].nodes, std::nullopt});
        if (!plan.feasible) {
            ++total.unplaced;
            continue;
        }
        outcome.placed[task] = true;
        const Candidate& chosen = plan.candidates.front();
        const std::size_t node = instance.node_of(chosen.node_id);
        CHECK(room.fits(node, chosen.request), "a plan takes what is free");
        room.change(node, chosen.request, -1);
        const auto& options = instance.options()[task];
        const auto same = std::ranges::find_if(options, [&](const scheduler::Option& each) {
            return each.node == node && each.request == chosen.request;
        });
        CHECK(same != options.end(), "what has room beside others has room alone");
        total.loss += same->score;
    }
    return outcome;
}

Total by_server(const OptimalInstance& instance) {
    std::vector<const Plan*> plans;
    for (const Plan& plan : instance.alone()) plans.push_back(&plan);
    const scheduler::JointChoice choice = scheduler::choose_jointly(plans, instance.totals_by_id());
    std::vector<Left> left(instance.tasks());
    if (choice.gains)
        for (std::size_t task = 0; task < instance.tasks(); ++task)
            if (const std::optional<std::size_t> candidate = choice.candidate_of[task])
                left[task] = {
                    scheduler::nodes_left(plans, choice, task),
                    scheduler::accelerator_alone(*plans[task], *candidate)
                };
    return in_turn(instance, left).total;
}

Total by_assign(const OptimalInstance& instance) {
    const scheduler::Assignment made = scheduler::assign(instance.totals(), instance.options());
    return {made.unplaced, made.score};
}

Outcome one_by_one(const OptimalInstance& instance) {
    return in_turn(instance, std::vector<Left>(instance.tasks()));
}

void compare(WayOfDeciding& way, const Total& made, const Total& least) {
    if (made < least) {
        ++way.out_of_order;
        return;
    }
    if (made.unplaced > least.unplaced) {
        ++way.fewer_placed;
        return;
    }
    const double loss = static_cast<double>(made.loss - least.loss) /
                        std::max(static_cast<double>(least.loss), kOptimalFloor * kLossUnits);
    way.loss_mean += loss;  // the sum, until the end
    way.loss_worst = std::max(way.loss_worst, loss);
    way.best += made == least ? 1 : 0;
}

}  // namespace

Result<OptimalReport> measure_optimal(const OptimalOptions& options, Progress& progress) {
    OptimalReport report{.instances = options.instances};
    report.ways = {{.way = "server"}, {.way = "assign"}, {.way = "in_turn"}};
    progress.begin("instances", static_cast<std::size_t>(options.instances));
    for (std::int64_t i = 0; i < options.instances; ++i) {
        const OptimalInstance instance(
            options.seed + static_cast<std::uint64_t>(i), options.nodes_max, options.tasks_max
        );
        const Outcome alone = one_by_one(instance);
        const Total any = BruteForce(instance, {}).best();
        const Total in_order = BruteForce(instance, alone.placed).best();
        report.tasks += static_cast<std::int64_t>(instance.tasks());
        report.unplaced += any.unplaced;
        report.unplaced_in_order += in_order.unplaced;
        compare(report.ways[0], by_server(instance), in_order);
        compare(report.ways[1], by_assign(instance), any);
        compare(report.ways[2], alone.total, in_order);
        progress.done(static_cast<std::size_t>(i));
    }
    for (WayOfDeciding& way : report.ways)
        if (const std::int64_t counted = report.instances - way.fewer_placed; counted > 0)
            way.loss_mean /= static_cast<double>(counted);
    return report;
}

}  // namespace penstock::sim
