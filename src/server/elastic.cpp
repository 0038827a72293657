// SPDX-License-Identifier: Apache-2.0
#include "server/elastic.h"

#include <algorithm>

#include "http/problem.h"
#include "model/replica_policy.h"
#include "scheduler/next_callers.h"
#include "server/services.h"

namespace penstock::server {
namespace {

bool follows_load(const Task& task) {
    return task.spec.service && is_elastic(*task.spec.service) && !is_terminal(task.state) &&
           task.state != TaskState::canceling;
}

// Not those whom money, a quota, an hour or another task keeps from starting.
bool waits_for_nodes(TaskReason reason) {
    return reason == TaskReason::none || reason == TaskReason::waiting_for_capacity ||
           reason == TaskReason::waiting_for_reservation || reason == TaskReason::preempted ||
           reason == TaskReason::waiting_for_round;
}

io::Task<http::Response> take_report(ElasticServices* elastic, http::Request request) {
    const auto report = body_as<ReportLoads>(request);
    if (!report) co_return http::problem_response(report.error().errors, request);
    const Result<TakenLoads> taken = elastic->report(*report);
    if (!taken) co_return http::problem_response(taken.error(), request);
    co_return http::Response::json(200, json::print(*taken));
}

}  // namespace

ElasticServices::ElasticServices(Platform& platform)
    : platform_(platform), wake_(platform.runtime().executor()) {
    platform_.callers_of = [this](TaskId id) { return next_callers(id); };
}

void ElasticServices::add_routes(Api& api) {
    api.raw(
        "POST", "/v1/gateway/loads",
        {.operation = "reportLoads",
         .summary = "Load of elastic services at a gateway; repeating a report changes nothing",
         .scope = Scope::gateway,
         .request = json::schema<ReportLoads>,
         .response = json::schema<TakenLoads>},
        [this](access::Principal, http::Request request) {
            return take_report(this, std::move(request));
        }
    );
}

io::Task<void> ElasticServices::run() {
    while (!platform_.stopping()) {
        tick();
        co_await wake_.wait(io::Deadline::after(kScaleEvery));
    }
}

void ElasticServices::tick() {
    Change change;
    std::set<TaskId> open;
    const std::vector<const Task*> services = platform_.board.list(follows_load);
    // Nodes are idle only where nobody waits for one.
    std::set<TaskId> waiting;
    for (const tasks::Waiting& one : platform_.board.waiting(platform_.now()))
        if (waits_for_nodes(platform_.board.find(one.task_id)->reason)) waiting.insert(one.task_id);
    platform_.lent.clear();
    for (const Task* task : services) {
        open.insert(task->id);
        follow(change, *task, waiting.size() > (waiting.contains(task->id) ? 1U : 0U));
        name_lent(*task);
    }
    if (open != open_) platform_.touch_routes(change);
    open_ = std::move(open);
    scaler_.keep_only(open_);
    std::map<EndpointId, std::int64_t> before;
    before.swap(withdrawn_);
    platform_.board.stop_leaving(
        platform_.now(), [&](const Attempt& attempt) { return is_drained(attempt, before); },
        change.tasks
    );
    if (!change.empty()) platform_.commit(std::move(change));
}

tasks::LinesAsk ElasticServices::lines_ask(const Task& task, bool others_wait) const {
    tasks::LinesAsk ask;
    if (!platform_.replicas_for_lines) return ask;
    ask.replicas = platform_.replicas_for_lines(task);
    if (ask.replicas == 0) return ask;
    const auto waiting = platform_.board.waiting(platform_.now());
    ask.without_place = std::ranges::count(waiting, task.id, &tasks::Waiting::task_id);
    const bool wants_more = ask.replicas > platform_.board.replicas(task.id);
    ask.may_grow = wants_more && !others_wait && ask.without_place == 0 && platform_.has_room_for &&
                   platform_.has_room_for(task);
    return ask;
}

void ElasticServices::name_lent(const Task& task) {
    std::vector<const Attempt*> running;
    for (const Attempt* attempt : platform_.board.attempts_of(task.id))
        if (!is_terminal(attempt->state) && !platform_.board.is_leaving(*attempt))
            running.push_back(attempt);
    // The newest leave first.
    std::ranges::sort(running, std::greater(), [](const Attempt* one) {
        return std::pair(one->created_at, one->id);
    });
    const auto lent =
        std::min<std::size_t>(running.size(), static_cast<std::size_t>(scaler_.lent(task.id)));
    for (std::size_t at = 0; at < lent; ++at) platform_.lent.insert(running[at]->id);
}

void ElasticServices::follow(Change& change, const Task& task, bool others_wait) {
    if (!task.service) refresh_service(platform_, change, task.id);
    const std::optional<tasks::ReplicaChange> wanted = scaler_.tick(
        task.id, *task.spec.service, platform_.board.replicas(task.id), platform_.now(),
        lines_ask(task, others_wait)
    );
    if (!wanted) return;
    platform_.board.set_replicas(task.id, *wanted, platform_.now(), change.tasks);
    refresh_service(platform_, change, task.id);
}

bool ElasticServices::is_drained(
    const Attempt& attempt, const std::map<EndpointId, std::int64_t>& before
) {
    const auto found = std::ranges::find_if(platform_.endpoints, [&](const auto& row) {
        return row.second.endpoint.attempt_id == attempt.id;
    });
    if (found == platform_.endpoints.end()) return true;  // it never had a call
    const auto known = before.find(found->first);
    const std::int64_t version =
        known == before.end() ? platform_.last_route_version() : known->second;
    withdrawn_[found->first] = version;
    return scaler_.loads.is_drained(found->first, version, platform_.now());
}

std::vector<CallerShare> ElasticServices::next_callers(TaskId id) const {
    std::vector<const SiteSpec*> replicas;
    for (const Attempt* attempt : platform_.board.attempts_of(id)) {
        if (is_terminal(attempt->state) || platform_.board.is_leaving(*attempt)) continue;
        if (const Site* site = platform_.fleet.find_site(attempt->placement.site_id))
            replicas.push_back(&site->spec);
    }
    return scheduler::next_callers(scaler_.loads.callers(id, platform_.now()), replicas);
}

Result<TakenLoads> ElasticServices::report(const ReportLoads& report) {
    TRY(scaler_.loads.report(report, platform_.now()));
    for (const ServiceUse& use : report.services)
        if (use.calls_in_flight > 0 && open_.contains(use.task_id) &&
            platform_.board.replicas(use.task_id) == 0)
            wake_.notify_all();
    return TakenLoads{.report_every = tasks::LoadBook::kReportEvery};
}

std::vector<ElasticRoute> elastic_routes(const Platform& platform) {
    std::vector<ElasticRoute> routes;
    for (const Task* task : platform.board.list(follows_load)) {
        const ReplicaPolicy& policy = *task->spec.service->replica_policy;
        routes.push_back(
            {.task_id = task->id,
             .model = task->spec.service->model.value_or(""),
             .owner = platform.directory.find_organisation(task->organisation_id)->name,
             .hold_first_call = policy.hold_first_call,
             .cold_start = policy.cold_start,
             .created_at = task->created_at}
        );
    }
    return routes;
}

}  // namespace penstock::server
