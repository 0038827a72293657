// SPDX-License-Identifier: Apache-2.0
#include "timeshare/sharer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>
#include <variant>

#include "timeshare/choice.h"
#include "timeshare/policy.h"

namespace penstock::timeshare {
namespace {

Places places_of(const std::vector<Grant>& grants, const std::vector<JobNumber>& numbers) {
    std::map<JobNumber, std::size_t> granted;
    for (const Grant& grant : grants) granted.emplace(grant.job, grant.kind);
    Places places;
    for (const JobNumber number : numbers) {
        const auto found = granted.find(number);
        places.push_back(found == granted.end() ? std::nullopt : std::optional(found->second));
    }
    return places;
}

Spare spare_of(Policy policy) {
    return policy == Policy::agnostic_las ? Spare::to_anyone : Spare::to_the_fastest;
}

// Shares are set anew when a job comes or goes; between that, rounds follow them.
class ByShares final : public Sharer {
  public:
    explicit ByShares(Policy policy) : policy_(policy), rounds_(spare_of(policy)) {}

    Result<Places> next(
        const Problem& problem, const std::vector<JobNumber>& numbers, const Places& /*last*/
    ) override {
        if (numbers != numbers_) {
            const Shares shares = TRY(allocate(policy_, problem));
            rounds_.set(problem, numbers, shares);
            numbers_ = numbers;
        }
        return places_of(rounds_.next(), numbers);
    }

  private:
    Policy policy_;
    Rounds rounds_;
    std::vector<JobNumber> numbers_;
};

class ByWorth final : public Sharer {
  public:
    explicit ByWorth(Worth worth) : worth_(worth) {}

    Result<Places> next(
        const Problem& problem, const std::vector<JobNumber>& /*numbers*/, const Places& last
    ) override {
        return choose(worth_, problem, last);
    }

  private:
    Worth worth_;
};

struct Named {
    std::string_view name;
    std::variant<Policy, Worth> policy;
};
constexpr auto kPolicies = std::to_array<Named>({
    {"agnostic-las", Policy::agnostic_las},
    {"gavel-las", Policy::gavel_las},
    {"gavel-water-filling", Policy::gavel_water_filling},
    {"gavel-makespan", Policy::gavel_makespan},
    {"gavel-finish-time", Policy::gavel_finish_time},
    {"gavel-cost", Policy::gavel_cost},
    {"most-throughput", Worth::throughput},
    {"least-left", Worth::least_left},
});

Result<std::variant<Policy, Worth>> find_policy(std::string_view name) {
    const auto* const found = std::ranges::find(kPolicies, name, &Named::name);
    if (found != kPolicies.end()) return found->policy;
    return fail_field(
        ErrorCode::invalid_argument, "policy",
        fmt::format("there is no policy '{}': choose of {}", name, fmt::join(policy_names(), ", "))
    );
}

}  // namespace

std::vector<std::string_view> policy_names() {
    std::vector<std::string_view> names;
    for (const Named& each : kPolicies) names.push_back(each.name);
    return names;
}

Result<std::unique_ptr<Sharer>> make_sharer(std::string_view policy) {
    const std::variant<Policy, Worth> found = TRY(find_policy(policy));
    if (const auto* worth = std::get_if<Worth>(&found)) return std::make_unique<ByWorth>(*worth);
    return std::make_unique<ByShares>(std::get<Policy>(found));
}

Result<Places> next_places(
    std::string_view policy, const Problem& problem, const Received& received, const Places& last
) {
    const std::variant<Policy, Worth> found = TRY(find_policy(policy));
    if (const auto* worth = std::get_if<Worth>(&found)) return choose(*worth, problem, last);
    if (received.seconds.size() != problem.jobs.size())
        return fail_field(ErrorCode::invalid_argument, "received", "give one entry for each job");
    const auto by_shares = std::get<Policy>(found);
    std::vector<JobNumber> numbers(problem.jobs.size());
    std::iota(numbers.begin(), numbers.end(), JobNumber{0});
    Rounds rounds(spare_of(by_shares));
    rounds.set(problem, numbers, TRY(allocate(by_shares, problem)));
    for (const JobNumber number : numbers)
        rounds.count(number, received.seconds[number], received.counted_s);
    return places_of(rounds.next(), numbers);
}

}  // namespace penstock::timeshare
