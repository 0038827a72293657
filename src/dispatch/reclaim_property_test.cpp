// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <set>
#include <sstream>

#include "dispatch/dispatch_fixture.h"

// Gangs and preemptions in very many small platforms, by the path that the server takes: the fleet
// and the engine. What is held is counted anew by device. RapidCheck draws the seed of a case and
// shrinks its size.
namespace penstock::dispatch {
namespace {

#ifdef __OPTIMIZE__
constexpr int kCases = 100'000;
#else
constexpr int kCases = 2'000;
#endif
constexpr std::int64_t kPriority = 2;

template <class T, std::size_t N>
T one_of(Random& random, const std::array<T, N>& values) {
    return values.at(random.below(N));
}

ResourceRequest random_request(Random& random) {
    const std::string model =
        one_of(random, std::array<const char*, 4>{"", "H100", "H100", "A100"});
    ResourceRequest request = Yard::request(
        one_of(random, std::array<std::int64_t, 3>{100, 1000, 3000}), model,
        one_of(random, std::array<std::int64_t, 7>{190, 500, 810, 1000, 1000, 2000, 4000})
    );
    request.linked =
        !model.empty() && request.accelerator->count_milli > 1000 && random.below(3) == 0;
    return request;
}

NodeParts random_node(Random& random, int number) {
    NodeParts parts{.name = "n" + std::to_string(number)};
    parts.cpus = one_of(random, std::array<std::int64_t, 3>{2, 8, 32});
    const int devices = one_of(random, std::array<int, 6>{0, 1, 2, 4, 8, 8});
    const bool mixed = random.below(4) == 0;
    for (int i = 0; i < devices; ++i)
        parts.devices.push_back(mixed && i % 2 == 1 ? "A100" : "H100");
    parts.per_link_domain = one_of(random, std::array<std::int64_t, 3>{0, 2, 4});
    parts.rack = one_of(random, std::array<const char*, 3>{"", "r1", "r2"});
    return parts;
}

// One small platform with work on it, and a gang, or a single task, that is to be placed, by force
// if need be.
class Case {
  public:
    Case(std::uint64_t seed, int size) : random_(seed) {
        const SiteId site = yard_.site("s");
        for (int i = 0; i < size; ++i) yard_.node(site, random_node(random_, i));
        for (int i = 0; i < 4 * size; ++i) add_resident();
        question_ = Yard::gang_question(
            1 + static_cast<std::int64_t>(random_.below(4)), {random_request(random_)}
        );
        question_.spec.priority = kPriority;
        if (question_.spec.num_nodes > 1 && random_.below(3) == 0)
            question_.spec.placement = PlacementSpec{.topology = TopologySpec{.pack = "rack"}};
    }

    bool preempted() const { return preempted_; }
    // Empty where capacity holds, else what went wrong.
    std::string place_then_preempt() {
        const DecisionAnswer placed = yard_.engine.decide(question_);
        if (placed.plan.feasible) return hold_all(yard_.engine.holds_of(placed));
        DecisionQuestion reclaim = question_;
        reclaim.reclaim = ReclaimQuestion{
            .organisation_id = organisation_, .project_id = project_, .leavable = residents_
        };
        const DecisionState before = yard_.engine.state();
        const DecisionAnswer forced = yard_.engine.decide(reclaim);
        if (yard_.engine.state() != before) return "what was asked left a trace";
        if (!forced.reclaim) return "";
        preempted_ = true;
        return carry_out(*forced.reclaim);
    }

  private:
    void add_resident() {
        const ResourceRequest request = random_request(random_);
        const NodeId node = yard_.nodes[random_.below(yard_.nodes.size())];
        const Host& host = *yard_.engine.find(node);
        if (!fleet::fits(request, host.free())) return;
        if (request.accelerator && host.usable_milli(*request.accelerator, request.linked) <
                                       request.accelerator->count_milli)
            return;
        const AttemptId attempt = yard_.ids.next<AttemptId>(kStart);
        if (!yard_.fleet.hold(attempt, node, request, {})) return;
        residents_.push_back(
            {.organisation_id = organisation_,
             .project_id = project_,
             .priority = static_cast<std::int64_t>(random_.below(4)),
             .runs = {{attempt, std::chrono::seconds(random_.below(100))}}}
        );
    }

    std::string carry_out(const ReclaimAnswer& answer) {
        std::set<AttemptId> gone;
        for (const ReclaimAnswer::Victim& victim : answer.victims) {
            const auto who = std::ranges::find_if(residents_, [&](const LeavableWork& each) {
                return each.runs.front().attempt_id == victim.attempt_id;
            });
            if (who == residents_.end()) return "someone had to leave who does not run";
            if (who->priority >= kPriority) return "an equal had to leave";
            if (!gone.insert(victim.attempt_id).second) return "someone had to leave twice";
        }
        if (gone.empty()) return "a preemption of nobody";
        for (const AttemptId attempt : gone) yard_.fleet.release(attempt);
        std::vector<fleet::CapacityHold> rooms;
        for (const PromisedRoom& place : answer.places)
            rooms.push_back({place.node_id, place.request, {}});
        return hold_all(std::move(rooms));
    }

    // All members on nodes of their own, each on devices that are really there.
    std::string hold_all(std::vector<fleet::CapacityHold> rooms) {
        if (std::ssize(rooms) != question_.spec.num_nodes) return "a gang in part";
        std::set<NodeId> nodes;
        for (fleet::CapacityHold& room : rooms) {
            if (!nodes.insert(room.node_id).second) return "two members on one node";
            const Host& host = *yard_.engine.find(room.node_id);
            const std::optional<Accelerator>& asked = room.request.accelerator;
            if (asked && host.usable_milli(*asked, room.request.linked) < asked->count_milli)
                return "the devices of " + host.node().name + " are not there";
            const AttemptId attempt = yard_.ids.next<AttemptId>(kStart);
            if (const auto held =
                    yard_.fleet.hold(attempt, room.node_id, room.request, std::move(room.devices));
                !held)
                return held.error().message;
        }
        for (const NodeId id : yard_.nodes) {
            const Host& host = *yard_.engine.find(id);
            if (!fleet::holds_all(host.node().total, host.held())) return "a node is overfull";
            for (const DeviceSlot& slot : host.slots())
                if (slot.used > slot.size) return "a device is overfull";
        }
        return "";
    }

    SeededRandom random_;
    Yard yard_;
    OrganisationId organisation_ = yard_.ids.next<OrganisationId>(kStart);
    ProjectId project_ = yard_.ids.next<ProjectId>(kStart);
    std::vector<LeavableWork> residents_;
    DecisionQuestion question_;
    bool preempted_ = false;
};

TEST(ReclaimProperty, GangsAndPreemptionsNeverTakeWhatIsNotThere) {
    rc::detail::TestParams params = rc::detail::configuration().testParams;
    params.maxSuccess = kCases;
    int preemptions = 0;
    const auto property = [&] {
        // Small cases are to be as mixed as large ones.
        const auto seed = *rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint64_t>());
        const int size = *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(1, 6));
        Case each(seed, size);
        const std::string wrong = each.place_then_preempt();
        preemptions += each.preempted() ? 1 : 0;
        if (!wrong.empty()) RC_FAIL(wrong);
    };

    const auto result = rc::detail::checkTestable(property, rc::detail::TestMetadata(), params);

    std::ostringstream message;
    rc::detail::printResultMessage(result, message);
    EXPECT_TRUE(result.is<rc::detail::SuccessResult>()) << message.str();
    EXPECT_GT(preemptions, kCases / 100) << "too few cases come to a preemption";
    RecordProperty("preemptions", preemptions);
}

}  // namespace
}  // namespace penstock::dispatch
