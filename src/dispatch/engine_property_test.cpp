// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include "dispatch/decision_log.h"
#include "dispatch/dispatch_scene.h"
#include "dispatch/replay.h"
#include "json/json.h"
#include "placement/policies.h"

namespace penstock::dispatch {
namespace {

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
