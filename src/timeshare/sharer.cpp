// SPDX-License-Identifier: Apache-2.0
#include "timeshare/sharer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "timeshare/choice.h"
#include "timeshare/policy.h"

namespace penstock::timeshare {
namespace {

// Shares are set anew when a job comes or goes; between that, rounds follow them.
class ByShares final : public Sharer {
  public:
    explicit ByShares(Policy policy)
        : policy_(policy),
          rounds_(policy == Policy::agnostic_las ? Spare::to_anyone : Spare::to_the_fastest) {}

    Result<Places> next(
        const Problem& problem, const std::vector<JobNumber>& numbers, const Places& /*last*/
    ) override {
        if (numbers != numbers_) {
            const Shares shares = TRY(allocate(policy_, problem));
            rounds_.set(problem, numbers, shares);
            numbers_ = numbers;
        }
        std::map<JobNumber, std::size_t> granted;
        for (const Grant& grant : rounds_.next()) granted.emplace(grant.job, grant.kind);
        Places places;
        for (const JobNumber number : numbers) {
            const auto found = granted.find(number);
            places.push_back(found == granted.end() ? std::nullopt : std::optional(found->second));
        }
        return places;
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

}  // namespace

std::vector<std::string_view> policy_names() {
    std::vector<std::string_view> names;
    for (const Named& each : kPolicies) names.push_back(each.name);
    return names;
}

Result<std::unique_ptr<Sharer>> make_sharer(std::string_view policy) {
    const auto* const found = std::ranges::find(kPolicies, policy, &Named::name);
    if (found == kPolicies.end())
        return fail_field(
            ErrorCode::invalid_argument, "policy",
            fmt::format(
                "there is no policy '{}': choose of {}", policy, fmt::join(policy_names(), ", ")
            )
        );
    if (const auto* worth = std::get_if<Worth>(&found->policy))
        return std::make_unique<ByWorth>(*worth);
    return std::make_unique<ByShares>(std::get<Policy>(found->policy));
}

}  // namespace penstock::timeshare
