// SPDX-License-Identifier: Apache-2.0
#include <time.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "dispatch/staging_routes.h"
#include "scheduler/alike_supplies.h"
#include "scheduler/filter.h"
#include "scheduler/queue_text.h"
#include "scheduler/spec_change.h"
#include "server/explain_queue.h"
#include "server/profiles.h"
#include "server/queue_yard.h"

// What change of a waiting task would start it now.
namespace penstock::server {
namespace {

using scheduler::SpecChange;
using scheduler::Supply;

// CPU time of this thread: what else the machine does is no reason to tell less.
Duration thread_time() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) +
           std::chrono::duration_cast<Duration>(std::chrono::nanoseconds(now.tv_nsec));
}

// Whether waiting for room, or for leave to take it, is what it does.
bool could_be_changed(const Task& task) {
    return task.reason == TaskReason::none || task.reason == TaskReason::no_candidate ||
           task.reason == TaskReason::waiting_for_capacity ||
           task.reason == TaskReason::waiting_for_quota ||
           task.reason == TaskReason::waiting_for_reservation;
}

bool has_room(const Capacity& free, const TaskSpec& spec) {
    const ResourceRequest request = scheduler::request_of(spec);
    if (free.cpu_milli < request.cpu_milli || free.memory_mib < request.memory_mib) return false;
    const auto has = [&](const Accelerator& choice) {
        return scheduler::devices_milli(free, choice) >= choice.count_milli;
    };
    return !spec.resources.accelerators ||
           std::ranges::any_of(spec.resources.accelerators->choices, has);
}

// Plans a task as it would be decided on now, alone, beside what is promised to others. The nodes
// are looked at once, for all plans.
class Trials {
  public:
    Trials(Platform& platform, const Task& task, const scheduler::Reservations& promises)
        : platform_(platform),
          task_(task),
          promises_(promises),
          yard_(platform, {}, {.start = {}, .ask = {}, .record = {}}),
          queue_(fair_queue(platform)),
          source_(staging_source_of(platform)),
          routes_(source_),
          until_(thread_time() + kStartingPlansTime) {
        for (const Node* node : platform.fleet.nodes())
            if (node->state == NodeState::online && !node->cordoned)
                online_.push_back(
                    {.site = platform.fleet.find_site(node->site_id),
                     .node = node,
                     .free = platform.fleet.free_of(*node),
                     .outlook = platform.engine.outlook_of(node->site_id),
                     .restarts = platform.engine.restarts_of(node->site_id)}
                );
        for (const scheduler::Reservation& each : promises.all())
            for (const scheduler::Place& place : each.places) promised_.push_back(place.node);
        std::ranges::sort(promised_);
    }

    // Whether another plan may be made.
    bool goes_on() {
        if (made_ < kStartingPlansMax && thread_time() < until_) return true;
        cut_ = true;
        return false;
    }

    void count_one() { ++made_; }
    void note_cut() { cut_ = true; }
    std::int64_t made() const { return static_cast<std::int64_t>(made_); }
    bool cut() const { return cut_; }
    bool any_promise() const { return !promised_.empty(); }
    const std::vector<Supply>& online() const { return online_; }
    const scheduler::Reservations& promises() const { return promises_; }
    const scheduler::FairQueue& queue() const { return queue_; }

    std::optional<scheduler::TenantLimit> limit(const TaskSpec& spec) const {
        return queue_.blocked(tenant_of(task_), scheduler::amounts_of(counted_request(spec)));
    }

    // Its tenant's quota forbids it: not feasible, without a plan.
    Plan plan(const TaskSpec& spec) { return limit(spec) ? Plan() : plan_beside_quota(spec); }

    Plan plan_beside_quota(const TaskSpec& spec) {
        ++made_;
        std::vector<Supply> roomy;
        for (const Supply& each : online_)
            if (has_room(each.free, spec)) roomy.push_back(each);
        const std::vector<scheduler::AlikeSupplies> groups =
            scheduler::alike_supplies(roomy, spec, promised_);
        scheduler::Input input{
            .spec = spec,
            .spec_sha256 = "",
            .supplies = {},
            .avoid = {},
            .profile = profile_of(platform_, spec, task_.organisation_id),
            .budget_left = {},
            .now = platform_.now(),
            .at_once = true
        };
        if (spec.budget) input.budget_left = spec.budget->max_total;
        if (input.profile.staging_bytes > 0 && source_) input.profile.staging_source = &*source_;
        if (spec.service && platform_.callers_of) input.callers = platform_.callers_of(task_.id);
        for (const scheduler::AlikeSupplies& group : groups) {
            Supply supply = group.shown;
            supply.staging = routes_.to(*supply.site);
            if (spec.num_nodes > 1) supply.peers = &group.nodes;
            input.supplies.push_back(std::move(supply));
        }
        const ResourceRequest request = scheduler::request_of(spec);
        const scheduler::Kept kept{
            .promises = promises_,
            .book = yard_,
            .work = work_of(task_.id, 0),
            .at_most =
                run_times_of(platform_, spec, task_.organisation_id, request.accelerator).at_most()
        };
        input.kept = &kept;
        return scheduler::plan(input);
    }

  private:
    Platform& platform_;
    const Task& task_;
    const scheduler::Reservations& promises_;
    QueueYard yard_;
    scheduler::FairQueue queue_;
    std::optional<SiteSpec> source_;
    dispatch::StagingRoutes routes_;
    std::vector<Supply> online_;
    std::vector<NodeId> promised_;
    Duration until_;
    std::size_t made_ = 0;
    bool cut_ = false;
};

scheduler::ChangeGround ground_of(
    const Platform& platform, const Task& task, const Trials& trials, const Plan& now
) {
    scheduler::ChangeGround ground{.promised = trials.any_promise()};
    if (now.gang) ground.members = now.gang->room;
    std::map<NodeId, const Supply*> by_node;
    for (const Supply& each : trials.online()) by_node.emplace(each.node->id, &each);
    for (const scheduler::Place& place : suited_places(platform, task.spec, task.organisation_id)) {
        const Capacity& free = by_node.at(place.node)->free;
        const ResourceRequest& asks = place.request;
        const bool cpus = free.cpu_milli >= asks.cpu_milli;
        const bool memory = free.memory_mib >= asks.memory_mib;
        const std::int64_t devices =
            asks.accelerator ? scheduler::devices_milli(free, *asks.accelerator) : 0;
        const bool enough = !asks.accelerator || devices >= asks.accelerator->count_milli;
        if (memory && enough) ground.cpu_milli = std::max(ground.cpu_milli, free.cpu_milli);
        if (cpus && enough) ground.memory_mib = std::max(ground.memory_mib, free.memory_mib);
        if (!asks.accelerator || !cpus || !memory) continue;
        std::int64_t& most = ground.devices_milli[asks.accelerator->model];
        most = std::max(most, devices);
    }
    std::map<std::string, std::int64_t> free;
    for (const Supply& each : trials.online())
        for (const auto& [model, milli] : each.free.accelerator_milli) free[model] += milli;
    for (const auto& [model, milli] : free) ground.models.push_back(model);
    std::ranges::sort(ground.models, [&](const std::string& a, const std::string& b) {
        return std::tie(free.at(b), a) < std::tie(free.at(a), b);
    });
    return ground;
}

// What engine and queue are asked when others may have to leave for it.
DecisionQuestion reclaim_question(
    const Platform& platform, const TaskSpec& spec, OrganisationId organisation
) {
    DecisionQuestion question{
        .spec = dispatch::without_what_is_not_read(spec),
        .spec_sha256 = "",
        .avoid = {},
        .runs = dispatch::runs_of(profile_of(platform, spec, organisation)),
        .budget_left = {},
        .now = platform.now()
    };
    if (spec.budget) question.budget_left = spec.budget->max_total;
    if (question.runs.staging_bytes > 0) question.runs.staging_source = staging_source_of(platform);
    return question;
}

// What a tenant may still take bounds what is worth asking for.
void keep_within_quota(
    scheduler::ChangeGround& ground, const scheduler::TenantLimit& limit, std::int64_t nodes
) {
    const std::int64_t left = (limit.hit.limit - limit.hit.used) / nodes;
    if (limit.hit.resource == "cpus") ground.cpu_milli = std::min(ground.cpu_milli, left);
    if (limit.hit.resource == "memory_gib") ground.memory_mib = std::min(ground.memory_mib, left);
    constexpr std::string_view kDevices = "devices.";
    if (!limit.hit.resource.starts_with(kDevices)) return;
    const std::string model = limit.hit.resource.substr(kDevices.size());
    for (auto& [each, milli] : ground.devices_milli)
        if (model == kAnyDevice || model == each) milli = std::min(milli, left);
}

StartingChange told(
    const std::vector<const SpecChange*>& changes, const std::string& site, const std::string& node,
    bool notice = false
) {
    const SpecChange& first = *changes.front();
    StartingChange change{
        .field = first.field, .from = first.from, .to = first.to, .site = site, .node = node
    };
    std::vector<scheduler::Text> words;
    for (const SpecChange* each : changes) {
        words.push_back(each->words);
        change.size += each->size;
        if (each == &first) continue;
        if (!change.also) change.also.emplace();
        change.also->push_back({each->field, each->from, each->to});
    }
    scheduler::Text text = scheduler::starting_text(words, site + "/" + node, notice);
    change.text = std::move(text.en);
    change.text_zh = std::move(text.zh);
    if (notice) change.by_notice = true;
    return change;
}

// The least change of the same kind, over all places that the plan found.
std::optional<SpecChange> least_of(
    const SpecChange& change, const Plan& plan, const Platform& platform
) {
    std::optional<SpecChange> least;
    if (!change.least) return least;
    for (const Candidate& candidate : plan.candidates) {
        if (candidate.filter != FilterReason::none) continue;
        const Site& site = *platform.fleet.find_site(candidate.site_id);
        auto smaller = change.least({candidate, site, platform.now()});
        if (smaller && (!least || smaller->size < least->size)) least = std::move(smaller);
    }
    return least;
}

using ChangeSet = std::vector<const SpecChange*>;

class StartingChanges {
  public:
    StartingChanges(Platform& platform, const Task& task, Trials& trials)
        : platform_(platform), task_(task), trials_(trials) {}

    std::vector<StartingChange> find(const std::vector<SpecChange>& changes, const Plan& now) {
        try_singles(changes);
        raise_quota();
        have_others_leave();
        if (found_.empty()) try_pairs(changes, now);
        std::ranges::sort(found_, {}, [](const StartingChange& change) {
            return std::tuple(
                change.by_notice.value_or(false), change.size, change.field, change.to
            );
        });
        if (found_.size() > kStartingChangesMax) found_.resize(kStartingChangesMax);
        return std::move(found_);
    }

  private:
    TaskSpec with(const ChangeSet& changes) const {
        TaskSpec spec = task_.spec;
        for (const SpecChange* change : changes) change->apply(spec);
        return spec;
    }

    void add(const ChangeSet& changes, const Plan& plan) {
        const Candidate& chosen = plan.candidates.front();
        found_.push_back(told(changes, chosen.site, chosen.node));
    }

    // Whether it would start with them; told with the least of each that still does.
    bool tell_if_it_starts(const ChangeSet& changes) {
        const Plan plan = trials_.plan(with(changes));
        if (!plan.feasible) return false;
        std::vector<SpecChange> smaller;
        for (const SpecChange* change : changes)
            smaller.push_back(least_of(*change, plan, platform_).value_or(*change));
        ChangeSet least;
        for (const SpecChange& change : smaller) least.push_back(&change);
        const bool differs = !std::ranges::equal(
            smaller, changes, [](const auto& a, const auto* b) { return a.to == b->to; }
        );
        if (differs && trials_.goes_on()) {
            const Plan again = trials_.plan(with(least));
            if (again.feasible) {
                add(least, again);
                return true;
            }
        }
        add(changes, plan);
        return true;
    }

    void try_singles(const std::vector<SpecChange>& changes) {
        std::string told_field;
        for (const SpecChange& change : changes) {
            if (change.field == told_field && !change.other_answer) continue;
            if (!trials_.goes_on()) return;
            if (tell_if_it_starts({&change})) told_field = change.field;
        }
    }

    // To what each limit in its way would have to be raised.
    void raise_quota() {
        scheduler::FairQueue queue = fair_queue(platform_);
        const scheduler::Tenant tenant = tenant_of(task_);
        const scheduler::Amounts asked = scheduler::amounts_of(counted_request(task_.spec));
        const Organisation& organisation =
            *platform_.directory.find_organisation(tenant.organisation);
        const Project& project = *platform_.directory.find_project(tenant.project);
        ComputeQuota of_all, of_project;
        if (organisation.quota) of_all = *organisation.quota;
        if (project.quota) of_project = *project.quota;
        std::vector<SpecChange> raised;
        while (const auto limit = queue.blocked(tenant, asked)) {
            const bool whole = limit->level == scheduler::TenantLevel::organisation;
            ComputeQuota& quota = whole ? of_all : of_project;
            const std::int64_t to = scheduler::raise_limit(quota, limit->hit);
            raised.push_back(scheduler::quota_change(quota_block(platform_, task_, *limit), to));
            if (whole)
                queue.set_quota(tenant.organisation, quota);
            else
                queue.set_quota(tenant, quota);
        }
        if (raised.empty() || !trials_.goes_on()) return;
        const Plan plan = trials_.plan_beside_quota(task_.spec);
        if (!plan.feasible) return;
        ChangeSet changes;
        for (const SpecChange& change : raised) changes.push_back(&change);
        add(changes, plan);
    }

    // With a higher priority, or as no spot work, it may have a claim on work that runs.
    void have_others_leave() {
        if (task_.state != TaskState::pending && task_.state != TaskState::recovering) return;
        if (trials_.limit(task_.spec) || place_to_clear(task_.spec)) return;
        if (is_spot(task_.spec)) tell_who_would_leave(scheduler::not_as_spot());
        std::set<std::int64_t> higher;
        for (const Attempt* attempt : platform_.board.active_attempts()) {
            const Task& other = *platform_.board.find(attempt->task_id);
            if (other.project_id == task_.project_id && is_preemptible(other.spec) &&
                other.spec.priority >= task_.spec.priority && other.spec.priority < kPriorityMax)
                higher.insert(other.spec.priority + 1);
        }
        std::size_t tried = 0;
        for (const std::int64_t priority : higher) {
            if (tried++ == kPrioritiesTriedMax) return trials_.note_cut();
            if (tell_who_would_leave(scheduler::priority_change(task_.spec.priority, priority)))
                return;
        }
    }

    bool tell_who_would_leave(const SpecChange& change) {
        if (!trials_.goes_on()) return false;
        const std::optional<NodeId> node = place_to_clear(with({&change}));
        if (!node) return false;
        const Node& where = *platform_.fleet.find_node(*node);
        found_.push_back(told({&change}, where.site, where.name, true));
        return true;
    }

    // The first node that others would be told to leave for it.
    std::optional<NodeId> place_to_clear(const TaskSpec& spec) {
        trials_.count_one();
        const tasks::Waiting waiting{task_.id, 0};
        QueueYard yard(
            platform_, {waiting},
            {.start = {},
             .ask =
                 [&](const tasks::Waiting&) {
                     return reclaim_question(platform_, spec, task_.organisation_id);
                 },
             .record = {}}
        );
        scheduler::QueueItem item = yard.item(work_of(task_.id, 0));
        item.priority = spec.priority;
        item.spot = is_spot(spec);
        const auto found = yard.reclaim(item, trials_.queue(), trials_.promises());
        if (!found || found->victims.empty()) return std::nullopt;
        return found->places.front().node;
    }

    // Of those that lift something that is in the way, the smallest together first.
    void try_pairs(const std::vector<SpecChange>& changes, const Plan& now) {
        std::vector<ChangeSet> pairs;
        for (std::size_t a = 0; a < changes.size(); ++a)
            for (std::size_t b = a + 1; b < changes.size(); ++b)
                if (changes[a].field != changes[b].field &&
                    (lifts_any(changes[a], now) || lifts_any(changes[b], now)))
                    pairs.push_back({&changes[a], &changes[b]});
        std::ranges::sort(pairs, {}, [](const ChangeSet& pair) {  // all lie in one vector
            return std::tuple(pair[0]->size + pair[1]->size, pair[0], pair[1]);
        });
        for (std::size_t tried = 0; tried < pairs.size(); ++tried) {
            if (found_.size() == kStartingPairsTold) return;
            if (tried == kStartingPairsMax) return trials_.note_cut();
            if (!trials_.goes_on()) return;
            tell_if_it_starts(pairs[tried]);
        }
    }

    static bool lifts_any(const SpecChange& change, const Plan& now) {
        return std::ranges::any_of(now.candidates, [&](const Candidate& candidate) {
            return std::ranges::count(change.lifts, candidate.filter) > 0;
        });
    }

    Platform& platform_;
    const Task& task_;
    Trials& trials_;
    std::vector<StartingChange> found_;
};

}  // namespace

void explain_changes(
    Platform& platform, const Task& task, const scheduler::Reservations& promises,
    Explanation& explanation
) {
    if (!could_be_changed(task)) return;
    Trials trials(platform, task, promises);
    explanation.changes.emplace();
    const bool starts = trials.plan(task.spec).feasible;
    const std::int64_t unchanged = trials.made();
    if (!starts) {  // else it waits for something else, or starts in a moment
        scheduler::ChangeGround ground = ground_of(platform, task, trials, explanation.plan);
        if (const auto limit = trials.limit(task.spec))
            keep_within_quota(ground, *limit, task.spec.num_nodes);
        explanation.changes = StartingChanges(platform, task, trials)
                                  .find(scheduler::changes_of(task.spec, ground), explanation.plan);
    }
    explanation.changes_tried = trials.made() - unchanged;
    if (trials.cut()) explanation.changes_cut = true;
}

}  // namespace penstock::server
