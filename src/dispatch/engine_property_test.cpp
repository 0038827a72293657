// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include "dispatch/decision_log.h"
#include "dispatch/dispatch_fixture.h"
#include "dispatch/replay.h"
#include "json/json.h"
#include "placement/policies.h"

namespace penstock::dispatch {
namespace {

const std::vector<std::string> kPolicies = {"fgd",    "best-fit",  "gpu-packing", "gpu-clustering",
                                            "spread", "composite", "dot-product", "random"};

ResourceRequest any_request() {
    const std::string model = *rc::gen::element<std::string>("", "H100", "A100");
    const std::int64_t milli =
        *rc::gen::element<std::int64_t>(100, 300, 500, 700, 1000, 2000, 8000, 17'000);
    return Yard::request(*rc::gen::element<std::int64_t>(250, 1000, 2000, 6000), model, milli);
}

NodeParts any_node(int number) {
    NodeParts parts{.name = "n" + std::to_string(number)};
    parts.cpus = *rc::gen::element<std::int64_t>(2, 8, 32);
    const int devices = *rc::gen::element(0, 0, 2, 8, 20);
    const bool mixed = *rc::gen::inRange(0, 4) == 0;
    for (int i = 0; i < devices; ++i)
        parts.devices.push_back(mixed && i % 2 == 1 ? "A100" : "H100");
    return parts;
}

// Some of it may wait for a better hour.
DecisionQuestion any_question(const ResourceRequest& request, std::vector<NodeId> avoid) {
    DecisionQuestion question = Yard::question({request}, std::move(avoid));
    question.spec.placement = PlacementSpec{.optimize = {.cost = 0.3, .green = 0.7}};
    if (*rc::gen::arbitrary<bool>()) question.spec.deadline = kStart + 20h;
    question.runs.run_time = question.runs.run_time_at_most =
        std::chrono::minutes(*rc::gen::inRange(1, 300));
    return question;
}

// What random work, loss, cordons and growth make of a platform.
struct Scene {
    Yard yard;
    std::vector<AttemptId> running;

    Scene() {
        const int sites = *rc::gen::inRange(1, 3);
        for (int s = 0; s < sites; ++s) {
            const auto policy = [] { return *rc::gen::elementOf(kPolicies); };
            yard.site("s" + std::to_string(s), {{"cpu", policy()}, {"H100", policy()}});
        }
        const int nodes = *rc::gen::element(3, 8, 34);
        for (int n = 0; n < nodes; ++n) yard.node(any_site(), any_node(n));
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

TEST(EngineProperty, HoldsNoMoreThanThereIsOfAnyNodeOrDevice) {
    EXPECT_TRUE(rc::check([] {
        Scene scene;
        for (int i = 0; i < 30; ++i) scene.step();

        Capacity all;
        for (const NodeId id : scene.yard.nodes) {
            const Host& host = *scene.yard.engine.find(id);
            const Node& node = *scene.yard.fleet.find_node(id);
            all.cpu_milli += node.total.cpu_milli;
            all.memory_mib += node.total.memory_mib;
            RC_ASSERT(host.held() == node.held);
            RC_ASSERT(host.free() == scene.yard.fleet.free_of(node));
        }
        RC_ASSERT(scene.yard.engine.total().cpu_milli == all.cpu_milli);
        RC_ASSERT(scene.yard.engine.total().memory_mib == all.memory_mib);
    }));
}

// A platform without shrinking nodes: each device is at most full, and what was decided is granted.
TEST(EngineProperty, WhatIsDecidedIsGrantedAndNoDeviceIsOvercommitted) {
    EXPECT_TRUE(rc::check([] {
        Yard yard;
        const SiteId site = yard.site("s", {{"H100", *rc::gen::elementOf(kPolicies)}});
        for (int n = 0; n < 5; ++n) yard.node(site, any_node(n));
        std::vector<AttemptId> running;
        for (int i = 0; i < 30; ++i) {
            if (!running.empty() && *rc::gen::inRange(0, 3) == 0) {
                yard.fleet.release(running.back());
                running.pop_back();
                continue;
            }
            const std::string placed = yard.place(any_request());
            RC_ASSERT(!placed.starts_with("refused"));
            if (!placed.starts_with("-")) running.push_back(yard.last);
        }
        for (const NodeId id : yard.nodes) {
            const Host& host = *yard.engine.find(id);
            std::map<std::int64_t, std::int64_t> used;
            for (const auto& [attempt, hold] : host.holds())
                for (const std::int64_t device : hold.devices)
                    used[device] += fleet::milli_of_each(*hold.request.accelerator);
            for (const auto& [device, milli] : used) {
                RC_ASSERT(milli <= 1000);
                RC_ASSERT(host.room(device) == 1000 - milli);
            }
        }
    }));
}

TEST(EngineProperty, StateByIncrementsDecidesAsStateMadeAnew) {
    EXPECT_TRUE(rc::check([] {
        Scene scene;
        for (int i = 0; i < 40; ++i) {
            scene.step();
            if (*rc::gen::inRange(0, 3) == 0) (void)scene.yard.decide({any_request()});
        }

        Engine anew(scene.yard.engine.state());
        RC_ASSERT(anew.state() == scene.yard.engine.state());
        const ResourceRequest request = any_request();
        const DecisionQuestion question =
            any_question(request, {*rc::gen::elementOf(scene.yard.nodes)});
        RC_ASSERT(scene.yard.engine.decide(question) == anew.decide(question));
    }));
}

TEST(EngineProperty, EveryDecisionThatIsKeptIsMadeAgainFromItsText) {
    EXPECT_TRUE(rc::check([] {
        Scene scene;
        DecisionLog log(scene.yard.engine);
        scene.yard.fleet.tell(log);
        for (int i = 0; i < 20; ++i) {
            scene.step();
            const DecisionQuestion question =
                any_question(any_request(), {*rc::gen::elementOf(scene.yard.nodes)});
            (void)log.add(
                {.id = scene.yard.ids.next<DecisionId>(kStart), .at = kStart}, question,
                scene.yard.engine.decide(question)
            );
        }

        const DecisionId id = (*rc::gen::elementOf(log.decisions())).id;
        const auto record = json::parse<DecisionRecord>(json::print(log.record(id).value()));
        RC_ASSERT(record.has_value());
        RC_ASSERT(replay(*record).difference == "");
    }));
}

// Every node of the pool scored anew: the first of the best.
std::optional<placement::NodeIndex> best_of(
    const placement::Placer& placer, const placement::Request& request
) {
    std::optional<placement::NodeIndex> best;
    placement::Score most = -1;
    for (placement::NodeIndex i = 0; i < placer.nodes().size(); ++i) {
        if (!placement::is_fit(placement::judge(placer.nodes()[i], request))) continue;
        const placement::Score score = placer.policy().choose(i, placer.nodes()[i], request).score;
        if (score <= most) continue;
        most = score;
        best = i;
    }
    return best;
}

TEST(EngineProperty, ThePickIsTheFirstOfTheBestOverAllNodesOfThePool) {
    EXPECT_TRUE(rc::check([] {
        Scene scene;
        for (int i = 0; i < 40; ++i) scene.step();

        const ResourceRequest request = any_request();
        const SiteId site = scene.any_site();
        const Pool* pool = scene.yard.engine.pool(site, sku_of(request));
        const bool scores = pool && !pool->placer().draws();
        RC_PRE(scores);
        const std::string_view sku = sku_of(request);
        std::map<std::string, std::uint8_t> models;
        models[std::string(sku)] = 0;
        const auto asked = request_for(request, models);
        RC_PRE(asked.has_value());
        const auto best = best_of(pool->placer(), *asked);
        const std::optional<Pick> pick = scene.yard.engine.pick(site, request, {});
        const bool first_of_best = best && pick && pick->host == &pool->host_at(*best);
        const bool neither = !best && !pick;
        // Over several slices of one node, which no slice alone could take.
        const bool wide = !best && pick && pick->host->positions(std::string(sku)).size() > 16;
        RC_ASSERT(first_of_best || neither || wide);
    }));
}

}  // namespace
}  // namespace penstock::dispatch
