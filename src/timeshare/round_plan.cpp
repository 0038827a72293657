// SPDX-License-Identifier: Apache-2.0
#include "timeshare/round_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <tuple>

#include "timeshare/choice.h"

namespace penstock::timeshare {
namespace {

constexpr std::array<std::string_view, 4> kLivePolicies = {
    "agnostic-las", "gavel-las", "gavel-cost", "most-throughput"
};

// What is left of nodes and rooms while grants are put into them.
class Space {
  public:
    explicit Space(const RoundQuestion& question) : nodes_(question.nodes) {
        for (const Room& room : question.rooms) devices_.push_back(room.devices);
    }
    std::int64_t devices(std::size_t room) const { return devices_[room]; }

    bool fits(const RoundQuestion& question, const Applicant& applicant, std::size_t room) const {
        const NodeRoom& node = nodes_[question.rooms[room].node];
        return applicant.job.devices <= devices_[room] &&
               applicant.needs.cpu_milli <= node.cpu_milli &&
               applicant.needs.memory_mib <= node.memory_mib;
    }
    void take(const RoundQuestion& question, const Applicant& applicant, std::size_t room) {
        NodeRoom& node = nodes_[question.rooms[room].node];
        devices_[room] -= applicant.job.devices;
        node.cpu_milli -= applicant.needs.cpu_milli;
        node.memory_mib -= applicant.needs.memory_mib;
    }
    // Where it is, else the fullest that takes it, so that large rooms stay whole.
    std::optional<std::size_t> find(
        const RoundQuestion& question, const Applicant& applicant, std::size_t kind
    ) const {
        if (applicant.at && question.rooms[*applicant.at].kind == kind &&
            fits(question, applicant, *applicant.at))
            return applicant.at;
        std::optional<std::size_t> best;
        for (const std::size_t room : applicant.rooms)
            if (question.rooms[room].kind == kind && fits(question, applicant, room) &&
                (!best || devices_[room] < devices_[*best]))
                best = room;
        return best;
    }

  private:
    std::vector<NodeRoom> nodes_;
    std::vector<std::int64_t> devices_;  // by room
};

class Planning {
  public:
    Planning(const RoundQuestion& question, Allowed& allowed)
        : question_(question),
          allowed_(allowed),
          space_(question),
          barred_(question.applicants.size(), std::vector<bool>(question.kinds.size(), false)) {
        plan_.rooms.resize(question.applicants.size());
        plan_.limited.assign(question.applicants.size(), false);
    }

    Result<RoundPlan> run() {
        allowed_.begin();
        serve_the_impatient();
        const Space space = space_;
        for (int revision = 0;; ++revision) {
            space_ = space;
            const Places wanted = TRY(chosen());
            if (put(wanted) || revision == kRevisionsMax) return std::move(plan_);
        }
    }

  private:
    std::size_t count() const { return question_.applicants.size(); }
    const Applicant& at(std::size_t i) const { return question_.applicants[i]; }

    // Longest waiting first, each on its best kind that has room.
    void serve_the_impatient() {
        std::vector<std::size_t> order;
        for (std::size_t i = 0; i < count(); ++i)
            if (at(i).job.waited_s >= kPatienceS) order.push_back(i);
        std::ranges::sort(order, {}, [&](std::size_t i) {
            return std::pair(-at(i).job.waited_s, i);
        });
        for (const std::size_t i : order) serve(i);
    }

    void serve(std::size_t i) {
        std::vector<std::size_t> kinds(question_.kinds.size());
        std::iota(kinds.begin(), kinds.end(), std::size_t{0});
        std::ranges::sort(kinds, {}, [&](std::size_t kind) {
            return std::pair(-at(i).job.rate[kind], kind);
        });
        for (const std::size_t kind : kinds) {
            if (at(i).job.rate[kind] == 0) continue;
            const std::optional<std::size_t> room = space_.find(question_, at(i), kind);
            if (!room) continue;
            plan_.limited[i] = !allowed_.take(i, kind);
            if (plan_.limited[i]) continue;
            space_.take(question_, at(i), *room);
            plan_.rooms[i] = room;
            served_.push_back({i, kind});
            return;
        }
    }

    // What the policy wants, of those that are not served yet and where nothing bars them.
    Result<Places> chosen() {
        Problem problem{.kinds = question_.kinds, .move_s = question_.move_s, .jobs = {}};
        for (Kind& kind : problem.kinds) kind.devices = 0;
        for (std::size_t room = 0; room < question_.rooms.size(); ++room)
            problem.kinds[question_.rooms[room].kind].devices += space_.devices(room);
        Received received{.seconds = {}, .counted_s = question_.counted_s};
        Places last;
        std::vector<std::size_t> who;
        for (std::size_t i = 0; i < count(); ++i) {
            if (is_served(i)) continue;
            Job job = at(i).job;
            for (std::size_t kind = 0; kind < problem.kinds.size(); ++kind)
                if (barred_[i][kind]) job.rate[kind] = 0;
            if (best_rate(problem, job) == 0) continue;
            problem.jobs.push_back(std::move(job));
            received.seconds.push_back(at(i).received_s);
            const bool may_stay = at(i).at && space_.fits(question_, at(i), *at(i).at);
            last.push_back(
                may_stay ? std::optional(question_.rooms[*at(i).at].kind) : std::nullopt
            );
            who.push_back(i);
        }
        Places wanted(count());
        if (who.empty()) return wanted;
        const Places places = TRY(ask(std::move(problem), received, last));
        for (std::size_t k = 0; k < who.size(); ++k) wanted[who[k]] = places[k];
        return wanted;
    }

    Result<Places> ask(Problem problem, const Received& received, const Places& last) {
        Result<Places> places = next_places(question_.policy, problem, received, last);
        if (places || places.error().code != ErrorCode::conflict) return places;
        plan_.rates_unmet = true;
        for (Job& job : problem.jobs) job.rate_min = 0;
        return next_places(question_.policy, problem, received, last);
    }

    bool is_served(std::size_t i) const {
        return std::ranges::find(served_, i, &Grant::job) != served_.end();
    }

    // False: some got nothing of what was wanted, and others may have it.
    bool put(const Places& wanted) {
        allowed_.begin();
        for (const Grant& grant : served_) (void)allowed_.take(grant.job, grant.kind);
        std::vector<std::size_t> order;
        for (std::size_t i = 0; i < count(); ++i) {
            if (is_served(i)) continue;
            plan_.rooms[i].reset();
            if (wanted[i]) order.push_back(i);
        }
        const bool all_may = keep_allowed(order, wanted);
        const Space before = space_;
        // Who stays first, then large before small.
        std::ranges::sort(order, {}, [&](std::size_t i) {
            const bool stays = at(i).at && question_.rooms[*at(i).at].kind == *wanted[i] &&
                               before.fits(question_, at(i), *at(i).at);
            return std::tuple(!stays, -at(i).job.devices, i);
        });
        bool all_fit = true;
        for (const std::size_t i : order) {
            plan_.rooms[i] = space_.find(question_, at(i), *wanted[i]);
            if (plan_.rooms[i])
                space_.take(question_, at(i), *plan_.rooms[i]);
            else
                barred_[i][*wanted[i]] = true;
            all_fit = all_fit && plan_.rooms[i];
        }
        return all_may && all_fit;
    }

    // Within a limit whoever received least comes first, then who is there.
    bool keep_allowed(std::vector<std::size_t>& order, const Places& wanted) {
        std::ranges::sort(order, {}, [&](std::size_t i) {
            return std::tuple(at(i).received_sum() / at(i).job.weight, !at(i).at, i);
        });
        const std::size_t before = order.size();
        std::erase_if(order, [&](std::size_t i) {
            plan_.limited[i] = !allowed_.take(i, *wanted[i]);
            if (plan_.limited[i]) barred_[i][*wanted[i]] = true;
            return plan_.limited[i];
        });
        return order.size() == before;
    }

    const RoundQuestion& question_;
    Allowed& allowed_;
    Space space_;
    std::vector<std::vector<bool>> barred_;  // by applicant and kind
    std::vector<Grant> served_;              // who was impatient
    RoundPlan plan_;
};

}  // namespace

double Applicant::received_sum() const {
    return std::accumulate(received_s.begin(), received_s.end(), 0.0);
}

std::vector<std::string_view> live_policies() {
    return {kLivePolicies.begin(), kLivePolicies.end()};
}

Result<void> check_live_policy(std::string_view name) {
    if (std::ranges::find(kLivePolicies, name) != kLivePolicies.end()) return {};
    return fail_field(
        ErrorCode::invalid_argument, "time-sharing-policy",
        fmt::format("'{}' is not one of {}", name, fmt::join(kLivePolicies, ", "))
    );
}

Result<RoundPlan> plan_round(const RoundQuestion& question, Allowed& allowed) {
    TRY(check_live_policy(question.policy));
    if (question.applicants.empty() || question.kinds.empty())
        return RoundPlan{
            .rooms = Places(question.applicants.size()),
            .limited = std::vector<bool>(question.applicants.size(), false)
        };
    return Planning(question, allowed).run();
}

Time counted_since(std::vector<Time> changes) {
    std::ranges::sort(changes);
    Time since{};
    for (const Time change : changes)
        if (since == Time{} || change - since >= Rounds::kForgetAfter) since = change;
    return since;
}

}  // namespace penstock::timeshare
