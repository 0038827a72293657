// SPDX-License-Identifier: Apache-2.0
#include "sim/replica_placer.h"

#include <algorithm>

#include "scheduler/next_callers.h"
#include "scheduler/scheduler.h"

namespace penstock::sim {
namespace {

constexpr std::int64_t kMilli = 1000;

double trip_ms(const SiteSpec& site, const CallerShare& caller) {
    return site.rtt_to.at(caller.region);
}

// Counts what is free.
class CountingPlacer : public ReplicaPlacer {
  public:
    explicit CountingPlacer(const ServeSites& sites) : sites_(sites) {}

    std::optional<Place> place(
        const std::vector<std::size_t>& taken, const std::vector<CallerShare>& callers, Time now
    ) override {
        free_ = sites_.engines;
        for (const std::size_t site : taken) --free_[site];
        return choose(taken, callers, now);
    }

  protected:
    virtual std::optional<Place> choose(
        const std::vector<std::size_t>& taken, const std::vector<CallerShare>& callers, Time now
    ) = 0;
    bool has_room(std::size_t site) const { return free_[site] > 0; }

    const ServeSites& sites_;
    std::vector<std::int64_t> free_;  // engines, by site
};

// The scheduler's plan over one node a site.
class PlanningPlacer final : public CountingPlacer {
  public:
    PlanningPlacer(const ServeSites& sites, const Strategy& strategy, bool beside_others)
        : CountingPlacer(sites), beside_others_(beside_others), ids_(id_words_) {
        spec_.placement = PlacementSpec{.optimize = strategy};
        spec_.resources.cpus = CpuRange{{kMilli, kMilli}};
        spec_.resources.memory = MemoryRange{{1, 1}};
        spec_.resources.accelerators =
            Accelerators{.choices = {{std::string(kServeEngine), kMilli}}};
        for (std::size_t i = 0; i < sites.sites.size(); ++i) {
            places_.push_back({.id = ids_.next<SiteId>(Time()), .spec = sites.sites[i]});
            nodes_.push_back(node_of(places_.back(), sites.engines[i]));
        }
    }

  protected:
    std::optional<Place> choose(
        const std::vector<std::size_t>& taken, const std::vector<CallerShare>& callers, Time now
    ) override {
        std::vector<const SiteSpec*> standing;
        for (const std::size_t site : taken) standing.push_back(&places_[site].spec);
        const Plan plan = scheduler::plan(
            {.spec = spec_,
             .spec_sha256 = {},
             .supplies = supplies(),
             .avoid = {},
             .profile = {},
             .budget_left = {},
             .now = now,
             .callers = beside_others_ ? scheduler::next_callers(callers, standing) : callers}
        );
        if (!plan.feasible) return std::nullopt;
        const Candidate& chosen = plan.candidates.front();
        const auto node = std::ranges::find(nodes_, chosen.node_id, &Node::id);
        Place place{
            .site = static_cast<std::size_t>(node - nodes_.begin()),
            .price_per_hour = {},
            .latency_ms = chosen.terms.latency_ms
        };
        if (const auto price = multiply(1, QuantityScale::one, chosen.price_per_hour))
            place.price_per_hour = *price;
        return place;
    }

  private:
    Node node_of(const Site& site, std::int64_t engines) {
        Node node{
            .id = ids_.next<NodeId>(Time()),
            .site_id = site.id,
            .name = site.spec.name,
            .state = NodeState::online,
            .health = Health::ok,
            .enforces = {"cpu", "memory"}
        };
        node.total = capacity(engines);
        return node;
    }
    static Capacity capacity(std::int64_t engines) {
        return {
            .cpu_milli = engines * kMilli,
            .memory_mib = engines,
            .accelerator_milli = {{std::string(kServeEngine), engines * kMilli}}
        };
    }
    std::vector<scheduler::Supply> supplies() const {
        std::vector<scheduler::Supply> all;
        for (std::size_t i = 0; i < nodes_.size(); ++i)
            all.push_back({.site = &places_[i], .node = &nodes_[i], .free = capacity(free_[i])});
        return all;
    }

    bool beside_others_;
    TaskSpec spec_;
    SeededRandom id_words_{1};
    IdSource ids_;
    std::vector<Site> places_;
    std::vector<Node> nodes_;
};

class NearestPlacer final : public CountingPlacer {
  public:
    using CountingPlacer::CountingPlacer;

  protected:
    std::optional<Place> choose(
        const std::vector<std::size_t>&, const std::vector<CallerShare>& callers, Time
    ) override {
        const CallerShare& most = *std::ranges::max_element(callers, {}, &CallerShare::share);
        std::optional<Place> best;
        for (std::size_t i = 0; i < sites_.sites.size(); ++i) {
            const double trip = trip_ms(sites_.sites[i], most);
            if (has_room(i) && (!best || trip < *best->latency_ms))
                best = Place{.site = i, .price_per_hour = {}, .latency_ms = trip};
        }
        return best;
    }
};

class OneSitePlacer final : public CountingPlacer {
  public:
    explicit OneSitePlacer(const ServeSites& sites) : CountingPlacer(sites) {
        double least = 0;
        for (std::size_t i = 0; i < sites.sites.size(); ++i) {
            if (sites.engines[i] == 0) continue;
            double mean = 0;
            for (const CallerShare& caller : sites.callers)
                mean += caller.share * trip_ms(sites.sites[i], caller);
            if (site_ && mean >= least) continue;
            site_ = i;
            least = mean;
        }
    }

  protected:
    std::optional<Place> choose(
        const std::vector<std::size_t>&, const std::vector<CallerShare>&, Time
    ) override {
        if (!site_ || !has_room(*site_)) return std::nullopt;
        return Place{.site = *site_, .price_per_hour = {}, .latency_ms = {}};
    }

  private:
    std::optional<std::size_t> site_;
};

class RandomPlacer final : public CountingPlacer {
  public:
    RandomPlacer(const ServeSites& sites, Random& random)
        : CountingPlacer(sites), random_(random) {}

  protected:
    std::optional<Place> choose(
        const std::vector<std::size_t>&, const std::vector<CallerShare>&, Time
    ) override {
        std::vector<std::size_t> open;
        for (std::size_t i = 0; i < sites_.sites.size(); ++i)
            if (has_room(i)) open.push_back(i);
        if (open.empty()) return std::nullopt;
        return Place{
            .site = open[random_.below(open.size())], .price_per_hour = {}, .latency_ms = {}
        };
    }

  private:
    Random& random_;
};

}  // namespace

const std::vector<std::string_view>& replica_placement_names() {
    static const std::vector<std::string_view> kNames{
        "by_region", "alone", "nearest", "one_site", "random"
    };
    return kNames;
}

Result<std::unique_ptr<ReplicaPlacer>> make_replica_placer(
    std::string_view name, const ServeSites& sites, const Strategy& strategy, Random& random
) {
    if (name == "by_region") return std::make_unique<PlanningPlacer>(sites, strategy, true);
    if (name == "alone") return std::make_unique<PlanningPlacer>(sites, strategy, false);
    if (name == "nearest") return std::make_unique<NearestPlacer>(sites);
    if (name == "one_site") return std::make_unique<OneSitePlacer>(sites);
    if (name == "random") return std::make_unique<RandomPlacer>(sites, random);
    std::string known;
    for (const std::string_view placement : replica_placement_names())
        known.append(known.empty() ? "" : ", ").append(placement);
    return fail_field(
        ErrorCode::invalid_argument, "placements",
        "'" + std::string(name) + "' is no placement; there are " + known
    );
}

}  // namespace penstock::sim
