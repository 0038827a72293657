// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <set>

#include "dispatch/decision_log.h"
#include "dispatch/dispatch_scene.h"
#include "dispatch/replay.h"
#include "json/json.h"
#include "scheduler/filter.h"

namespace penstock::dispatch {
namespace {

std::set<std::string> labels_of(
    const Scene& scene, const std::vector<fleet::CapacityHold>& members, const std::string& label
) {
    std::set<std::string> all;
    for (const fleet::CapacityHold& member : members) {
        const Node& node = *scene.yard.fleet.find_node(member.node_id);
        const auto found = node.labels.find(label);
        all.insert(node.site + "/" + (found == node.labels.end() ? "" : found->second));
    }
    return all;
}

TEST(EngineGangProperty, AGangIsWholeOnDifferentNodesAndWithinWhatIsFree) {
    EXPECT_TRUE(rc::check([] {
        Scene scene;
        for (int i = 0; i < 25; ++i) scene.step();
        const DecisionQuestion question = any_gang(scene.yard.nodes);

        const DecisionAnswer answer = scene.yard.engine.decide(question);

        RC_CLASSIFY(answer.plan.feasible);
        if (!answer.plan.feasible) return;
        const std::vector<fleet::CapacityHold> members = scene.yard.engine.holds_of(answer);
        RC_ASSERT(std::ssize(members) == question.spec.num_nodes);
        std::set<NodeId> nodes;
        for (const fleet::CapacityHold& member : members) {
            nodes.insert(member.node_id);
            RC_ASSERT(member.request.accelerator == members.front().request.accelerator);
            const AttemptId attempt = scene.yard.ids.next<AttemptId>(kStart);
            RC_ASSERT(scene.yard.fleet.check(member).has_value());
            RC_ASSERT(scene.yard.fleet.hold(attempt, member.node_id, member.request, member.devices)
                          .has_value());
        }
        RC_ASSERT(nodes.size() == members.size());
        const std::string& level = answer.plan.gang->level;
        if (level == "rack") RC_ASSERT(labels_of(scene, members, "rack").size() == 1U);
        if (level == "domain") RC_ASSERT(labels_of(scene, members, "nvlink_domain").size() == 1U);
        if (level == "site") RC_ASSERT(labels_of(scene, members, "-").size() == 1U);
    }));
}

TEST(EngineGangProperty, StateByIncrementsDecidesAsStateMadeAnewAndFromItsText) {
    EXPECT_TRUE(rc::check([] {
        Scene scene;
        DecisionLog log(scene.yard.engine);
        scene.yard.fleet.tell(log);
        const auto decide = [&] {
            const DecisionQuestion question = any_gang(scene.yard.nodes);
            (void)log.add(
                {.id = scene.yard.ids.next<DecisionId>(kStart), .at = kStart}, question,
                scene.yard.engine.decide(question)
            );
            return question;
        };
        for (int i = 0; i < 20; ++i) {
            scene.step();
            (void)decide();
        }

        const DecisionQuestion question = decide();
        Engine anew(scene.yard.engine.state());
        RC_ASSERT(scene.yard.engine.decide(question) == anew.decide(question));
        const DecisionId id = (*rc::gen::elementOf(log.decisions())).id;
        const auto record = json::parse<DecisionRecord>(json::print(log.record(id).value()));
        RC_ASSERT(record.has_value());
        RC_ASSERT(replay(*record).difference == "");
    }));
}

// A plan over every node of the platform, one by one.
Plan plan_of_all(const Yard& yard, const DecisionQuestion& question) {
    scheduler::Input input{
        .spec = question.spec,
        .spec_sha256 = question.spec_sha256,
        .items = question.items,
        .supplies = {},
        .avoid = question.avoid,
        .profile = {},
        .budget_left = {},
        .now = question.now
    };
    const auto add = [&](const Node& node, const Accelerator* asked) {
        const Host& host = *yard.engine.find(node.id);
        scheduler::Supply supply{
            .site = yard.fleet.find_site(node.site_id), .node = &host.node(), .free = host.free()
        };
        supply.asked = asked;
        supply.outlook = yard.engine.outlook_of(node.site_id);
        if (asked) supply.free.accelerator_milli[asked->model] = host.usable_milli(*asked, false);
        input.supplies.push_back(supply);
    };
    for (const Node* node : yard.fleet.nodes()) {
        bool any = false;
        if (question.spec.resources.accelerators)
            for (const Accelerator& asked : question.spec.resources.accelerators->choices) {
                if (scheduler::devices_milli(node->total, asked) < asked.count_milli) continue;
                add(*node, &asked);
                any = true;
            }
        if (!any) add(*node, nullptr);
    }
    return scheduler::plan(input);
}

std::vector<NodeId> members_of(const Plan& plan) {
    std::vector<NodeId> members;
    for (const Candidate& candidate : plan.candidates)
        if (candidate.chosen) members.push_back(candidate.node_id);
    return members;
}

TEST(EngineGangProperty, NodesTakenTogetherGiveTheGangThatOneByOneTheyGive) {
    EXPECT_TRUE(rc::check([] {
        Scene scene({34, 45});
        for (int i = 0; i < 25; ++i) scene.step();
        const DecisionQuestion question = any_gang(scene.yard.nodes);

        const Plan together = scene.yard.engine.decide(question).plan;

        const Plan one_by_one = plan_of_all(scene.yard, question);
        RC_CLASSIFY(together.feasible);
        RC_ASSERT(together.feasible == one_by_one.feasible);
        RC_ASSERT(members_of(together) == members_of(one_by_one));
        RC_ASSERT(together.gang == one_by_one.gang);
        RC_ASSERT(together.hold == one_by_one.hold);
        RC_ASSERT(together.estimated_cost == one_by_one.estimated_cost);
        RC_ASSERT(together.candidates.size() <= one_by_one.candidates.size());
    }));
}

}  // namespace
}  // namespace penstock::dispatch
