// SPDX-License-Identifier: Apache-2.0
#include "placement/preemption.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "base/check.h"
#include "placement/verdict.h"

namespace penstock::placement {
namespace {

constexpr std::size_t kEqualCellsTried = 4;  // of equal cost; the fragments after decide

std::int64_t work_lost(const Placer& placer, const Resident& resident) {
    const Request& request = placer.request(resident.placement.shape);
    return resident.seconds_lost * std::max(request.total_milli(), 1);
}

// Stopping `victims` on one node makes room for `gain` more tasks of the gang.
struct Step {
    std::int32_t gain = 0;
    std::int32_t priority = 0;
    std::int64_t lost = 0;
    std::vector<ResidentId> victims;
};
// Dearer per task gained.
bool dearer(const Step& a, const Step& b) {
    if (a.priority != b.priority) return a.priority > b.priority;
    return a.lost * b.gain > b.lost * a.gain;
}

void give_back(Node& node, const Request& request, const Placement& placement, int sign) {
    node.cpu_free += sign * request.cpu_milli;
    if (node.memory_total != kMemoryUnknown) node.memory_free += sign * request.memory_mib;
    for (DeviceMask rest = placement.devices; rest != 0; rest &= rest - 1) {
        std::uint16_t& free = node.free[static_cast<std::size_t>(std::countr_zero(rest))];
        free = static_cast<std::uint16_t>(free + sign * request.device_milli);
    }
}

// What can be gained on one node, step by step, cheapest residents first.
class NodeSteps {
  public:
    NodeSteps(const Placer& placer, const Residents& residents, const Request& request)
        : placer_(placer), residents_(residents), request_(request) {}

    std::vector<Step> of(NodeIndex index, std::int32_t priority) const {
        Node node = placer_.nodes()[index];
        // A node whose device model is not allowed gains nothing.
        if (!request_.cpu_only() && !may_use(node, request_)) return {};
        std::int32_t room = capacity(node, request_);
        const std::vector<ResidentId> order = order_of(index, priority);
        std::vector<Step> steps;
        steps.reserve(order.size());
        Step step;
        for (const ResidentId id : order) {
            stop(node, id, +1);
            step.victims.push_back(id);
            const std::int32_t now = capacity(node, request_);
            if (now <= room) continue;
            std::vector<ResidentId> spared = spare(node, step, now);
            step.gain = now - room;
            room = now;
            price(step);
            steps.push_back(std::move(step));
            // The next task may need them after all.
            for (const ResidentId again : spared) stop(node, again, +1);
            step = {.victims = std::move(spared)};
        }
        return steps;
    }

  private:
    // Who may be stopped here, cheapest first.
    std::vector<ResidentId> order_of(NodeIndex index, std::int32_t priority) const {
        std::vector<std::tuple<std::int32_t, std::int64_t, ResidentId>> keys;
        keys.reserve(residents_.on(index).size());
        for (const ResidentId id : residents_.on(index)) {
            const Resident& resident = residents_.at(id);
            if (resident.priority < priority)
                keys.emplace_back(resident.priority, work_lost(placer_, resident), id);
        }
        std::ranges::sort(keys);
        std::vector<ResidentId> order;
        order.reserve(keys.size());
        for (const auto& key : keys) order.push_back(std::get<2>(key));
        return order;
    }

    void stop(Node& node, ResidentId id, int sign) const {
        const Placement& placement = residents_.at(id).placement;
        give_back(node, placer_.request(placement.shape), placement, sign);
    }

    // Takes those who need not stop out of the step, the dearest first, and returns them.
    std::vector<ResidentId> spare(Node& node, Step& step, std::int32_t room) const {
        std::vector<ResidentId> spared;
        if (step.victims.size() == 1) return spared;  // it made the room
        for (std::size_t i = step.victims.size(); i-- > 0;) {
            const ResidentId id = step.victims[i];
            stop(node, id, -1);
            if (capacity(node, request_) < room) {
                stop(node, id, +1);
                continue;
            }
            step.victims.erase(step.victims.begin() + static_cast<std::ptrdiff_t>(i));
            spared.insert(spared.begin(), id);
        }
        return spared;
    }

    void price(Step& step) const {
        for (const ResidentId id : step.victims) {
            const Resident& resident = residents_.at(id);
            step.priority = std::max(step.priority, resident.priority);
            step.lost += work_lost(placer_, resident);
        }
    }

    const Placer& placer_;
    const Residents& residents_;
    const Request& request_;
};

// One cell and what clearing it costs.
struct Option {
    Cell cell;
    std::int32_t priority = INT32_MIN;
    std::int64_t lost = 0;
    std::vector<ResidentId> victims;

    auto cost() const { return std::tuple(priority, lost); }
};

class Planner {
  public:
    Planner(
        Placer& placer, const Topology& topology, const Residents& residents, const Gang& gang,
        std::int32_t priority
    )
        : placer_(placer), topology_(topology), residents_(residents), gang_(gang) {
        const NodeSteps steps(placer, residents, placer.request(gang.shape));
        const std::size_t nodes = placer.nodes().size();
        steps_.reserve(nodes);
        room_.reserve(nodes);
        for (NodeIndex node = 0; node < nodes; ++node) {
            steps_.push_back(steps.of(node, priority));
            room_.push_back(capacity(placer.nodes()[node], placer.request(gang.shape)));
        }
    }

    // The cells of the smallest level that can be cleared, cheapest first.
    std::vector<Option> options() const {
        for (const Level level : {Level::node, Level::rack, Level::site, Level::cluster}) {
            if (level > std::max(gang_.widest, Level::node)) break;
            std::vector<Option> options = options_of(level);
            if (options.empty()) continue;
            std::ranges::sort(options, [](const Option& a, const Option& b) {
                return std::tuple(a.cost(), a.cell.index) < std::tuple(b.cost(), b.cell.index);
            });
            return options;
        }
        return {};
    }

    // Releases the victims and places the gang; false: undo.
    bool apply(Transaction& transaction, const Option& option, std::vector<Placement>& tasks) {
        for (const ResidentId id : option.victims) transaction.release(residents_.at(id).placement);
        return fill_cell(transaction, placer_, topology_, gang_, option.cell, tasks);
    }

    // How much fragments grow; nothing when it cannot be applied. Leaves no trace.
    std::optional<std::int64_t> fragments_grown(
        const Option& option, const FragmentationMeter& meter
    ) {
        std::vector<Placement> tasks;
        Transaction transaction(placer_);
        if (!apply(transaction, option, tasks)) return std::nullopt;
        const std::vector<NodeIndex> touched = transaction.touched();
        std::int64_t growth = 0;
        for (const NodeIndex node : touched) growth += meter.of(placer_.nodes()[node]);
        transaction.roll_back();
        for (const NodeIndex node : touched) growth -= meter.of(placer_.nodes()[node]);
        return growth;
    }

  private:
    std::vector<Option> options_of(Level level) const {
        std::vector<Option> options;
        const auto add = [&](Cell cell, const std::vector<NodeIndex>& nodes) {
            if (auto option = clear(cell, nodes)) options.push_back(std::move(*option));
        };
        switch (level) {
            case Level::domain:
            case Level::node:
                for (NodeIndex i = 0; i < room_.size(); ++i) add({level, i}, {i});
                break;
            case Level::rack:
                for (std::uint32_t i = 0; i < topology_.racks().size(); ++i)
                    add({level, i}, topology_.racks()[i].nodes);
                break;
            case Level::site:
                for (std::uint32_t i = 0; i < topology_.sites().size(); ++i)
                    add({level, i}, nodes_of_site(i));
                break;
            case Level::cluster: {
                std::vector<NodeIndex> all(room_.size());
                std::iota(all.begin(), all.end(), NodeIndex{0});
                add({level, 0}, all);
            }
        }
        return options;
    }

    std::vector<NodeIndex> nodes_of_site(std::uint32_t site) const {
        std::vector<NodeIndex> nodes;
        for (const std::uint32_t rack : topology_.sites()[site])
            nodes.insert(
                nodes.end(), topology_.racks()[rack].nodes.begin(),
                topology_.racks()[rack].nodes.end()
            );
        return nodes;
    }

    // The cheapest steps that make the cell large enough; each node's in their order.
    std::optional<Option> clear(Cell cell, const std::vector<NodeIndex>& nodes) const {
        std::int64_t wanted = gang_.count;
        std::int64_t gains = 0;
        for (const NodeIndex node : nodes) {
            wanted -= room_[node];
            for (const Step& step : steps_[node]) gains += step.gain;
        }
        if (gains < wanted) return std::nullopt;
        using Next = std::pair<NodeIndex, std::size_t>;
        const auto later = [&](const Next& a, const Next& b) {
            const Step& left = steps_[a.first][a.second];
            const Step& right = steps_[b.first][b.second];
            if (dearer(left, right) || dearer(right, left)) return dearer(left, right);
            return a > b;
        };
        std::vector<Next> heap;
        for (const NodeIndex node : nodes)
            if (!steps_[node].empty()) heap.emplace_back(node, 0);
        std::ranges::make_heap(heap, later);
        Option option{.cell = cell};
        while (wanted > 0) {
            std::ranges::pop_heap(heap, later);
            const auto [node, at] = heap.back();
            heap.pop_back();
            const Step& step = steps_[node][at];
            wanted -= step.gain;
            option.priority = std::max(option.priority, step.priority);
            option.lost += step.lost;
            option.victims.insert(option.victims.end(), step.victims.begin(), step.victims.end());
            if (at + 1 == steps_[node].size()) continue;
            heap.emplace_back(node, at + 1);
            std::ranges::push_heap(heap, later);
        }
        return option;
    }

    Placer& placer_;
    const Topology& topology_;
    const Residents& residents_;
    const Gang& gang_;
    std::vector<std::vector<Step>> steps_;
    std::vector<std::int32_t> room_;
};

// Of the cells that cost the same, the one that leaves the fewest fragments goes first.
void least_fragments_first(
    std::vector<Option>& options, Planner& planner, const FragmentationMeter& meter
) {
    std::size_t equal = 1;
    while (equal < std::min(options.size(), kEqualCellsTried) &&
           options[equal].cost() == options[0].cost())
        ++equal;
    if (equal == 1) return;
    std::size_t best = 0;
    std::optional<std::int64_t> least;
    for (std::size_t i = 0; i < equal; ++i) {
        const std::optional<std::int64_t> growth = planner.fragments_grown(options[i], meter);
        if (!growth || (least && *growth >= *least)) continue;
        best = i;
        least = growth;
    }
    std::swap(options[0], options[best]);
}

}  // namespace

ResidentId Residents::add(const Resident& resident) {
    auto id = static_cast<ResidentId>(residents_.size());
    if (unused_.empty()) {
        residents_.push_back(resident);
    } else {
        id = unused_.back();
        unused_.pop_back();
        residents_[id] = resident;
    }
    by_node_[resident.placement.node].push_back(id);
    return id;
}

void Residents::remove(ResidentId id) {
    auto& here = by_node_[residents_[id].placement.node];
    const auto found = std::ranges::find(here, id);
    CHECK(found != here.end(), "only who runs is removed");
    here.erase(found);
    unused_.push_back(id);
}

std::optional<Preemption> preempt(
    Placer& placer, const Topology& topology, const Residents& residents, const Gang& gang,
    std::int32_t priority, const FragmentationMeter& meter
) {
    CHECK(gang.count > 0, "callers refuse an empty gang");
    Planner planner(placer, topology, residents, gang, priority);
    std::vector<Option> options = planner.options();
    if (options.empty()) return std::nullopt;
    least_fragments_first(options, planner, meter);
    for (Option& option : options) {
        Transaction transaction(placer);
        Preemption result{.level = option.cell.level};
        if (!planner.apply(transaction, option, result.tasks)) continue;
        transaction.commit();
        result.victims = std::move(option.victims);
        result.priority_max = option.priority;
        result.device_seconds_lost = option.lost;
        return result;
    }
    return std::nullopt;
}

}  // namespace penstock::placement
