// SPDX-License-Identifier: Apache-2.0
#include "sim/optimal_instance.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace penstock::sim {
namespace {

constexpr double kLossUnits = 1e9;
constexpr std::int64_t kMilli = 1000;
constexpr std::array<std::string_view, 2> kModels = {"A", "B"};
constexpr std::array<std::string_view, 4> kControls = {
    "attestation", "dedicated_tenancy", "encryption", "audit"
};
const Time kNow = Time(1'700'000'000s);

// 1 to `most` units of 10⁻⁵ a second.
Price drawn_price(Random& random, std::uint64_t most) {
    constexpr int kScale = 5;
    return {static_cast<std::int64_t>(1 + random.below(most)), kScale};
}

double drawn_between(Random& random, double low, double high) {
    return low + (high - low) * random.unit();
}

// Five weights, any of which may be nothing; their sum is 1.
Strategy drawn_strategy(Random& random) {
    std::array<double, 5> weights{};
    double sum = 0;
    while (sum == 0)
        for (double& weight : weights) {
            weight = random.below(4) == 0 ? 0 : random.unit();
            sum += weight;
        }
    sum = 0;
    for (const double weight : weights) sum += weight;
    return {
        .cost = weights[0] / sum,
        .duration = weights[1] / sum,
        .security = weights[2] / sum,
        .latency = weights[3] / sum,
        .green = weights[4] / sum
    };
}

}  // namespace

OptimalInstance::OptimalInstance(std::uint64_t seed, std::int64_t nodes_max, std::int64_t tasks_max)
    : id_words_(seed), ids_(id_words_) {
    SeededRandom random(seed);
    const auto drawn = [&](std::int64_t most) {
        return 2 + random.below(static_cast<std::uint64_t>(most - 1));
    };
    for (std::size_t i = drawn(nodes_max); i > 0; --i) add_node(i, random);
    for (std::size_t i = drawn(tasks_max); i > 0; --i) tasks_.push_back(draw_task(random));
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
        alone_.push_back(plan(i, totals(), {}));
        std::vector<scheduler::Option>& options = options_.emplace_back();
        for (const Candidate& each : alone_.back().candidates)
            if (each.filter == FilterReason::none)
                options.push_back(
                    {.node = node_of(each.node_id),
                     .request = each.request,
                     .score = std::llround(each.score.value_or(0) * kLossUnits)}
                );
    }
}

void OptimalInstance::add_node(std::size_t number, Random& random) {
    Site site{.id = ids_.next<SiteId>(kNow), .provider = "provider"};
    site.spec = {
        .name = "s" + std::to_string(number),
        .region = "region",
        .division_code = "420100",
        .carbon_g_per_kwh = drawn_between(random, 20, 720),
        .rtt_ms = drawn_between(random, 1, 150),
        .watts_per_core = drawn_between(random, 3, 9)
    };
    for (const std::string_view control : kControls)
        if (random.below(2) == 0) site.spec.controls.emplace_back(control);
    site.spec.prices.core_second = drawn_price(random, 9);
    Node node{
        .id = ids_.next<NodeId>(kNow),
        .site_id = site.id,
        .site = site.spec.name,
        .name = "n" + std::to_string(number),
        .state = NodeState::online,
        .health = Health::ok,
        .enforces = {"cpu", "memory"}
    };
    node.total = {
        .cpu_milli = static_cast<std::int64_t>(1 + random.below(4)) * kMilli,
        .memory_mib = static_cast<std::int64_t>(1 + random.below(4)) * 1024
    };
    for (const std::string_view model : kModels) {
        const auto devices = static_cast<std::int64_t>(random.below(4));
        if (devices == 0) continue;
        node.total.accelerator_milli[std::string(model)] = devices * kMilli;
        site.spec.prices.card_second[std::string(model)] = drawn_price(random, 99);
    }
    sites_.push_back(std::move(site));
    nodes_.push_back(std::move(node));
}

OptimalInstance::Task OptimalInstance::draw_task(Random& random) {
    Task task;
    const auto cpu = static_cast<std::int64_t>(250 * (1 + random.below(6)));
    const auto memory = static_cast<std::int64_t>(256 * (1 + random.below(6)));
    task.spec.run = "true";
    task.spec.resources.cpus = CpuRange{{cpu, cpu}};
    task.spec.resources.memory = MemoryRange{{memory, memory}};
    task.spec.placement = PlacementSpec{.optimize = drawn_strategy(random)};
    const double minutes = drawn_between(random, 10, 310);
    const auto span = [](double each) {
        return std::chrono::round<Duration>(std::chrono::duration<double, std::ratio<60>>(each));
    };
    const std::uint64_t kind = random.below(4);  // no device, A, B, any
    const auto count = static_cast<std::int64_t>(1 + random.below(2));
    if (kind == 0) {
        task.profile.run_time = span(minutes);
        return task;
    }
    Accelerators asked;
    for (std::size_t model = 0; model < kModels.size(); ++model) {
        const std::string name(kModels[model]);
        if ((kind & (model + 1)) != 0) asked.choices.push_back({name, count * kMilli});
        task.profile.run_time_on[name] = span(minutes * drawn_between(random, 0.5, 2));
        task.profile.watts_per_device[name] = drawn_between(random, 70, 700);
    }
    task.spec.resources.accelerators = std::move(asked);
    return task;
}

Plan OptimalInstance::plan(std::size_t i, const std::vector<Capacity>& free, const Left& left)
    const {
    TaskSpec spec = tasks_[i].spec;
    if (left.alone) spec.resources.accelerators->choices = {*left.alone};
    scheduler::Input input{
        .spec = spec,
        .spec_sha256 = {},
        .supplies = {},
        .avoid = {},
        .leave = left.nodes,
        .profile = tasks_[i].profile,
        .budget_left = {},
        .now = kNow
    };
    for (std::size_t n = 0; n < nodes_.size(); ++n)
        input.supplies.push_back({.site = &sites_[n], .node = &nodes_[n], .free = free[n]});
    return scheduler::plan(input);
}

std::vector<Capacity> OptimalInstance::totals() const {
    std::vector<Capacity> all;
    for (const Node& node : nodes_) all.push_back(node.total);
    return all;
}

std::map<NodeId, Capacity> OptimalInstance::totals_by_id() const {
    std::map<NodeId, Capacity> all;
    for (const Node& node : nodes_) all[node.id] = node.total;
    return all;
}

std::size_t OptimalInstance::node_of(NodeId id) const {
    return static_cast<std::size_t>(std::ranges::find(nodes_, id, &Node::id) - nodes_.begin());
}

}  // namespace penstock::sim
