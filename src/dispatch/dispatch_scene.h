// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rapidcheck.h>

#include "dispatch/dispatch_fixture.h"

// Any platform and what happens on it, for properties.
namespace penstock::dispatch {

inline const std::vector<std::string> kPolicies = {"fgd",         "best-fit",
                                                   "gpu-packing", "gpu-clustering",
                                                   "spread",      "composite",
                                                   "dot-product", "random"};

inline ResourceRequest any_request() {
    const std::string model = *rc::gen::element<std::string>("", "H100", "A100");
    const std::int64_t milli =
        *rc::gen::element<std::int64_t>(100, 300, 500, 700, 1000, 2000, 8000, 17'000);
    return Yard::request(*rc::gen::element<std::int64_t>(250, 1000, 2000, 6000), model, milli);
}

inline NodeParts any_node(int number) {
    NodeParts parts{.name = "n" + std::to_string(number)};
    parts.cpus = *rc::gen::element<std::int64_t>(2, 8, 32);
    const int devices = *rc::gen::element(0, 0, 2, 8, 20);
    const bool mixed = *rc::gen::inRange(0, 4) == 0;
    for (int i = 0; i < devices; ++i)
        parts.devices.push_back(mixed && i % 2 == 1 ? "A100" : "H100");
    parts.rack = *rc::gen::element<std::string>("", "r1", "r2", "r3");
    parts.domain = *rc::gen::element<std::string>("", "", "d1", "d2");
    return parts;
}

// Some of it may wait for a better hour.
inline DecisionQuestion any_question(const ResourceRequest& request, std::vector<NodeId> avoid) {
    DecisionQuestion question = Yard::question({request}, std::move(avoid));
    question.spec.placement = PlacementSpec{.optimize = {.cost = 0.3, .green = 0.7}};
    if (*rc::gen::arbitrary<bool>()) question.spec.deadline = kStart + 20h;
    question.runs.run_time = question.runs.run_time_at_most =
        std::chrono::minutes(*rc::gen::inRange(1, 300));
    return question;
}

inline DecisionQuestion any_gang(const std::vector<NodeId>& nodes) {
    std::vector<ResourceRequest> choices = {any_request()};
    if (choices[0].accelerator && *rc::gen::arbitrary<bool>())
        choices.push_back(Yard::request(choices[0].cpu_milli, "L40"));
    if (choices[0].accelerator && choices[0].accelerator->model == "H100")
        choices.push_back(Yard::request(choices[0].cpu_milli, "A100"));
    std::optional<TopologySpec> topology;
    if (*rc::gen::inRange(0, 3) != 0)
        topology = TopologySpec{
            .pack = *rc::gen::element<std::string>("domain", "rack", "site", "metro", "any")
        };
    if (topology && topology->pack != "domain" && topology->pack != "rack" &&
        *rc::gen::inRange(0, 3) == 0)
        topology->spread = "rack";
    std::vector<NodeId> avoid;
    for (int i = *rc::gen::inRange(0, 4); i > 0; --i) avoid.push_back(*rc::gen::elementOf(nodes));
    return Yard::gang_question(*rc::gen::inRange(2, 7), choices, topology, avoid);
}

// What random work, loss, cordons and growth make of a platform.
struct Scene {
    Yard yard;
    std::vector<AttemptId> running;

    explicit Scene(const std::vector<int>& sizes = {3, 8, 34}) {
        const int sites = *rc::gen::inRange(1, 3);
        for (int s = 0; s < sites; ++s) {
            const auto policy = [] { return *rc::gen::elementOf(kPolicies); };
            yard.site("s" + std::to_string(s), {{"cpu", policy()}, {"H100", policy()}});
        }
        const int nodes = *rc::gen::elementOf(sizes);
        for (int n = 0; n < nodes; ++n) yard.node(any_site(), any_node(n));
    }
    void place_gang() {
        const std::string placed = yard.place_gang(any_gang(yard.nodes));
        if (!placed.starts_with("-"))
            running.insert(running.end(), yard.members.begin(), yard.members.end());
    }
    SiteId any_site() { return *rc::gen::elementOf(yard.sites); }
    void state_outlook() {
        OutlookSpec spec{.from = kStart};
        const int hours = *rc::gen::inRange(1, 30);
        for (int hour = 0; hour < hours; ++hour) {
            spec.carbon_g_per_kwh.push_back(*rc::gen::inRange(0, 900));
            spec.price_percent.push_back(*rc::gen::inRange<std::int64_t>(1, 101));
        }
        if (*rc::gen::arbitrary<bool>()) spec.price_percent.clear();
        RC_ASSERT(yard.fleet.state_outlook(any_site(), spec, kStart).has_value());
    }

    void step() {
        switch (*rc::gen::inRange(0, 11)) {
            case 0:
                (void)yard.fleet.set_cordoned(
                    *rc::gen::elementOf(yard.nodes), *rc::gen::arbitrary<bool>()
                );
                break;
            case 1:
                (void)yard.fleet.heartbeat(
                    *rc::gen::elementOf(yard.nodes),
                    {.health = *rc::gen::element(Health::ok, Health::failed)}, kStart
                );
                break;
            case 2:
                yard.node(yard.sites[0], any_node(*rc::gen::inRange(0, 50)));
                break;
            case 3:
            case 4:
                if (running.empty()) break;
                yard.fleet.release(running.back());
                running.pop_back();
                break;
            case 5:
                place_gang();
                break;
            case 10:
                state_outlook();
                break;
            default:
                if (yard.place(any_request()).starts_with("-")) break;
                running.insert(
                    running.begin() + *rc::gen::inRange<std::ptrdiff_t>(0, std::ssize(running) + 1),
                    yard.last
                );
        }
    }
};

}  // namespace penstock::dispatch
