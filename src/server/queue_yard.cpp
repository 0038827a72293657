// SPDX-License-Identifier: Apache-2.0
#include "server/queue_yard.h"

#include <algorithm>
#include <ranges>

#include "model/time_shared.h"
#include "scheduler/gang.h"
#include "scheduler/queue_text.h"
#include "server/profiles.h"
#include "server/shared_round.h"
#include "tasks/state.h"

namespace penstock::server {
namespace {

using scheduler::Held;
using scheduler::Place;
using scheduler::QueueItem;
using scheduler::Started;
using scheduler::WorkId;

struct QuotaOwner {
    std::string name;
    std::string set_by;
};
QuotaOwner owner_of(
    const Platform& platform, const Task& task, const scheduler::TenantLimit& limit
) {
    if (limit.level == scheduler::TenantLevel::organisation) {
        const Organisation* found = platform.directory.find_organisation(task.organisation_id);
        return {found->name, found->quota ? found->quota->set_by : ""};
    }
    const Project* found = platform.directory.find_project(task.project_id);
    return {found->name, found->quota ? found->quota->set_by : ""};
}

}  // namespace

ResourceRequest counted_request(const TaskSpec& spec) {
    ResourceRequest request = scheduler::request_of(spec);
    request.cpu_milli *= spec.num_nodes;
    request.memory_mib *= spec.num_nodes;
    if (request.accelerator) request.accelerator->count_milli *= spec.num_nodes;
    return request;
}

WorkId work_of(TaskId task, std::int64_t item) {
    constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;  // spreads the items of a task
    const WorkId work = task.raw().low ^ (static_cast<std::uint64_t>(item) * kOdd);
    return work == 0 ? kOdd : work;
}

scheduler::FairQueue fair_queue(const Platform& platform) {
    scheduler::FairQueue queue(scheduler::amounts_of(platform.engine.total()));
    for (const Organisation* organisation : platform.directory.organisations()) {
        if (organisation->quota) queue.set_quota(organisation->id, *organisation->quota);
        for (const Project* project : platform.directory.projects_of(organisation->id))
            if (project->quota) queue.set_quota({organisation->id, project->id}, *project->quota);
    }
    for (const auto& [attempt, task, item] : platform.board.running())
        if (!attempt->notice)
            queue.charge(tenant_of(*task), scheduler::amounts_of(attempt->request));
    return queue;
}

QueueYard::QueueYard(Platform& platform, const std::vector<tasks::Waiting>& waiting, Hooks hooks)
    : platform_(platform), hooks_(std::move(hooks)) {
    for (const tasks::Waiting& each : waiting) {
        const Task& task = *platform.board.find(each.task_id);
        QueueItem item{
            .work = work_of(each.task_id, each.item),
            .group = each.task_id.raw().low,
            .tenant = tenant_of(task),
            .priority = task.spec.priority,
            .spot = is_spot(task.spec),
            .request = counted_request(task.spec)
        };
        item.at_most = times_of(task, scheduler::request_of(task.spec).accelerator).at_most();
        item.nodes = task.spec.num_nodes;
        waiting_[item.work] = each;
        items_.push_back(std::move(item));
    }
}

const QueueItem& QueueYard::item(WorkId work) const {
    return *std::ranges::find(items_, work, &QueueItem::work);
}

void QueueYard::restore(scheduler::Reservations& promises) const {
    std::map<WorkId, scheduler::Reservation> found;
    for (const Attempt* attempt : platform_.board.active_attempts()) {
        if (!attempt->notice || attempt->notice->reason) continue;  // a round is no promise
        const WorkId work = work_of(attempt->notice->for_task, attempt->notice->for_item);
        if (!waiting_.contains(work) || promises.find(work) != nullptr) continue;
        const auto item = std::ranges::find(items_, work, &QueueItem::work);
        scheduler::Reservation& promise = found[work];
        promise.work = work;
        promise.organisation = item->tenant.organisation;
        promise.made_at = attempt->notice->at;
        promise.start = std::max(promise.start, std::optional(attempt->notice->stop_by));
        promise.span = item->at_most;
        const Task& task = *platform_.board.find(attempt->notice->for_task);
        const Place place{attempt->placement.node_id, scheduler::request_of(task.spec)};
        if (std::ranges::find(promise.places, place) == promise.places.end())
            promise.places.push_back(place);
    }
    for (auto& [work, promise] : found) promises.promise(std::move(promise));
}

void QueueYard::explain(WorkId work, std::string en, std::string zh) {
    said_[work] = {std::move(en), std::move(zh)};
}

Capacity QueueYard::total(NodeId node) const {
    const Node* found = platform_.fleet.find_node(node);
    return found == nullptr ? Capacity{} : found->total;
}

const std::vector<const Attempt*>& QueueYard::attempts_on(NodeId node) const {
    if (on_node_at_ != starts_) {
        on_node_.clear();
        for (const Attempt* attempt : platform_.board.active_attempts())
            on_node_[attempt->placement.node_id].push_back(attempt);
        on_node_at_ = starts_;
    }
    return on_node_[node];
}

std::vector<Held> QueueYard::held(NodeId node) const {
    std::vector<Held> all;
    const Time now = platform_.now();
    for (const Attempt* attempt : attempts_on(node)) {
        Held held{
            .request = attempt->request,
            .since = attempt->created_at,
            .ends = {},
            .leaves = attempt->notice.has_value()
        };
        // What it resumed from counts as time it has run.
        Duration elapsed = attempt->running_at ? now - *attempt->running_at : Duration{0};
        if (attempt->restored_from)
            elapsed += std::chrono::milliseconds(attempt->restored_from->running_ms);
        const Task& task = *platform_.board.find(attempt->task_id);
        if (attempt->notice)
            held.ends = attempt->notice->stop_by;
        else if (is_time_shared(task.spec))
            held.ends = end_of_round(platform_) + kRoundEndMax;
        else if (const auto left = times_of(task, attempt->request.accelerator).left(0.5, elapsed))
            held.ends = now + *left;
        all.push_back(std::move(held));
    }
    return all;
}

const scheduler::RunTimes& QueueYard::times_of(
    const Task& task, const std::optional<Accelerator>& accelerator
) const {
    const std::string model = accelerator ? to_string(*accelerator) : std::string();
    const auto [found, fresh] = times_.try_emplace({task.id, model});
    if (fresh)
        found->second = run_times_of(platform_, task.spec, task.organisation_id, accelerator);
    return found->second;
}

Started QueueYard::start(const QueueItem& item, const scheduler::Reservations&) {
    const Started started = hooks_.start(waiting_.at(item.work), item);
    if (started == Started::yes) {
        ++starts_;
        leavers_.reset();
    }
    return started;
}

// As a plan would find it were every node empty.
std::vector<Place> QueueYard::suited(const QueueItem& item) {
    const Task& task = *platform_.board.find(waiting_.at(item.work).task_id);
    return suited_places(platform_, task.spec, task.organisation_id);
}

std::optional<std::vector<Place>> QueueYard::together(
    const QueueItem& item, const std::vector<Place>& places
) {
    const TaskSpec& spec = platform_.board.find(waiting_.at(item.work).task_id)->spec;
    std::vector<scheduler::Seat> seats;
    for (std::size_t i = 0; i < places.size(); ++i) {
        const Node& node = *platform_.fleet.find_node(places[i].node);
        const Site& site = *platform_.fleet.find_site(node.site_id);
        seats.push_back(scheduler::seat_on(site, node, places[i].request));
        seats.back().candidate = i;
        seats.back().score = static_cast<std::int64_t>(i);
    }
    const auto choice = scheduler::choose_gang(seats, scheduler::gang_rules(spec));
    if (!choice) return std::nullopt;
    std::vector<Place> chosen;
    for (const std::size_t member : choice->members) chosen.push_back(places[member]);
    return chosen;
}

std::optional<scheduler::Reclaim> QueueYard::reclaim(
    const QueueItem& item, const scheduler::FairQueue& queue,
    const scheduler::Reservations& promises
) {
    if (!leavers_) leavers_.emplace(platform_.board, platform_.lent);
    const TaskSpec& spec = platform_.board.find(waiting_.at(item.work).task_id)->spec;
    std::vector<LeavableWork> leavable = leavers_->of(
        queue, {item.tenant, item.priority, item.spot}, amounts_asked(spec), platform_.now()
    );
    if (leavable.empty()) return std::nullopt;
    DecisionQuestion question = hooks_.ask(waiting_.at(item.work));
    ReclaimQuestion& asked = question.reclaim.emplace();
    asked.organisation_id = item.tenant.organisation;
    asked.project_id = item.tenant.project;
    asked.spot = item.spot;
    asked.leavable = std::move(leavable);
    asked.tenants = queue.stands();
    for (const Place& place : promises.given_by_notice(item.work))
        asked.promised.push_back({place.node, place.request});
    DecisionAnswer answer = platform_.engine.decide(question);
    if (!answer.reclaim) return std::nullopt;
    scheduler::Reclaim found;
    for (const PromisedRoom& place : answer.reclaim->places)
        found.places.push_back({place.node_id, place.request});
    for (const ReclaimAnswer::Victim& victim : answer.reclaim->victims) {
        const Attempt& attempt = *platform_.board.find_attempt(victim.attempt_id);
        found.victims.push_back(
            {.tenant = tenant_of(*platform_.board.find(attempt.task_id)),
             .request = &attempt.request}
        );
        found.claims.push_back(victim.claim);
    }
    reclaims_[item.work] = {std::move(question), std::move(answer)};
    return found;
}

// The victims of the reclaim that was just found for the item.
void QueueYard::give_notice(const QueueItem& item, const scheduler::Reclaim&) {
    const tasks::Waiting& waiting = waiting_.at(item.work);
    Decided decided = std::move(reclaims_.extract(item.work).mapped());
    const std::vector<ReclaimAnswer::Victim> victims = decided.answer.reclaim->victims;
    Change change;
    hooks_.record(change, waiting, std::move(decided.question), std::move(decided.answer));
    for (const ReclaimAnswer::Victim& victim : victims)
        platform_.board.give_way(
            victim.attempt_id, waiting.task_id, waiting.item, platform_.now(), change.tasks
        );
    platform_.commit(std::move(change));
    ++starts_;
    if (leavers_)
        for (const ReclaimAnswer::Victim& victim : victims)
            leavers_->told_to_leave(victim.attempt_id);
}

std::string QueueYard::names_of(const std::vector<Place>& places) const {
    constexpr std::size_t kNamedMax = 3;
    std::string names;
    for (std::size_t i = 0; i < std::min(places.size(), kNamedMax); ++i) {
        const Node* node = platform_.fleet.find_node(places[i].node);
        names += (i == 0 ? "" : ", ") + (node == nullptr ? "" : node->site + "/" + node->name);
    }
    return places.size() > kNamedMax ? names + ", …" : names;
}

void QueueYard::wait(const QueueItem& item, const scheduler::WaitCause& cause) {
    const tasks::Waiting& waiting = waiting_.at(item.work);
    const Task& task = *platform_.board.find(waiting.task_id);
    const TaskReason reason = cause.limit  ? TaskReason::waiting_for_quota
                              : cause.kept ? TaskReason::waiting_for_reservation
                                           : TaskReason::waiting_for_capacity;
    tasks::Wording words = tasks::describe(reason);
    if (cause.limit) {
        const QuotaOwner owner = owner_of(platform_, task, *cause.limit);
        const scheduler::Text text =
            scheduler::quota_text({cause.limit->level, owner.name, owner.set_by, cause.limit->hit});
        words = {text.en, text.zh};
    } else if (const auto said = said_.find(item.work); said != said_.end()) {
        words.en += ": " + said->second.first;
        words.zh += "：" + said->second.second;
    }
    if (cause.promise != nullptr) {
        const scheduler::Text more =
            scheduler::promise_text(names_of(cause.promise->places), cause.promise->by_notice);
        words.en += more.en;
        words.zh += more.zh;
    }
    Change change;
    platform_.board.set_waiting(task.id, reason, words.en, words.zh, platform_.now(), change.tasks);
    if (!change.empty()) platform_.commit(std::move(change));
}

QuotaBlock quota_block(
    const Platform& platform, const Task& task, const scheduler::TenantLimit& limit
) {
    const QuotaOwner owner = owner_of(platform, task, limit);
    const scheduler::LimitHit& hit = limit.hit;
    return {
        .level = limit.level == scheduler::TenantLevel::organisation ? "organisation" : "project",
        .name = owner.name,
        .resource = hit.resource,
        .limit = scheduler::in_units(hit, hit.limit),
        .used = scheduler::in_units(hit, hit.used),
        .asked = scheduler::in_units(hit, hit.asked),
        .set_by = owner.set_by
    };
}

}  // namespace penstock::server
