// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "scheduler/scheduler.h"

namespace penstock::scheduler {

inline const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");

// Three sites: cheap and green but far, near and dear, and one in between.
struct Cluster {
    SeededRandom random{1};
    IdSource ids{random};
    std::vector<Site> sites;
    std::vector<Node> nodes;
    TaskSpec spec;
    Profile profile;
    std::int64_t items = 1;
    std::optional<Money> budget;
    std::vector<NodeId> avoid;
    std::vector<NodeId> leave;
    Reservations promises;
    std::vector<const SiteRestarts*> restarts;  // beside the sites; empty: nothing is known

    Cluster() {
        add("centre", "0.00002", 300, 28, TrustLevel::certified, {"encryption", "audit"});
        add("edge", "0.00005", 520, 2, TrustLevel::basic, {});
        add("regional", "0.00003", 430, 8, TrustLevel::certified, {"encryption"});
        spec.run = "true";
        spec.resources.cpus = CpuRange{{500, 500}};
        spec.resources.memory = MemoryRange{{256, 256}};
        spec.placement = PlacementSpec{};
    }
    void add(
        const std::string& name, std::string_view price, double carbon, double rtt,
        TrustLevel trust, std::vector<std::string> controls
    ) {
        Site site{.id = ids.next<SiteId>(kStart), .provider = "home"};
        site.spec = {
            .name = name,
            .region = "cn-" + name,
            .residency = "CN-42",
            .division_code = "420100",
            .trust = trust,
            .controls = std::move(controls),
            .carbon_g_per_kwh = carbon,
            .green_percent = 50,
            .rtt_ms = rtt,
            .watts_per_core = 5
        };
        site.spec.prices.core_second = *parse_price(price);
        nodes.push_back(
            {.id = ids.next<NodeId>(kStart),
             .site_id = site.id,
             .site = name,
             .name = name + "-1",
             .state = NodeState::online,
             .health = Health::ok,
             .total = {.cpu_milli = 1000, .memory_mib = 1024},
             .enforces = {"cpu", "memory", "pids"}}
        );
        sites.push_back(std::move(site));
    }
    // Gives a node `milli` thousandths of devices and its site a price for them.
    void equip(
        std::size_t i, const std::string& model, std::int64_t milli, std::string_view price
    ) {
        nodes[i].total.accelerator_milli[model] = milli;
        sites[i].spec.prices.card_second[model] = *parse_price(price);
    }
    PlacementConstraints& constraints() {
        if (!spec.placement->constraints) spec.placement->constraints = PlacementConstraints{};
        return *spec.placement->constraints;
    }
    Plan plan(bool reversed = false) const {
        Input input{
            .spec = spec,
            .spec_sha256 = "",
            .items = items,
            .avoid = avoid,
            .leave = leave,
            .profile = profile,
            .budget_left = budget,
            .now = kStart
        };
        for (std::size_t i = 0; i < nodes.size(); ++i)
            input.supplies.push_back(
                {.site = &sites[i],
                 .node = &nodes[i],
                 .free = free_of(nodes[i]),
                 .restarts = restarts.empty() ? nullptr : restarts[i]}
            );
        if (reversed) std::ranges::reverse(input.supplies);
        const Book book(nodes);
        const Kept kept{.promises = promises, .book = book};
        input.kept = &kept;
        return scheduler::plan(input);
    }
    // All of what node `i` has is promised to work that is ahead.
    void promise(std::size_t i) {
        promises.promise(
            {.work = 1,
             .places = {{nodes[i].id, {.cpu_milli = nodes[i].total.cpu_milli}}},
             .made_at = kStart}
        );
    }
    // Nothing runs.
    struct Book final : NodeBook {
        explicit Book(const std::vector<Node>& all) : nodes(all) {}
        Capacity total(NodeId id) const override {
            return std::ranges::find(nodes, id, &Node::id)->total;
        }
        std::vector<Held> held(NodeId) const override { return {}; }
        const std::vector<Node>& nodes;
    };
    static Capacity free_of(const Node& node) {
        Capacity free = node.total;
        free.cpu_milli -= node.held.cpu_milli;
        free.memory_mib -= node.held.memory_mib;
        for (const auto& [model, milli] : node.held.accelerator_milli)
            free.accelerator_milli[model] -= milli;
        return free;
    }
    std::string winner(Strategy strategy) {
        spec.placement->optimize = strategy;
        const Plan made = plan();
        return made.feasible ? made.candidates.front().site : "none";
    }
};

}  // namespace penstock::scheduler
