// SPDX-License-Identifier: Apache-2.0
#include "placement/preemption.h"

#include <algorithm>
#include <numeric>
#include <span>
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

// Stopping some victims on one node makes room for `gain` more tasks of the gang.
struct Step {
    std::int32_t gain = 0;
    std::int32_t priority = 0;
    std::int64_t lost = 0;
    std::uint32_t first_victim = 0;  // in Steps::victims
    std::uint32_t victims = 0;
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

// What can be gained on every node, step by step, cheapest residents first. All steps and victims
// lie in two arrays: one vector for each step would cost more than the search.
class Steps {
  public:
    Steps(
        const Placer& placer, const Residents& residents, const Request& request,
        std::int32_t priority
    )
        : placer_(placer), residents_(residents), request_(request), priority_(priority) {
        const auto nodes = static_cast<NodeIndex>(placer.nodes().size());
        first_.reserve(nodes + std::size_t{1});
        room_.reserve(nodes);
        steps_.reserve(residents.size());
        victims_.reserve(residents.size());
        for (NodeIndex node = 0; node < nodes; ++node) {
            first_.push_back(static_cast<std::uint32_t>(steps_.size()));
            room_.push_back(capacity(placer.nodes()[node], request));
            add(node);
        }
        first_.push_back(static_cast<std::uint32_t>(steps_.size()));
    }

    std::span<const Step> of(NodeIndex node) const {
        return std::span(steps_).subspan(first_[node], first_[node + 1] - first_[node]);
    }
    std::int32_t room(NodeIndex node) const { return room_[node]; }
    std::span<const ResidentId> victims(const Step& step) const {
        return std::span(victims_).subspan(step.first_victim, step.victims);
    }

  private:
    void add(NodeIndex index) {
        Node node = placer_.nodes()[index];
        // A node whose device model is not allowed gains nothing.
        if (!request_.cpu_only() && !may_use(node, request_)) return;
        std::int32_t room = room_[index];
        order(index);
        stopped_.clear();
        for (const auto& key : order_) {
            const ResidentId id = std::get<ResidentId>(key);
            stop(node, id, +1);
            stopped_.push_back(id);
            const std::int32_t now = capacity(node, request_);
            if (now <= room) continue;
            spare(node, now);
            write_step(now - room);
            room = now;
            // The next task may need them after all.
            for (const ResidentId again : spared_) stop(node, again, +1);
            stopped_.swap(spared_);
        }
    }

    // Who may be stopped here, cheapest first.
    void order(NodeIndex index) {
        order_.clear();
        for (const ResidentId id : residents_.on(index)) {
            const Resident& resident = residents_.at(id);
            if (resident.priority < priority_)
                order_.emplace_back(resident.priority, work_lost(placer_, resident), id);
        }
        std::ranges::sort(order_);
    }

    void stop(Node& node, ResidentId id, int sign) const {
        const Placement& placement = residents_.at(id).placement;
        give_back(node, placer_.request(placement.shape), placement, sign);
    }

    // Moves those who need not stop from stopped_ to spared_, the dearest first.
    void spare(Node& node, std::int32_t room) {
        spared_.clear();
        if (stopped_.size() == 1) return;  // it made the room
        for (std::size_t i = stopped_.size(); i-- > 0;) {
            const ResidentId id = stopped_[i];
            stop(node, id, -1);
            if (capacity(node, request_) < room) {
                stop(node, id, +1);
                continue;
            }
            stopped_.erase(stopped_.begin() + static_cast<std::ptrdiff_t>(i));
            spared_.push_back(id);
        }
        std::ranges::reverse(spared_);
    }

    void write_step(std::int32_t gain) {
        Step step{
            .gain = gain,
            .first_victim = static_cast<std::uint32_t>(victims_.size()),
            .victims = static_cast<std::uint32_t>(stopped_.size())
        };
        for (const ResidentId id : stopped_) {
            const Resident& resident = residents_.at(id);
            step.priority = std::max(step.priority, resident.priority);
            step.lost += work_lost(placer_, resident);
            victims_.push_back(id);
        }
        steps_.push_back(step);
    }

    const Placer& placer_;
    const Residents& residents_;
    const Request& request_;
    std::int32_t priority_;
    std::vector<std::uint32_t> first_;  // of each node in steps_, and the end
    std::vector<std::int32_t> room_;    // tasks that fit without stopping anyone
    std::vector<Step> steps_;
    std::vector<ResidentId> victims_;
    // Of the node at hand.
    std::vector<std::tuple<std::int32_t, std::int64_t, ResidentId>> order_;
    std::vector<ResidentId> stopped_;
    std::vector<ResidentId> spared_;
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
        : placer_(placer),
          topology_(topology),
          residents_(residents),
          gang_(gang),
          steps_(placer, residents, placer.request(gang.shape), priority),
          all_(placer.nodes().size()) {
        std::iota(all_.begin(), all_.end(), NodeIndex{0});
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
        const auto add = [&](Cell cell, std::span<const NodeIndex> nodes) {
            if (auto option = clear(cell, nodes)) options.push_back(std::move(*option));
        };
        switch (level) {
            case Level::domain:
            case Level::node:
                for (const NodeIndex& node : all_) add({level, node}, std::span(&node, 1));
                break;
            case Level::rack:
                for (std::uint32_t i = 0; i < topology_.racks().size(); ++i)
                    add({level, i}, topology_.racks()[i].nodes);
                break;
            case Level::site:
                for (std::uint32_t i = 0; i < topology_.sites().size(); ++i)
                    add({level, i}, nodes_of_site(i));
                break;
            case Level::cluster:
                add({level, 0}, all_);
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
    std::optional<Option> clear(Cell cell, std::span<const NodeIndex> nodes) const {
        std::int64_t wanted = gang_.count;
        std::int64_t gains = 0;
        for (const NodeIndex node : nodes) {
            wanted -= steps_.room(node);
            for (const Step& step : steps_.of(node)) gains += step.gain;
        }
        if (gains < wanted) return std::nullopt;
        using Next = std::pair<NodeIndex, std::size_t>;
        const auto later = [&](const Next& a, const Next& b) {
            const Step& left = steps_.of(a.first)[a.second];
            const Step& right = steps_.of(b.first)[b.second];
            if (dearer(left, right) || dearer(right, left)) return dearer(left, right);
            return a > b;
        };
        std::vector<Next> heap;
        heap.reserve(nodes.size());
        for (const NodeIndex node : nodes)
            if (!steps_.of(node).empty()) heap.emplace_back(node, 0);
        std::ranges::make_heap(heap, later);
        Option option{.cell = cell};
        while (wanted > 0) {
            std::ranges::pop_heap(heap, later);
            const auto [node, at] = heap.back();
            heap.pop_back();
            const Step& step = steps_.of(node)[at];
            wanted -= step.gain;
            option.priority = std::max(option.priority, step.priority);
            option.lost += step.lost;
            const std::span<const ResidentId> victims = steps_.victims(step);
            option.victims.insert(option.victims.end(), victims.begin(), victims.end());
            if (at + 1 == steps_.of(node).size()) continue;
            heap.emplace_back(node, at + 1);
            std::ranges::push_heap(heap, later);
        }
        return option;
    }

    Placer& placer_;
    const Topology& topology_;
    const Residents& residents_;
    const Gang& gang_;
    Steps steps_;
    std::vector<NodeIndex> all_;
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
