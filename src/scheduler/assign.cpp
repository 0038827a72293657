// SPDX-License-Identifier: Apache-2.0
#include "scheduler/assign.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace penstock::scheduler {
namespace {

using Options = std::vector<std::vector<Option>>;

std::int64_t& milli_of(Capacity& capacity, const Accelerator& accelerator) {
    return capacity.accelerator_milli[accelerator.model];
}

bool fits(const Capacity& free, const ResourceRequest& request) {
    if (request.cpu_milli > free.cpu_milli || request.memory_mib > free.memory_mib) return false;
    if (!request.accelerator) return true;
    const auto found = free.accelerator_milli.find(request.accelerator->model);
    return found != free.accelerator_milli.end() &&
           found->second >= request.accelerator->count_milli;
}

void take(Capacity& free, const ResourceRequest& request, std::int64_t sign) {
    free.cpu_milli -= sign * request.cpu_milli;
    free.memory_mib -= sign * request.memory_mib;
    if (request.accelerator)
        milli_of(free, *request.accelerator) -= sign * request.accelerator->count_milli;
}

// Options of an item, best first; equal scores by index.
std::vector<std::size_t> best_first(const std::vector<Option>& options) {
    std::vector<std::size_t> order(options.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(options[i].score, i); });
    return order;
}

bool better(const Assignment& a, const Assignment& b) {
    return std::tie(a.unplaced, a.score) < std::tie(b.unplaced, b.score);
}

class Search {
  public:
    // `queue`: the items have an order, and those that the start places are to be placed.
    Search(std::vector<Capacity> free, const Options& options, Assignment start, bool queue)
        : free_(std::move(free)), options_(options), queue_(queue), best_(std::move(start)) {
        placed_.resize(options.size());
        for (std::size_t i = 0; i < options.size(); ++i)
            placed_[i] = queue && best_.option_of[i].has_value();
        items_.resize(options.size());
        std::iota(items_.begin(), items_.end(), std::size_t{0});
        // Those with the fewest ways first: a wrong turn shows early.
        if (!queue)
            std::ranges::sort(items_, {}, [&](std::size_t i) {
                return std::pair(options[i].size(), i);
            });
        for (const std::vector<Option>& each : options) orders_.push_back(best_first(each));
        current_.option_of.resize(options.size());
    }
    Assignment run() {
        descend(0);
        best_.proven = steps_ <= kAssignStepsMax;
        return std::move(best_);
    }

  private:
    // What items from `depth` on can add at least, each at the best of its options that fits now.
    Assignment bound(std::size_t depth) const {
        Assignment least{.unplaced = current_.unplaced, .score = current_.score};
        for (std::size_t i = depth; i < items_.size(); ++i) {
            const std::size_t item = items_[i];
            const auto found = std::ranges::find_if(orders_[item], [&](std::size_t option) {
                const Option& each = options_[item][option];
                return fits(free_[each.node], each.request);
            });
            if (found == orders_[item].end())
                least.unplaced += placed_[item] ? kNever : 1;
            else
                least.score += options_[item][*found].score;
        }
        return least;
    }
    void descend(std::size_t depth) {
        if (++steps_ > kAssignStepsMax) return;
        if (depth == items_.size()) {
            if (better(current_, best_)) best_ = current_;
            return;
        }
        if (!better(bound(depth), best_)) return;
        const std::size_t item = items_[depth];
        bool has_room = false;
        for (const std::size_t option : orders_[item]) {
            const Option& each = options_[item][option];
            if (!fits(free_[each.node], each.request)) continue;
            has_room = true;
            take(free_[each.node], each.request, 1);
            current_.option_of[item] = option;
            current_.score += each.score;
            descend(depth + 1);
            current_.score -= each.score;
            current_.option_of[item].reset();
            take(free_[each.node], each.request, -1);
        }
        if (placed_[item] || (queue_ && has_room)) return;
        ++current_.unplaced;
        descend(depth + 1);
        --current_.unplaced;
    }

    std::vector<Capacity> free_;
    static constexpr std::int64_t kNever = 1'000'000'000;  // as many unplaced: no way at all

    const Options& options_;
    bool queue_;
    std::vector<bool> placed_;
    std::vector<std::size_t> items_;
    std::vector<std::vector<std::size_t>> orders_;
    Assignment current_;
    Assignment best_;
    std::int64_t steps_ = 0;
};

}  // namespace

Assignment assign_in_order(const std::vector<Capacity>& free, const Options& options) {
    std::vector<Capacity> left = free;
    Assignment made;
    for (const std::vector<Option>& each : options) {
        const std::vector<std::size_t> order = best_first(each);
        const auto found = std::ranges::find_if(order, [&](std::size_t option) {
            return fits(left[each[option].node], each[option].request);
        });
        made.option_of.push_back(found == order.end() ? std::nullopt : std::optional(*found));
        if (found == order.end()) {
            ++made.unplaced;
            continue;
        }
        take(left[each[*found].node], each[*found].request, 1);
        made.score += each[*found].score;
    }
    return made;
}

Assignment assign(const std::vector<Capacity>& free, const Options& options) {
    return Search(free, options, assign_in_order(free, options), false).run();
}

Assignment assign_in_queue(const std::vector<Capacity>& free, const Options& options) {
    return Search(free, options, assign_in_order(free, options), true).run();
}

}  // namespace penstock::scheduler
