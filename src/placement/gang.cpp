// SPDX-License-Identifier: Apache-2.0
#include "placement/gang.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace penstock::placement {
namespace {

constexpr std::size_t kNone = SIZE_MAX;

// The tightest part with room for all of `wanted`, the first of equal ones; kNone when none has.
std::size_t tightest(const std::vector<std::int64_t>& room, std::int64_t wanted) {
    std::size_t best = kNone;
    for (std::size_t i = 0; i < room.size(); ++i)
        if (room[i] >= wanted && (best == kNone || room[i] < room[best])) best = i;
    return best;
}

// Room for the gang's tasks in every node, rack and site, as it is now.
struct Room {
    std::vector<std::int64_t> nodes, racks, sites;
    std::int64_t all = 0;

    Room(const Placer& placer, const Topology& topology, const Request& request)
        : nodes(placer.nodes().size()),
          racks(topology.racks().size()),
          sites(topology.sites().size()) {
        for (std::size_t rack = 0; rack < racks.size(); ++rack) {
            for (const NodeIndex node : topology.racks()[rack].nodes) {
                nodes[node] = capacity(placer.nodes()[node], request);
                racks[rack] += nodes[node];
            }
            sites[topology.racks()[rack].site] += racks[rack];
            all += racks[rack];
        }
    }
};

class Filler {
  public:
    Filler(
        Transaction& transaction, const Placer& placer, const Topology& topology, const Gang& gang,
        std::vector<Placement>& tasks
    )
        : transaction_(transaction),
          placer_(placer),
          topology_(topology),
          shape_(gang.shape),
          request_(placer.request(gang.shape)),
          tasks_(tasks) {}

    // Spreads `count` tasks over parts with this room: `put(part, tasks)` places them there.
    template <class Put>
    bool over(std::vector<std::int64_t> room, std::int64_t count, const Put& put) {
        while (count > 0) {
            std::size_t part = tightest(room, count);
            if (part == kNone)
                part = static_cast<std::size_t>(std::ranges::max_element(room) - room.begin());
            if (room.empty() || room[part] <= 0) return false;
            const std::int64_t here = std::min(count, room[part]);
            if (!put(part, here)) return false;
            room[part] = 0;
            count -= here;
        }
        return true;
    }

    bool cluster(const Room& room, std::int64_t count) {
        return over(room.sites, count, [&](std::size_t site_index, std::int64_t here) {
            return site(room, site_index, here);
        });
    }

    bool site(const Room& room, std::size_t index, std::int64_t count) {
        const auto& racks = topology_.sites()[index];
        std::vector<std::int64_t> parts;
        parts.reserve(racks.size());
        for (const std::uint32_t rack_index : racks) parts.push_back(room.racks[rack_index]);
        return over(std::move(parts), count, [&](std::size_t part, std::int64_t here) {
            return rack(room, racks[part], here);
        });
    }

    bool rack(const Room& room, std::size_t index, std::int64_t count) {
        const auto& nodes = topology_.racks()[index].nodes;
        std::vector<std::int64_t> parts;
        parts.reserve(nodes.size());
        for (const NodeIndex node_index : nodes) parts.push_back(room.nodes[node_index]);
        return over(std::move(parts), count, [&](std::size_t part, std::int64_t here) {
            return node(nodes[part], here);
        });
    }

    bool node(NodeIndex index, std::int64_t count) {
        const Node& node = placer_.nodes()[index];
        const std::vector<DeviceMask> domains = domain_masks(node);
        if (request_.is_share() || request_.cpu_only() || domains.size() < 2)
            return plain(index, count);
        std::vector<std::int64_t> room;
        room.reserve(domains.size());
        for (const DeviceMask domain : domains) room.push_back(capacity_on(node, request_, domain));
        const std::int64_t in_domains = std::accumulate(room.begin(), room.end(), std::int64_t{0});
        if (in_domains < count) return plain(index, count);
        return over(std::move(room), count, [&](std::size_t part, std::int64_t here) {
            for (; here > 0; --here) take({shape_, index, lowest_of(node, domains[part])});
            return true;
        });
    }

  private:
    bool plain(NodeIndex index, std::int64_t count) {
        for (; count > 0; --count) {
            const auto placement = placer_.fit_on(index, shape_);
            if (!placement) return false;
            take(*placement);
        }
        return true;
    }

    DeviceMask lowest_of(const Node& node, DeviceMask domain) const {
        DeviceMask mask = 0;
        int wanted = request_.devices;
        for (int i = 0; i < node.devices && wanted > 0; ++i) {
            if (((domain >> i) & 1U) == 0) continue;
            if (node.free[static_cast<std::size_t>(i)] < request_.device_milli) continue;
            mask |= DeviceMask{1} << i;
            --wanted;
        }
        return mask;
    }

    void take(const Placement& placement) {
        transaction_.take(placement);
        tasks_.push_back(placement);
    }

    Transaction& transaction_;
    const Placer& placer_;
    const Topology& topology_;
    ShapeId shape_;
    const Request& request_;
    std::vector<Placement>& tasks_;
};

// The tightest single domain for the whole gang: its node, if any node has one.
std::size_t tightest_domain(const Placer& placer, const Request& request, std::int64_t count) {
    std::size_t best = kNone;
    std::int64_t best_room = 0;
    for (NodeIndex i = 0; i < placer.nodes().size(); ++i) {
        const Node& node = placer.nodes()[i];
        if (node.devices == 0 && !request.cpu_only()) continue;
        const DeviceMask all = (DeviceMask{1} << node.devices) - 1;
        if (capacity_on(node, request, all) < count) continue;
        for (const DeviceMask domain : domain_masks(node)) {
            const std::int64_t room = capacity_on(node, request, domain);
            if (room < count || (best != kNone && room >= best_room)) continue;
            best = i;
            best_room = room;
        }
    }
    return best;
}

}  // namespace

std::optional<GangPlacement> place_gang(
    Placer& placer, const Topology& topology, const Gang& gang
) {
    CHECK(gang.count > 0, "callers refuse an empty gang");
    const Request& request = placer.request(gang.shape);
    const Room room(placer, topology, request);
    if (room.all < gang.count) return std::nullopt;
    Transaction transaction(placer);
    GangPlacement placed;
    Filler filler(transaction, placer, topology, gang, placed.tasks);
    const auto done = [&](Level level, bool ok) -> std::optional<GangPlacement> {
        if (!ok) return std::nullopt;
        placed.level = level;
        transaction.commit();
        return std::move(placed);
    };
    const std::int64_t count = gang.count;
    std::size_t cell = tightest_domain(placer, request, count);
    if (cell != kNone) return done(Level::domain, filler.node(static_cast<NodeIndex>(cell), count));
    cell = gang.widest >= Level::node ? tightest(room.nodes, count) : kNone;
    if (cell != kNone) return done(Level::node, filler.node(static_cast<NodeIndex>(cell), count));
    cell = gang.widest >= Level::rack ? tightest(room.racks, count) : kNone;
    if (cell != kNone) return done(Level::rack, filler.rack(room, cell, count));
    cell = gang.widest >= Level::site ? tightest(room.sites, count) : kNone;
    if (cell != kNone) return done(Level::site, filler.site(room, cell, count));
    if (gang.widest < Level::cluster) return std::nullopt;
    return done(Level::cluster, filler.cluster(room, count));
}

bool fill_cell(
    Transaction& transaction, const Placer& placer, const Topology& topology, const Gang& gang,
    Cell cell, std::vector<Placement>& tasks
) {
    const Room room(placer, topology, placer.request(gang.shape));
    Filler filler(transaction, placer, topology, gang, tasks);
    switch (cell.level) {
        case Level::domain:
        case Level::node:
            return filler.node(cell.index, gang.count);
        case Level::rack:
            return filler.rack(room, cell.index, gang.count);
        case Level::site:
            return filler.site(room, cell.index, gang.count);
        case Level::cluster:
            return filler.cluster(room, gang.count);
    }
    return false;
}

}  // namespace penstock::placement
