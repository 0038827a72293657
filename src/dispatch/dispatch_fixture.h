// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "dispatch/engine.h"

// A fleet with its engine, for tests.
namespace penstock::dispatch {

inline const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");

struct NodeParts {
    std::string name;
    std::int64_t cpus = 8;
    std::int64_t memory_gib = 64;
    std::vector<std::string> devices = {};  // their models
    std::string rack = {};
    std::int64_t per_link_domain = 0;  // so many devices in a row are linked; 0: none is
    std::string domain = {};           // nvlink_domain
};

struct Yard {
    SeededRandom random{7};
    IdSource ids{random};
    fleet::Fleet fleet;
    Engine engine;
    std::vector<SiteId> sites;
    std::vector<NodeId> nodes;

    Yard() { fleet.tell(engine); }

    SiteId site(
        const std::string& name, std::map<std::string, std::string> placement = {},
        std::map<std::string, double> idle_watts = {}
    ) {
        Site site{.id = ids.next<SiteId>(kStart), .provider = "home"};
        site.spec = {
            .name = name,
            .region = "cn-" + name,
            .division_code = "420100",
            .rtt_ms = 5,
            .watts_per_core = 5,
            .idle_watts_per_device = std::move(idle_watts),
            .placement = std::move(placement)
        };
        site.spec.prices.core_second = *parse_price("0.00002");
        for (const char* model : {"H100", "A100", "L40"})
            site.spec.prices.card_second[model] = *parse_price("0.0005");
        sites.push_back(site.id);
        return fleet.add_site(std::move(site))->id;
    }
    static AgentHello hello_of(const NodeParts& parts) {
        AgentHello hello{.node = parts.name, .enforces = {"cpu", "memory"}};
        hello.total = {.cpu_milli = parts.cpus * 1000, .memory_mib = parts.memory_gib * 1024};
        if (!parts.rack.empty()) hello.labels["rack"] = parts.rack;
        if (!parts.domain.empty()) hello.labels["nvlink_domain"] = parts.domain;
        for (const std::string& model : parts.devices) {
            Device device{.index = std::ssize(hello.devices), .model = model, .health = Health::ok};
            if (parts.per_link_domain > 0)
                device.link_domain = device.index / parts.per_link_domain;
            hello.devices.push_back(std::move(device));
            hello.total.accelerator_milli[model] += 1000;
        }
        return hello;
    }
    NodeId node(SiteId site, const NodeParts& parts) {
        const NodeId id = fleet.hello(site, hello_of(parts), ids.next<NodeId>(kStart), kStart)->id;
        if (std::ranges::find(nodes, id) == nodes.end()) nodes.push_back(id);
        return id;
    }

    static ResourceRequest request(
        std::int64_t cpu_milli, const std::string& model = "", std::int64_t count_milli = 1000
    ) {
        ResourceRequest request{.cpu_milli = cpu_milli, .memory_mib = 256};
        if (!model.empty()) request.accelerator = Accelerator{model, count_milli};
        return request;
    }
    // The same, all devices linked to each other.
    static ResourceRequest linked(std::int64_t cpu_milli, const std::string& model, int devices) {
        ResourceRequest made = request(cpu_milli, model, 1000L * devices);
        made.linked = true;
        return made;
    }
    static TaskSpec spec_of(const std::vector<ResourceRequest>& choices) {
        TaskSpec spec;
        spec.run = "true";
        spec.resources.cpus = CpuRange{{choices[0].cpu_milli, choices[0].cpu_milli}};
        spec.resources.memory = MemoryRange{{choices[0].memory_mib, choices[0].memory_mib}};
        if (choices[0].linked)
            spec.placement = PlacementSpec{.topology = TopologySpec{.pack = "domain"}};
        for (const ResourceRequest& choice : choices) {
            if (!choice.accelerator) continue;
            if (!spec.resources.accelerators) spec.resources.accelerators.emplace();
            spec.resources.accelerators->choices.push_back(*choice.accelerator);
        }
        return spec;
    }
    static DecisionQuestion question(
        const std::vector<ResourceRequest>& choices, std::vector<NodeId> avoid = {}
    ) {
        return {
            .spec = spec_of(choices),
            .spec_sha256 = "",
            .avoid = std::move(avoid),
            .budget_left = {},
            .now = kStart
        };
    }
    DecisionAnswer decide(
        const std::vector<ResourceRequest>& choices, std::vector<NodeId> avoid = {}
    ) {
        return engine.decide(question(choices, std::move(avoid)));
    }
    // Decides and holds: "node" or "node:0,3", or "-" and why not.
    std::string place(const ResourceRequest& request, std::vector<NodeId> avoid = {}) {
        const DecisionAnswer decision = decide({request}, std::move(avoid));
        if (!decision.plan.feasible) return "- " + decision.plan.explanation;
        const Candidate& chosen = decision.plan.candidates.front();
        last = ids.next<AttemptId>(kStart);
        const Result<void> held =
            fleet.hold(last, chosen.node_id, chosen.request, decision.devices);
        if (!held) return "refused: " + held.error().message;
        std::string text = chosen.node;
        for (std::size_t i = 0; i < decision.devices.size(); ++i)
            text += (i == 0 ? ":" : ",") + std::to_string(decision.devices[i]);
        return text;
    }
    // A question for a gang of so many nodes.
    static DecisionQuestion gang_question(
        std::int64_t nodes, const std::vector<ResourceRequest>& choices,
        std::optional<TopologySpec> topology = {}, std::vector<NodeId> avoid = {}
    ) {
        DecisionQuestion asked = question(choices, std::move(avoid));
        asked.spec.num_nodes = nodes;
        if (topology) asked.spec.placement.emplace().topology = std::move(topology);
        return asked;
    }
    // Decides and holds all members: "a:0,1 b:0,1", or "-" and why not.
    std::string place_gang(const DecisionQuestion& asked) {
        const DecisionAnswer answer = engine.decide(asked);
        if (!answer.plan.feasible) return "- " + answer.plan.explanation;
        std::string text;
        members.clear();
        for (const fleet::CapacityHold& hold : engine.holds_of(answer)) {
            text += (text.empty() ? "" : " ") + fleet.find_node(hold.node_id)->name;
            for (std::size_t i = 0; i < hold.devices.size(); ++i)
                text += (i == 0 ? ":" : ",") + std::to_string(hold.devices[i]);
            members.push_back(ids.next<AttemptId>(kStart));
            const Result<void> held =
                fleet.hold(members.back(), hold.node_id, hold.request, hold.devices);
            if (!held) return "refused: " + held.error().message;
        }
        return text;
    }
    AttemptId last;
    std::vector<AttemptId> members;  // of the newest gang
};

}  // namespace penstock::dispatch
