// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

#include "timeshare/choice.h"
#include "timeshare/round_plan.h"

namespace penstock::timeshare {
namespace {

// Applicants belong to tenant `number % tenants`, each of which may hold so many devices.
class TenantLimits final : public Allowed {
  public:
    TenantLimits(const RoundQuestion& question, std::size_t tenants, std::int64_t devices)
        : question_(question), held_(tenants, 0), devices_(devices) {}
    void begin() override { std::ranges::fill(held_, 0); }
    bool take(std::size_t applicant, std::size_t) override {
        std::int64_t& held = held_[applicant % held_.size()];
        const std::int64_t asked = question_.applicants[applicant].job.devices;
        if (held + asked > devices_) return false;
        held += asked;
        return true;
    }

  private:
    const RoundQuestion& question_;
    std::vector<std::int64_t> held_;
    std::int64_t devices_;
};

RoundQuestion any_question() {
    RoundQuestion question{.policy = *rc::gen::elementOf(live_policies()), .move_s = 30};
    const auto kinds = *rc::gen::inRange<std::size_t>(1, 4);
    for (std::size_t kind = 0; kind < kinds; ++kind)
        question.kinds.push_back({.price_per_hour = *rc::gen::inRange(1, 9) / 2.0});
    const auto nodes = *rc::gen::inRange<std::size_t>(1, 6);
    for (std::size_t node = 0; node < nodes; ++node) {
        question.nodes.push_back(
            {.cpu_milli = *rc::gen::inRange<std::int64_t>(1, 9) * 1000, .memory_mib = 100'000}
        );
        question.rooms.push_back(
            {.node = node,
             .kind = *rc::gen::inRange<std::size_t>(0, kinds),
             .devices = *rc::gen::inRange<std::int64_t>(0, 9)}
        );
    }
    return question;
}

void add_applicants(RoundQuestion& question) {
    const int jobs = *rc::gen::inRange(1, 12);
    for (int i = 0; i < jobs; ++i) {
        Applicant applicant{
            .job = {.devices = *rc::gen::element<std::int64_t>(1, 1, 1, 2, 4)},
            .received_s = std::vector<double>(question.kinds.size(), 0),
            .needs = {.cpu_milli = 1000, .memory_mib = 1000}
        };
        for (std::size_t kind = 0; kind < question.kinds.size(); ++kind)
            applicant.job.rate.push_back(*rc::gen::inRange(0, 40) / 4.0);
        for (std::size_t room = 0; room < question.rooms.size(); ++room)
            if (*rc::gen::inRange(0, 4) > 0) applicant.rooms.push_back(room);
        question.applicants.push_back(std::move(applicant));
    }
}

void expect_room_for_all(const RoundQuestion& question, const RoundPlan& plan) {
    std::vector<std::int64_t> devices;
    for (const Room& room : question.rooms) devices.push_back(room.devices);
    std::vector<std::int64_t> cpu;
    for (const NodeRoom& node : question.nodes) cpu.push_back(node.cpu_milli);
    for (std::size_t i = 0; i < plan.rooms.size(); ++i) {
        if (!plan.rooms[i]) continue;
        const Applicant& applicant = question.applicants[i];
        const Room& room = question.rooms[*plan.rooms[i]];
        RC_ASSERT(applicant.job.rate[room.kind] > 0);
        RC_ASSERT(std::ranges::find(applicant.rooms, *plan.rooms[i]) != applicant.rooms.end());
        RC_ASSERT((devices[*plan.rooms[i]] -= applicant.job.devices) >= 0);
        RC_ASSERT((cpu[room.node] -= applicant.needs.cpu_milli) >= 0);
    }
}

RC_GTEST_PROP(RoundPlan, NeverGrantsMoreThanNodesHaveNorMoreThanATenantMayHold, ()) {
    RoundQuestion question = any_question();
    add_applicants(question);
    const auto limit = *rc::gen::inRange<std::int64_t>(1, 9);
    TenantLimits limits(question, 2, limit);

    const RoundPlan plan = plan_round(question, limits).value();

    expect_room_for_all(question, plan);
    std::map<std::size_t, std::int64_t> held;
    for (std::size_t i = 0; i < plan.rooms.size(); ++i)
        if (plan.rooms[i]) held[i % 2] += question.applicants[i].job.devices;
    for (const auto& [tenant, devices] : held) RC_ASSERT(devices <= limit);
}

RC_GTEST_PROP(RoundPlan, TheSameQuestionHasTheSameAnswer, ()) {
    RoundQuestion question = any_question();
    add_applicants(question);
    TenantLimits limits(question, 2, 100);

    const RoundPlan first = plan_round(question, limits).value();
    const RoundPlan second = plan_round(question, limits).value();

    RC_ASSERT(first.rooms == second.rooms);
}

bool could_run(const RoundQuestion& question, const Applicant& applicant) {
    return std::ranges::any_of(applicant.rooms, [&](std::size_t room) {
        return applicant.job.rate[question.rooms[room].kind] > 0 &&
               question.rooms[room].devices >= applicant.job.devices &&
               question.nodes[question.rooms[room].node].cpu_milli >= applicant.needs.cpu_milli;
    });
}

// Rounds of six hours, so that patience ends after four of them.
RC_GTEST_PROP(RoundPlan, NobodyWaitsMuchLongerThanPatienceWhateverThePolicy, ()) {
    constexpr double kSpanS = 6 * 3600;
    RoundQuestion question = any_question();
    add_applicants(question);
    std::erase_if(question.applicants, [&](const Applicant& applicant) {
        return !could_run(question, applicant);
    });
    TenantLimits limits(question, 1, 1000);
    double longest = 0;
    for (int round = 0; round < 24; ++round) {
        const RoundPlan plan = plan_round(question, limits).value();
        for (std::size_t i = 0; i < plan.rooms.size(); ++i) {
            Applicant& applicant = question.applicants[i];
            applicant.at = plan.rooms[i];
            applicant.job.waited_s = plan.rooms[i] ? 0 : applicant.job.waited_s + kSpanS;
            longest = std::max(longest, applicant.job.waited_s);
            if (plan.rooms[i]) applicant.received_s[question.rooms[*plan.rooms[i]].kind] += kSpanS;
        }
        question.counted_s += kSpanS;
    }
    // All others may be out of patience too, and then each of them goes first once.
    const auto others = static_cast<double>(question.applicants.size());
    RC_ASSERT(longest <= kPatienceS + others * kSpanS);
}

}  // namespace
}  // namespace penstock::timeshare
