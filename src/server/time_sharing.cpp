// SPDX-License-Identifier: Apache-2.0
#include "server/time_sharing.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/time_shared.h"
#include "scheduler/queue_text.h"
#include "server/queue_yard.h"
#include "tasks/state.h"

namespace penstock::server {
namespace {

// Whole seconds: "12m30s".
std::string span_text(Duration span) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(span).count();
    constexpr std::int64_t kMinute = 60;
    if (seconds < kMinute) return fmt::format("{}s", seconds);
    if (seconds < kMinute * kMinute)
        return fmt::format("{}m{}s", seconds / kMinute, seconds % kMinute);
    return fmt::format("{}h{}m", seconds / (kMinute * kMinute), seconds / kMinute % kMinute);
}

std::string time_text(Time time) {
    return to_rfc3339(std::chrono::floor<std::chrono::seconds>(time));
}

std::string pool_text(const Platform& platform, const PoolKey& pool) {
    const Site* site = platform.fleet.find_site(pool.site);
    return pool.model + " @ " + (site == nullptr ? to_string(pool.site) : site->spec.name);
}

std::set<PoolKey> pools_of_attempts(const Platform& platform, TaskId task) {
    std::set<PoolKey> pools;
    for (const Attempt* attempt : platform.board.attempts_of(task))
        if (tasks::is_active(attempt->state) && attempt->request.accelerator)
            pools.insert({attempt->placement.site_id, attempt->request.accelerator->model});
    return pools;
}

// Free, or held by time-shared tasks, of the models that the spec asks for.
std::map<PoolKey, std::int64_t> shared_devices(const Platform& platform, const TaskSpec& spec) {
    std::map<PoolKey, std::int64_t> devices;
    for (const Node* node : platform.fleet.nodes())
        for (const Accelerator& choice : spec.resources.accelerators->choices) {
            const dispatch::Host* host = platform.engine.find(node->id);
            if (node->state != NodeState::online || node->cordoned || host == nullptr ||
                host->positions(choice.model).empty())
                continue;
            devices[{node->site_id, choice.model}] +=
                host->usable_milli({.model = choice.model}, false) / fleet::kWholeDeviceMilli;
        }
    for (const Attempt* attempt : platform.board.active_attempts()) {
        if (!is_time_shared(platform.board.find(attempt->task_id)->spec)) continue;
        const auto pool =
            devices.find({attempt->placement.site_id, attempt->request.accelerator->model});
        if (pool != devices.end())
            pool->second += dispatch::device_count(*attempt->request.accelerator);
    }
    return devices;
}

}  // namespace

Result<void> check_time_sharing(const TimeSharingOptions& options) {
    if (options.round < kTimeSharingRoundMin || options.round > kTimeSharingRoundMax)
        return fail_field(
            ErrorCode::invalid_argument, "time-sharing-round",
            "must be from 1s to 24h: jobs stop and start again at the end of each"
        );
    return timeshare::check_live_policy(options.policy);
}

TimeSharingOwner::TimeSharingOwner(Platform& platform)
    : platform_(platform),
      rounds_(platform.metrics().counter(
          "penstock_time_sharing_rounds_total", "Rounds of time sharing that were planned."
      )),
      notices_(platform.metrics().counter(
          "penstock_time_sharing_notices_total",
          "Time-shared tasks that were told at the end of a round to leave."
      )) {}

Duration TimeSharingOwner::at_most() const {
    return end_of_round(platform_) - platform_.now() + kRoundEndMax;
}

bool TimeSharingOwner::holds_back(const Task& task) const {
    return is_time_shared(task.spec) && !homeless_.contains(task.id);
}

const Turn* TimeSharingOwner::turn_of(TaskId task) const {
    const auto found = turns_.find(task);
    return found == turns_.end() ? nullptr : &found->second;
}

TaskSpec TimeSharingOwner::narrowed(const Task& task) const {
    TaskSpec spec = task.spec;
    const Turn* turn = turn_of(task.id);
    if (turn == nullptr) return spec;
    spec.resources.accelerators->choices = {*turn->request.accelerator};
    if (!spec.placement) spec.placement.emplace();
    if (!spec.placement->constraints) spec.placement->constraints.emplace();
    spec.placement->constraints->sites = {platform_.fleet.find_site(turn->pool.site)->spec.name};
    return spec;
}

std::vector<NodeId> TimeSharingOwner::kept_from(TaskId task) const {
    std::vector<NodeId> nodes;
    const Turn* own = turn_of(task);
    for (const auto& [id, turn] : turns_)
        if (id != task && own != nullptr && turn.node != own->node) nodes.push_back(turn.node);
    return nodes;
}

std::vector<TaskId> TimeSharingOwner::to_start() const {
    std::vector<TaskId> ready;
    for (const auto& [id, turn] : turns_) {
        if (tasks::is_active(platform_.board.find(id)->state)) continue;  // it has yet to leave
        const Node* node = platform_.fleet.find_node(turn.node);
        const dispatch::Host* host = platform_.engine.find(turn.node);
        if (node == nullptr || host == nullptr) continue;
        const bool room = fleet::fits(turn.request, platform_.fleet.free_of(*node)) &&
                          host->usable_milli(*turn.request.accelerator, turn.request.linked) >=
                              turn.request.accelerator->count_milli;
        if (room) ready.push_back(id);
    }
    // Large ones first: small ones find room beside them.
    std::ranges::sort(ready, {}, [&](TaskId id) {
        return std::pair(-turns_.at(id).request.accelerator->count_milli, id);
    });
    return ready;
}

void TimeSharingOwner::forgo(TaskId task) {
    turns_.erase(task);
    forgone_.insert(task);
}

// ---- planning

std::vector<const Task*> TimeSharingOwner::waiting(bool with_turns) const {
    std::vector<const Task*> all;
    for (const tasks::Waiting& each : platform_.board.waiting(platform_.now())) {
        const Task* task = platform_.board.find(each.task_id);
        if (!is_time_shared(task->spec) || forgone_.contains(task->id)) continue;
        if (with_turns || !turns_.contains(task->id)) all.push_back(task);
    }
    std::ranges::sort(all, {}, &Task::id);
    return all;
}

bool TimeSharingOwner::plan(const scheduler::Reservations& promises) {
    const std::int64_t now = round_at(platform_);
    const bool whole = round_ && *round_ != now;
    round_ = now;
    if (whole) {
        turns_.clear();
        forgone_.clear();
    }
    std::vector<TaskId> who;
    for (const Task* task : waiting(false)) who.push_back(task->id);
    std::erase_if(turns_, [&](const auto& each) { return is_over(each.first); });
    auto looked_at = std::pair(platform_.engine.position(), std::move(who));
    const bool news = looked_at != looked_at_ && platform_.now() >= last_plan_ + kFillEvery;
    if (!whole && (!news || looked_at.second.empty())) return false;
    looked_at_ = std::move(looked_at);
    last_plan_ = platform_.now();
    return begin(promises, whole);
}

// The task has ended, or runs otherwise; one that moves has its turn while it leaves.
bool TimeSharingOwner::is_over(TaskId id) const {
    const Task& task = *platform_.board.find(id);
    if (is_terminal(task.state) || task.state == TaskState::canceling) return true;
    return std::ranges::any_of(platform_.board.attempts_of(id), [](const Attempt* attempt) {
        return tasks::is_active(attempt->state) && !attempt->notice;
    });
}

RoundScope TimeSharingOwner::scope_of(bool whole, const scheduler::Reservations& promises) {
    RoundScope scope{
        .waiting = waiting(whole),
        .movable = {},
        .leaving = {},
        .open = {},
        .promises = promises,
        .end = end_of_round(platform_)
    };
    for (const auto& [id, turn] : turns_) scope.open.push_back({platform_.board.find(id), turn});
    if (!whole) return scope;
    const Duration least = platform_.options().time_sharing.round / kRoundPartToMove;
    for (const Attempt* attempt : platform_.board.active_attempts()) {
        const Task& task = *platform_.board.find(attempt->task_id);
        if (!is_time_shared(task.spec) || !attempt->request.accelerator) continue;
        if (attempt->notice) {
            if (attempt->notice->reason == TaskReason::time_shared)
                scope.leaving.push_back(attempt);
            continue;
        }
        const bool settled = attempt->state == TaskState::running && attempt->running_at &&
                             platform_.now() - *attempt->running_at >= least;
        if (settled && task.state != TaskState::canceling) scope.movable.push_back(attempt);
    }
    return scope;
}

bool TimeSharingOwner::begin(const scheduler::Reservations& promises, bool whole) {
    const RoundScope scope = scope_of(whole, promises);
    if (scope.waiting.empty() && scope.movable.empty()) return false;
    const SharedRound round = shared_round(platform_, scope);
    SharedQuotas quotas(platform_, scope, round);
    const Result<timeshare::RoundPlan> plan = timeshare::plan_round(round.question, quotas);
    homeless_ = {round.homeless.begin(), round.homeless.end()};
    counted_since_ = round.counted_since;
    if (!plan) {
        platform_.log().error(
            "a round of time sharing could not be planned", {{"cause", to_string(plan.error())}}
        );
        return false;
    }
    if (whole) rounds_.add();
    if (plan->rates_unmet)
        platform_.log().warning(
            "the least rates that time-shared tasks ask for cannot all be met: this round is "
            "planned without them",
            {{"tasks", std::to_string(round.applicants.size())}}
        );
    give_turns(round, *plan);
    const bool told = give_notice(round, *plan);
    say_all(round, *plan, quotas);
    return told;
}

void TimeSharingOwner::give_turns(const SharedRound& round, const timeshare::RoundPlan& plan) {
    for (std::size_t i = 0; i < plan.rooms.size(); ++i)
        if (plan.rooms[i] && plan.rooms[i] != round.question.applicants[i].at)
            turns_[round.applicants[i].task->id] = round.turn_in(i, *plan.rooms[i]);
}

bool TimeSharingOwner::give_notice(const SharedRound& round, const timeshare::RoundPlan& plan) {
    Change change;
    for (std::size_t i = 0; i < plan.rooms.size(); ++i) {
        const SharedApplicant& who = round.applicants[i];
        if (who.attempt == nullptr || plan.rooms[i] == round.question.applicants[i].at) continue;
        TaskId next = who.task->id;
        for (std::size_t other = 0; other < plan.rooms.size(); ++other)
            if (plan.rooms[other] == round.question.applicants[i].at &&
                round.applicants[other].attempt == nullptr)
                next = round.applicants[other].task->id;
        platform_.board.end_round(who.attempt->id, next, platform_.now(), change.tasks);
        notices_.add();
    }
    if (change.empty()) return false;
    platform_.commit(std::move(change));
    return true;
}

// ---- words

std::string TimeSharingOwner::received_text(const Task& task, const char* of, const char* none)
    const {
    std::string text;
    for (const auto& [pool, time] : received_by(platform_, task.id, Time{}))
        text += (text.empty() ? "" : ", ") +
                fmt::format(fmt::runtime(of), span_text(time), pool_text(platform_, pool));
    return text.empty() ? none : text;
}

void TimeSharingOwner::say_all(
    const SharedRound& round, const timeshare::RoundPlan& plan, const SharedQuotas& quotas
) {
    Change change;
    for (std::size_t i = 0; i < plan.rooms.size(); ++i) {
        const Task& task = *round.applicants[i].task;
        if (round.applicants[i].attempt != nullptr || plan.rooms[i]) continue;
        const auto limit = plan.limited[i] ? quotas.limit_of(i) : std::nullopt;
        const TaskReason reason =
            limit ? TaskReason::waiting_for_quota : TaskReason::waiting_for_round;
        tasks::Wording words = tasks::describe(reason);
        const std::string& policy = platform_.options().time_sharing.policy;
        words.en += fmt::format(
            ": {} gave this round to others; it has run for {} so far; the next round begins at {}",
            policy, received_text(task, "{} on {}", "no time"), time_text(end_of_round(platform_))
        );
        words.zh += fmt::format(
            "：本轮按 {} 分给其他任务；目前已运行 {}；下一轮于 {} 开始", policy,
            received_text(task, "{}（{}）", "0s"), time_text(end_of_round(platform_))
        );
        if (plan.rates_unmet && task.spec.schedule->time_shared->rate_min) {
            words.en += "; not all tasks can have the rate_min that they ask for";
            words.zh += "；无法同时满足所有任务的 rate_min";
        }
        platform_.board.set_waiting(
            task.id, reason, words.en, words.zh, platform_.now(), change.tasks
        );
    }
    if (!change.empty()) platform_.commit(std::move(change));
}

void TimeSharingOwner::say_turn(const Task& task) {
    const Turn* turn = turn_of(task.id);
    if (turn == nullptr) return;
    tasks::Wording words = tasks::describe(TaskReason::waiting_for_round);
    words.en += ": its turn has come on " + pool_text(platform_, turn->pool) +
                ", until others have left there";
    words.zh += "：已轮到使用 " + pool_text(platform_, turn->pool) + "，等待其他任务让出";
    Change change;
    platform_.board.set_waiting(
        task.id, TaskReason::waiting_for_round, words.en, words.zh, platform_.now(), change.tasks
    );
    if (!change.empty()) platform_.commit(std::move(change));
}

TimeSharing TimeSharingOwner::view(const Task& task) const {
    const SharedRates rates = shared_rates(platform_, task);
    const auto received = received_by(platform_, task.id, counted_since_.value_or(Time{}));
    TimeSharing view{
        .policy = platform_.options().time_sharing.policy,
        .round = platform_.options().time_sharing.round,
        .next_round = end_of_round(platform_),
        .counted_since = counted_since_,
        .rates_from = rates.from,
        .pools = {}
    };
    std::set<PoolKey> here = pools_of_attempts(platform_, task.id);
    if (const Turn* turn = turn_of(task.id)) here.insert(turn->pool);
    for (const auto& [pool, devices] : shared_devices(platform_, task.spec)) {
        const auto rate = rates.stated.find(pool.model);
        const auto got = received.find(pool);
        view.pools.push_back(
            {.site = platform_.fleet.find_site(pool.site)->spec.name,
             .model = pool.model,
             .devices = devices,
             .rate = rate == rates.stated.end() ? std::nullopt : std::optional(rate->second),
             .received = got == received.end() ? Duration{} : got->second,
             .granted = here.contains(pool)}
        );
    }
    return view;
}

}  // namespace penstock::server
