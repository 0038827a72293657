// SPDX-License-Identifier: Apache-2.0
#include "sim/sites.h"

#include <algorithm>
#include <map>

#include "base/random.h"
#include "model/task_spec.h"
#include "scheduler/scheduler.h"
#include "sim/site_strategy.h"

namespace penstock::sim {
namespace {

using scheduler::kTermCount;

constexpr std::size_t kBaselinesFrom = 6;  // in kSiteStrategies
constexpr std::size_t kPureOnes = 5;
constexpr std::int64_t kMilli = 1000;
constexpr std::uint64_t kRandomStream = 0x72616E64ULL;

bool is_baseline(std::string_view strategy) {
    return std::ranges::find(
               kSiteStrategies.begin() + kBaselinesFrom, kSiteStrategies.end(), strategy
           ) != kSiteStrategies.end();
}

// The scenario as the scheduler sees it. One site object a place of users, since round trips
// differ.
class World {
  public:
    explicit World(const SiteScenario& scenario) : scenario_(scenario), ids_(random_) {
        std::vector<SiteId> site_ids;
        for (std::size_t i = 0; i < scenario.sites.size(); ++i)
            site_ids.push_back(ids_.next<SiteId>(Time()));
        for (std::size_t place = 0; place < scenario.places.size(); ++place) {
            place_specs_.push_back({.name = scenario.places[place]});
            for (std::size_t i = 0; i < scenario.sites.size(); ++i) {
                sites_.push_back({.id = site_ids[i], .spec = scenario.sites[i]});
                sites_.back().spec.rtt_ms = scenario.link(place, i).rtt_ms;
            }
        }
        for (const SitePool& pool : scenario.pools) add_node(pool, site_ids[pool.site]);
    }

    std::vector<scheduler::Supply> supplies(
        const SiteTask& task, const std::vector<scheduler::Calendar>& calendars
    ) const {
        std::vector<scheduler::Supply> all;
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            const std::size_t site = scenario_.pools[i].site;
            all.push_back(
                {.site = &sites_[task.user * scenario_.sites.size() + site],
                 .node = &nodes_[i],
                 .free = {},
                 .outlook = &scenario_.outlooks[site],
                 .calendar = &calendars[i],
                 .staging = &scenario_.link(task.data, site)}
            );
        }
        return all;
    }
    scheduler::Profile profile(const SiteTask& task) const {
        scheduler::Profile profile{
            .staging_bytes = task.data_bytes,
            .staging_source = &place_specs_[task.data],
            .result_bytes = task.result_bytes
        };
        for (const SitePool& pool : scenario_.pools) {
            const double hours = task.work / (static_cast<double>(task.devices) * pool.speed);
            profile.run_time_on[pool.model] =
                std::chrono::ceil<Duration>(std::chrono::duration<double, std::ratio<3600>>(hours));
            profile.run_time_at_most_on[pool.model] = profile.run_time_on[pool.model];
            profile.watts_per_device[pool.model] = pool.watts;
        }
        return profile;
    }
    TaskSpec spec(const SiteTask& task, Strategy strategy) const {
        TaskSpec spec;
        spec.placement = PlacementSpec{.optimize = strategy};
        spec.resources.cpus = CpuRange{{task.devices * kMilli, task.devices * kMilli}};
        spec.resources.memory = MemoryRange{{task.devices, task.devices}};
        Accelerators any;
        for (const auto& [model, unused] : profile(task).run_time_on)
            any.choices.push_back({model, task.devices * kMilli});
        spec.resources.accelerators = std::move(any);
        return spec;
    }
    std::size_t pool_of(NodeId node) const { return pool_of_.at(node); }
    std::vector<scheduler::Calendar> calendars() const {
        std::vector<scheduler::Calendar> all;
        for (const Node& node : nodes_) all.emplace_back(node.total);
        return all;
    }

  private:
    void add_node(const SitePool& pool, SiteId site) {
        Node node{
            .id = ids_.next<NodeId>(Time()),
            .site_id = site,
            .name = pool.model,
            .state = NodeState::online,
            .health = Health::ok,
            .enforces = {"cpu", "memory"}
        };
        node.total = {
            .cpu_milli = pool.devices * kMilli,
            .memory_mib = pool.devices,
            .accelerator_milli = {{pool.model, pool.devices * kMilli}}
        };
        pool_of_[node.id] = nodes_.size();
        nodes_.push_back(std::move(node));
    }

    const SiteScenario& scenario_;
    SeededRandom random_{1};
    IdSource ids_;
    std::vector<Site> sites_;  // places × sites
    std::vector<SiteSpec> place_specs_;
    std::vector<Node> nodes_;  // beside the pools
    std::map<NodeId, std::size_t> pool_of_;
};

// One strategy over all tasks.
class Run {
  public:
    Run(const SiteScenario& scenario, const World& world, const std::string& strategy,
        const SitesOptions& options)
        : scenario_(scenario),
          world_(world),
          start_(options.start),
          random_(options.seed ^ kRandomStream),
          calendars_(world.calendars()) {
        outcome_.strategy = strategy;
        outcome_.tasks_at.resize(scenario.sites.size());
        outcome_.device_hours_in.resize(scenario.pools.size());
        baseline_ = is_baseline(strategy);
        if (!baseline_) weights_ = site_strategy(strategy).value_or(balanced_strategy());
    }

    Result<void> place(std::size_t index, const SiteTask& task) {
        const Time now = start_ + task.arrival;
        for (scheduler::Calendar& calendar : calendars_) calendar.forget_before(now);
        SiteDecision decision{.task = index};
        TaskSpec spec = world_.spec(task, weights_);
        if (task.deadline && !baseline_) spec.deadline = now + *task.deadline;
        Plan plan = plan_of(spec, task, now);
        if (baseline_) drop_late(plan, task);
        decision.late = !plan.feasible && task.deadline;
        if (decision.late) {
            spec.deadline.reset();
            spec.placement->optimize = {.duration = 1};
            plan = plan_of(spec, task, now);
        }
        if (!plan.feasible)
            return fail(
                ErrorCode::invalid_argument,
                "task " + std::to_string(index + 1) + " can run nowhere: " + plan.explanation
            );
        const bool by_baseline = baseline_ && !decision.late;
        return keep(
            decision, task, by_baseline ? baseline_choice(plan) : plan.candidates.front(), now
        );
    }
    StrategyOutcome finish() {
        const auto count = static_cast<double>(outcome_.decisions.size());
        for (double& mean : outcome_.means) mean /= count;
        outcome_.wait_hours_mean /= count;
        return std::move(outcome_);
    }

  private:
    Plan plan_of(const TaskSpec& spec, const SiteTask& task, Time now) const {
        return scheduler::plan(
            {.spec = spec,
             .spec_sha256 = {},
             .supplies = world_.supplies(task, calendars_),
             .avoid = {},
             .profile = world_.profile(task),
             .budget_left = {},
             .now = now}
        );
    }

    // A baseline does not wait for better hours: it is planned without a deadline, so that each
    // pool has its first start only, and what would be late is dropped here.
    static void drop_late(Plan& plan, const SiteTask& task) {
        std::erase_if(plan.candidates, [&](const Candidate& each) {
            return each.filter != FilterReason::none ||
                   (task.deadline && each.terms.duration_s > to_seconds(*task.deadline));
        });
        plan.feasible = !plan.candidates.empty();
    }
    const Candidate& baseline_choice(const Plan& plan) {
        if (outcome_.strategy == "random")
            return plan.candidates[random_.below(plan.candidates.size())];
        const auto key = [&](const Candidate& each) {
            const auto own = outcome_.strategy == "cost-only" ? scheduler::values_of(each.terms)[0]
                                                              : each.terms.latency_ms;
            return std::pair(own.value_or(0), each.terms.duration_s.value_or(0));
        };
        return *std::ranges::min_element(plan.candidates, {}, key);
    }

    Result<void> keep(
        SiteDecision decision, const SiteTask& task, const Candidate& chosen, Time now
    ) {
        const scheduler::Values values = scheduler::values_of(chosen.terms);
        for (std::size_t t = 0; t < kTermCount; ++t) {
            if (!values[t])
                return fail(
                    ErrorCode::invalid_argument, "the hourly files do not cover the work of task " +
                                                     std::to_string(decision.task + 1) +
                                                     ": choose another --start"
                );
            decision.terms[t] = *values[t];
            outcome_.means[t] += *values[t];
        }
        decision.pool = world_.pool_of(chosen.node_id);
        const SitePool& pool = scenario_.pools[decision.pool];
        const Time start = chosen.start_at.value_or(now);
        const double seconds = *values[static_cast<std::size_t>(scheduler::Term::duration)];
        const Duration span =
            std::chrono::floor<Duration>(std::chrono::duration<double>(seconds)) - (start - now);
        calendars_[decision.pool].reserve(chosen.request, start, span);
        decision.wait = start - now;
        outcome_.late += decision.late ? 1 : 0;
        outcome_.waited += decision.wait > Duration::zero() ? 1 : 0;
        outcome_.wait_hours_mean += to_seconds(decision.wait) / 3600;
        if (scenario_.places[task.data] != scenario_.sites[pool.site].name)
            outcome_.moved_gb += static_cast<double>(task.data_bytes) * 1e-9;
        ++outcome_.tasks_at[pool.site];
        outcome_.device_hours_in[decision.pool] +=
            to_seconds(span) / 3600 * static_cast<double>(task.devices);
        outcome_.decisions.push_back(decision);
        return {};
    }

    const SiteScenario& scenario_;
    const World& world_;
    Time start_;
    bool baseline_ = false;
    Strategy weights_ = balanced_strategy();
    SeededRandom random_;
    std::vector<scheduler::Calendar> calendars_;
    StrategyOutcome outcome_;
};

const StrategyOutcome* outcome_of(const SitesReport& report, std::string_view strategy) {
    const auto found = std::ranges::find(report.outcomes, strategy, &StrategyOutcome::strategy);
    return found == report.outcomes.end() ? nullptr : &*found;
}

void compare(SitesReport& report) {
    for (std::size_t t = 0; t < kTermCount; ++t) {
        const StrategyOutcome* best = nullptr;
        const StrategyOutcome* best_pure = nullptr;
        for (std::size_t s = 0; s < kBaselinesFrom; ++s) {
            const StrategyOutcome* each = outcome_of(report, kSiteStrategies[s]);
            if (!each) continue;
            // Its own strategy keeps a tie.
            const bool better = !best || each->means[t] < best->means[t] ||
                                (s == t && each->means[t] <= best->means[t]);
            if (better) best = each;
            if (s < kPureOnes && (!best_pure || each->means[t] < best_pure->means[t]))
                best_pure = each;
        }
        if (best) report.best[t] = best->strategy;
        const StrategyOutcome* balanced = outcome_of(report, "balanced");
        if (!balanced || !best_pure) continue;
        const std::int64_t regret =
            scheduler::regret(balanced->means[t], best_pure->means[t], scheduler::kFloors[t]);
        report.balanced_near_best += regret <= scheduler::kPureRegretMax ? 1 : 0;
    }
}

}  // namespace

Result<SitesReport> simulate_sites(
    const SiteScenario& scenario, const std::vector<SiteTask>& tasks, const SitesOptions& options,
    Progress& progress
) {
    const World world(scenario);
    SitesReport report;
    for (const std::string& strategy : options.strategies) {
        if (!is_baseline(strategy)) TRY(site_strategy(strategy));
        progress.begin(strategy, tasks.size());
        Run run(scenario, world, strategy, options);
        for (std::size_t i = 0; i < tasks.size(); ++i) {
            TRY(run.place(i, tasks[i]));
            progress.done(i + 1);
        }
        report.outcomes.push_back(run.finish());
    }
    compare(report);
    return report;
}

}  // namespace penstock::sim
