// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "scheduler/assign.h"
#include "scheduler/plan_fixture.h"

namespace penstock::scheduler {
namespace {

constexpr int kInstances = 1000;

std::string decimal(std::uint64_t hundred_thousandths) {
    std::string digits = std::to_string(hundred_thousandths);
    digits.insert(0, 5 - std::min<std::size_t>(digits.size(), 5), '0');
    return "0." + digits;
}

// Two to six nodes at sites of their own, two to eight tasks of mixed sizes and strategies; what a
// task may take and what it scores there is what plan() says of it on empty nodes.
struct Instance {
    std::vector<Capacity> free;
    std::vector<std::vector<Option>> options;

    explicit Instance(std::uint64_t seed) {
        SeededRandom random(seed);
        Cluster c;
        c.sites.clear();
        c.nodes.clear();
        for (std::uint64_t i = 2 + random.below(5); i > 0; --i) {
            c.add(
                "s" + std::to_string(i), decimal(1 + random.below(9)),
                static_cast<double>(20 + random.below(700)),
                static_cast<double>(1 + random.below(150)), TrustLevel::basic,
                std::vector<std::string>(random.below(2), "audit")
            );
            c.nodes.back().total = {
                .cpu_milli = static_cast<std::int64_t>(500 + 500 * random.below(4)),
                .memory_mib = 2048
            };
        }
        for (const Node& node : c.nodes) free.push_back(node.total);
        for (std::uint64_t i = 2 + random.below(7); i > 0; --i) options.push_back(task(c, random));
    }

  private:
    static std::vector<Option> task(Cluster& c, Random& random) {
        constexpr double kScoreUnits = 1e9;
        const auto cpu = static_cast<std::int64_t>(250 * (1 + random.below(4)));
        const auto memory = static_cast<std::int64_t>(256 * (1 + random.below(4)));
        c.spec.resources.cpus = CpuRange{{cpu, cpu}};
        c.spec.resources.memory = MemoryRange{{memory, memory}};
        c.profile.run_time = std::chrono::minutes(10 + random.below(300));
        const double cost = random.unit(), green = random.unit(), latency = random.unit();
        const double sum = cost + green + latency + 0.1;
        c.spec.placement->optimize = {
            .cost = cost / sum,
            .duration = 0.1 / sum,
            .latency = latency / sum,
            .green = green / sum
        };
        std::vector<Option> all;
        for (const Candidate& each : c.plan().candidates)
            if (each.filter == FilterReason::none)
                all.push_back(
                    {.node = static_cast<std::size_t>(
                         std::ranges::find(c.nodes, each.node_id, &Node::id) - c.nodes.begin()
                     ),
                     .request = each.request,
                     .score = std::llround(each.score.value_or(0) * kScoreUnits)}
                );
        return all;
    }
};

// Every way to give each item a node or none; only what does not fit is left out.
class BruteForce {
  public:
    explicit BruteForce(const Instance& instance) : instance_(instance), free_(instance.free) {
        best_ = {static_cast<std::int64_t>(instance.options.size()) + 1, 0};
        descend(0, 0, 0);
    }
    std::pair<std::int64_t, std::int64_t> best() const { return best_; }  // unplaced, score

  private:
    void descend(std::size_t item, std::int64_t unplaced, std::int64_t score) {
        if (item == instance_.options.size()) {
            best_ = std::min(best_, {unplaced, score});
            return;
        }
        for (const Option& each : instance_.options[item]) {
            Capacity& free = free_[each.node];
            if (free.cpu_milli < each.request.cpu_milli ||
                free.memory_mib < each.request.memory_mib)
                continue;
            free.cpu_milli -= each.request.cpu_milli;
            free.memory_mib -= each.request.memory_mib;
            descend(item + 1, unplaced, score + each.score);
            free.cpu_milli += each.request.cpu_milli;
            free.memory_mib += each.request.memory_mib;
        }
        descend(item + 1, unplaced + 1, score);
    }

    const Instance& instance_;
    std::vector<Capacity> free_;
    std::pair<std::int64_t, std::int64_t> best_;
};

// Of every instance, counted once.
const std::vector<std::pair<std::int64_t, std::int64_t>>& least_of_instances() {
    static const auto kLeast = [] {
        std::vector<std::pair<std::int64_t, std::int64_t>> all;
        for (int i = 0; i < kInstances; ++i)
            all.push_back(BruteForce(Instance(static_cast<std::uint64_t>(i))).best());
        return all;
    }();
    return kLeast;
}

// How far a way of deciding is from brute force over all instances.
struct Distance {
    double mean = 0;  // of (score − least) / max(least, a hundredth of one regret)
    double worst = 0;
    int fewer_placed = 0;
};

template <class Decide>
Distance distance(const Decide& decide) {
    constexpr double kFloor = 1e7;
    Distance all;
    for (int i = 0; i < kInstances; ++i) {
        const Instance instance(static_cast<std::uint64_t>(i));
        const auto& [unplaced, least] = least_of_instances().at(static_cast<std::size_t>(i));
        const Assignment made = decide(instance.free, instance.options);
        if (made.unplaced != unplaced) {
            ++all.fewer_placed;
            continue;
        }
        const double gap =
            static_cast<double>(made.score - least) / std::max(static_cast<double>(least), kFloor);
        all.mean += gap / kInstances;
        all.worst = std::max(all.worst, gap);
    }
    return all;
}

TEST(AssignProperty, IsWithinOnePercentOfBruteForceOnAverageAndFiveAtWorst) {
    const Distance together = distance(assign);
    RecordProperty("mean_percent", std::to_string(100 * together.mean));
    RecordProperty("worst_percent", std::to_string(100 * together.worst));
    EXPECT_EQ(together.fewer_placed, 0);
    EXPECT_LE(together.mean, 0.01);
    EXPECT_LE(together.worst, 0.05);
}

TEST(AssignProperty, DecidingOneAfterAnotherIsNotThatNear) {
    const Distance in_order = distance(assign_in_order);
    RecordProperty("mean_percent", std::to_string(100 * in_order.mean));
    RecordProperty("worst_percent", std::to_string(100 * in_order.worst));
    RecordProperty("fewer_placed", in_order.fewer_placed);
    EXPECT_GT(in_order.mean, 0.01) << "or assign() is not needed";
}

TEST(AssignProperty, AnItemWithoutOptionsIsLeftOutAndSaid) {
    const Assignment made = assign({{.cpu_milli = 1000}}, {{}, {{.request = {.cpu_milli = 500}}}});
    EXPECT_EQ(made.unplaced, 1);
    EXPECT_FALSE(made.option_of[0]);
    EXPECT_EQ(made.option_of[1], 0U);
    EXPECT_TRUE(made.proven);
}

TEST(AssignProperty, AManyItemSearchIsCutAndNeverWorseThanItsStart) {
    SeededRandom random(7);
    std::vector<Capacity> free(40, {.cpu_milli = 2000, .memory_mib = 1000});
    std::vector<std::vector<Option>> options(80);
    for (std::vector<Option>& each : options)
        for (std::size_t node = 0; node < free.size(); ++node)
            each.push_back(
                {.node = node,
                 .request = {.cpu_milli = static_cast<std::int64_t>(300 + random.below(700))},
                 .score = static_cast<std::int64_t>(random.below(1'000'000))}
            );
    const Assignment start = assign_in_order(free, options);
    const Assignment made = assign(free, options);
    EXPECT_LE(std::pair(made.unplaced, made.score), std::pair(start.unplaced, start.score));
    EXPECT_FALSE(made.proven);
}

}  // namespace
}  // namespace penstock::scheduler
