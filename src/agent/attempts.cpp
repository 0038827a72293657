// SPDX-License-Identifier: Apache-2.0
#include "agent/attempts.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock::agent {
namespace {

bool is_active(const AttemptRecord& record) {
    return record.phase != AttemptPhase::ended && record.phase != AttemptPhase::released;
}

bool same_item(const AttemptRecord& record, const StartAttempt& start) {
    return record.start && record.start->task_id == start.task_id &&
           record.start->item == start.item;
}

}  // namespace

Attempts::Attempts(Context& context) : context_(context), tasks_(context.executor, "attempts") {}

AttemptRun& Attempts::add(AttemptRecord record) {
    const AttemptId id = record.attempt_id;
    auto run = std::make_unique<AttemptRun>(context_, std::move(record));
    AttemptRun& added = *run;
    runs_.insert_or_assign(id, std::move(run));
    return added;
}

void Attempts::launch(AttemptRun* run) {
    if (run->is_running()) return;
    run->mark_running();
    tasks_.spawn(follow(run));
}

io::Task<void> Attempts::follow(AttemptRun* run) {
    co_await run->run();
    prune();
}

void Attempts::adopt(
    std::vector<AttemptRecord> records, const std::vector<drivers::Status>& found
) {
    for (AttemptRecord& record : records) {
        AttemptRun& run = add(std::move(record));
        if (next_step(run.record()) != Step::nothing || !run.record().reports.empty()) launch(&run);
    }
    for (const drivers::Status& status : found) {
        const Result<AttemptId> id = AttemptId::parse(status.attempt_id);
        if (id && runs_.contains(*id)) continue;
        context_.log.warning("a run without a record is removed", {{"attempt", status.attempt_id}});
        drivers::Driver& driver = context_.driver;
        const std::string attempt = status.attempt_id;
        if (!context_.stops.post([&driver, attempt] { (void)driver.clean(attempt); }))
            context_.log.warning("too many runs without a record; the next start removes the rest");
    }
    prune();
}

// An older fence of the same item may not start where a newer one is known.
bool Attempts::refused_by_fence(const StartAttempt& start) {
    for (const auto& [id, run] : runs_)
        if (same_item(run->record(), start) && run->record().fence > start.fence) return true;
    return false;
}

// The server has given up what it started here before: it does not run beside its successor.
void Attempts::supersede(const StartAttempt& start) {
    for (const auto& [id, run] : runs_)
        if (same_item(run->record(), start) && run->record().fence < start.fence &&
            is_active(run->record()))
            run->deliver(StopRequested{
                {id, run->record().fence, TaskReason::stop_requested, Duration{0}, false}
            });
}

void Attempts::start(const StartAttempt& start) {
    if (AttemptRun* known = find(start.attempt_id)) {
        if (known->record().fence != start.fence) {
            context_.log.warning(
                "a start with another fence is ignored",
                {{"attempt", known->id()}, {"fence", start.fence}}
            );
            return;
        }
        // It came again, so its end did not reach the server's store.
        if (is_active(known->record()) || !known->record().reports.empty()) return;
        known->submit({final_report(known->record())});
        launch(known);
        return;
    }
    if (refused_by_fence(start)) {
        context_.log.warning(
            "a start with an old fence is ignored",
            {{"attempt", to_string(start.attempt_id)}, {"fence", start.fence}}
        );
        return;
    }
    supersede(start);
    const auto active = std::ranges::count_if(runs_, [](const auto& run) {
        return is_active(run.second->record());
    });
    const Time now = context_.clock.now();
    Accepted accepted = static_cast<std::size_t>(active) < kActiveMax
                            ? accept(start, now)
                            : refuse(
                                  start,
                                  {TaskState::failed,
                                   TaskReason::agent_error,
                                   FaultDomain::platform,
                                   {},
                                   fmt::format("this node holds {} attempts already", kActiveMax)},
                                  now
                              );
    context_.log.info(
        "attempt accepted", {{"attempt", to_string(start.attempt_id)}, {"name", start.name}}
    );
    AttemptRun& run = add(std::move(accepted.record));
    run.submit(std::move(accepted.reports));
    launch(&run);
    if (on_new) on_new(run);
}

void Attempts::stop(const StopAttempt& stop) {
    AttemptRun* known = find(stop.attempt_id);
    if (known == nullptr) {
        Accepted accepted = never_started(stop, context_.clock.now());
        AttemptRun& run = add(std::move(accepted.record));
        run.submit(std::move(accepted.reports));
        return launch(&run);
    }
    if (stop.fence < known->record().fence) return;
    if (is_active(known->record())) return known->deliver(StopRequested{stop});
    if (!known->record().reports.empty()) return;
    known->submit({final_report(known->record())});
    launch(known);
}

void Attempts::go(const GoAttempt& go) {
    AttemptRun* known = find(go.attempt_id);
    if (known != nullptr && known->record().fence == go.fence && is_active(known->record()))
        known->deliver(GoReceived{});
}

void Attempts::acknowledge(std::int64_t seq) {
    context_.outbox.acknowledge(seq);
    for (const auto& [id, run] : runs_) run->acknowledge(seq);
}

void Attempts::renumber(std::int64_t above) {
    context_.outbox.skip_to(above);
    for (const auto& [id, run] : runs_) run->renumber();
}

AttemptRun* Attempts::find(const AttemptId& id) {
    const auto found = runs_.find(id);
    return found == runs_.end() ? nullptr : found->second.get();
}

std::vector<AttemptRun*> Attempts::unreleased() {
    std::vector<AttemptRun*> list;
    for (const auto& [id, run] : runs_)
        if (run->record().phase != AttemptPhase::released) list.push_back(run.get());
    return list;
}

std::vector<RunningAttempt> Attempts::held() const {
    std::vector<RunningAttempt> list;
    for (const auto& [id, run] : runs_)
        if (is_active(run->record()) || !run->record().reports.empty())
            list.push_back({id, run->record().fence});
    return list;
}

std::vector<RunningAttempt> Attempts::running() const {
    std::vector<RunningAttempt> list;
    for (const auto& [id, run] : runs_)
        if (run->record().phase == AttemptPhase::running) list.push_back({id, run->record().fence});
    return list;
}

// Ids sort by their time, so the first released one is the oldest.
void Attempts::prune() {
    const auto is_idle = [](const auto& entry) {
        return entry.second->record().phase == AttemptPhase::released && entry.second->is_idle();
    };
    auto idle = static_cast<std::size_t>(std::ranges::count_if(runs_, is_idle));
    for (auto at = runs_.begin(); at != runs_.end() && idle > kReleasedMax;) {
        if (!is_idle(*at)) {
            ++at;
            continue;
        }
        AttemptStore& store = context_.store;
        const AttemptId id = at->first;
        if (!context_.files.post([&store, id] { (void)store.remove(id); }))
            return;  // at the next one
        at = runs_.erase(at);
        --idle;
    }
}

io::Task<void> Attempts::close() { co_await tasks_.close(); }

}  // namespace penstock::agent
