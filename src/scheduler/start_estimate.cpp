// SPDX-License-Identifier: Apache-2.0
#include "scheduler/start_estimate.h"

#include <algorithm>
#include <map>
#include <queue>
#include <span>

namespace penstock::scheduler {
namespace {

// Amounts by resource: CPU, memory, then device models as they were first named.
using Vector = std::vector<std::int64_t>;

class Resources {
  public:
    Vector of(const Capacity& capacity) {
        Vector all{capacity.cpu_milli, capacity.memory_mib};
        for (const auto& [model, milli] : capacity.accelerator_milli) set(all, model, milli);
        return all;
    }
    Vector of(const ResourceRequest& request) {
        Vector all{request.cpu_milli, request.memory_mib};
        if (request.accelerator)
            set(all, request.accelerator->model, request.accelerator->count_milli);
        return all;
    }

  private:
    void set(Vector& all, const std::string& model, std::int64_t milli) {
        const std::size_t at = 2 + indexes_.emplace(model, indexes_.size()).first->second;
        if (all.size() <= at) all.resize(at + 1, 0);
        all[at] = milli;
    }
    std::map<std::string, std::size_t> indexes_;
};

bool fits(const Vector& asked, const Vector& free) {
    for (std::size_t i = 0; i < asked.size(); ++i)
        if (asked[i] > (i < free.size() ? free[i] : 0)) return false;
    return true;
}

void add(Vector& free, const Vector& amounts, std::int64_t sign) {
    if (free.size() < amounts.size()) free.resize(amounts.size(), 0);
    for (std::size_t i = 0; i < amounts.size(); ++i) free[i] += sign * amounts[i];
}

// The input with its amounts as vectors, and who may use which node.
class Model {
  public:
    explicit Model(const EstimateInput& input) : input_(input) {
        for (const Capacity& node : input.nodes) free_.push_back(resources_.of(node));
        for (const EstimateRunning& each : input.running) {
            running_.push_back(resources_.of(each.request));
            add(free_[each.node], running_.back(), -1);
        }
        by_node_.resize(input.nodes.size());
        for (std::size_t w = 0; w < input.waiting.size(); ++w)
            for (const EstimatePlace& place : input.waiting[w].places) {
                Asked asked{w, resources_.of(place.request)};
                const bool possible = fits(asked.amounts, resources_.of(input.nodes[place.node]));
                if (possible) by_node_[place.node].push_back(asked);
            }
    }

    bool limits_only() const {
        const auto by_limit = [](const auto& each) {
            return each.times.seen.empty() && each.times.limit;
        };
        const auto here = [&](const EstimateRunning& each) {
            return !by_node_[each.node].empty() && by_limit(each);
        };
        const auto ahead = std::span(input_.waiting).first(input_.waiting.size() - 1);
        return std::ranges::any_of(input_.running, here) || std::ranges::any_of(ahead, by_limit);
    }

    // One course of events; `steps` is how much may still be looked at in all.
    std::optional<Duration> play(Random& random, std::size_t& steps) const;

  private:
    struct Asked {
        std::size_t waiting = 0;
        Vector amounts;
    };
    struct End {
        Duration at{};
        std::size_t node = 0;
        const Vector* amounts = nullptr;
        bool operator>(const End& other) const { return at > other.at; }
    };
    using Ends = std::priority_queue<End, std::vector<End>, std::greater<>>;

    const EstimateInput& input_;
    Resources resources_;
    std::vector<Vector> free_;
    std::vector<Vector> running_;
    std::vector<std::vector<Asked>> by_node_;  // in the order of the queue
};

std::optional<Duration> Model::play(Random& random, std::size_t& steps) const {
    std::vector<Vector> free = free_;
    std::vector<bool> started(input_.waiting.size(), false);
    Ends ends;
    for (std::size_t i = 0; i < running_.size(); ++i) {
        const EstimateRunning& each = input_.running[i];
        if (by_node_[each.node].empty()) continue;
        if (const auto left = each.times.draw_left(random, each.elapsed))
            ends.push({*left, each.node, &running_[i]});
    }
    // Starts on the node, at `now`, whoever finds room there.
    const auto fill = [&](std::size_t node, Duration now) {
        steps -= std::min(steps, by_node_[node].size() + 1);
        for (const Asked& asked : by_node_[node]) {
            if (started[asked.waiting] || !fits(asked.amounts, free[node])) continue;
            started[asked.waiting] = true;
            add(free[node], asked.amounts, -1);
            const RunTimes& times = input_.waiting[asked.waiting].times;
            if (const auto left = times.draw_left(random, Duration{0}))
                ends.push({now + *left, node, &asked.amounts});
        }
        return static_cast<bool>(started.back());
    };
    for (std::size_t node = 0; node < free.size(); ++node)
        if (fill(node, Duration{0})) return Duration{0};
    while (!ends.empty() && steps > 0) {
        const End end = ends.top();
        ends.pop();
        add(free[end.node], *end.amounts, 1);
        if (fill(end.node, end.at)) return end.at;
    }
    return std::nullopt;
}

}  // namespace

WaitQuantiles estimate_wait(const EstimateInput& input) {
    WaitQuantiles quantiles;
    if (input.waiting.size() > kEstimateAheadMax + 1) {
        quantiles.too_many = true;
        return quantiles;
    }
    if (input.waiting.empty()) return quantiles;
    const Model model(input);
    SeededRandom random(input.seed);
    std::vector<Duration> waits;
    std::size_t steps = kEstimateStepsMax;
    for (std::size_t i = 0; i < kEstimateSamples && steps > 0; ++i)
        if (const std::optional<Duration> wait = model.play(random, steps)) waits.push_back(*wait);
    if (steps == 0) {
        quantiles.too_many = true;
        return quantiles;
    }
    std::ranges::sort(waits);
    const auto rank = [&](std::size_t percent) -> std::optional<Duration> {
        const std::size_t at = (kEstimateSamples + 1) * percent / 100 - 1;
        return at < waits.size() ? std::optional(waits[at]) : std::nullopt;
    };
    quantiles.limits_only = model.limits_only();
    quantiles.p90 = rank(90);
    if (quantiles.limits_only) return quantiles;
    quantiles.p10 = rank(10);
    quantiles.p50 = rank(50);
    return quantiles;
}

}  // namespace penstock::scheduler
