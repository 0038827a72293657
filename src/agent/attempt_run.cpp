// SPDX-License-Identifier: Apache-2.0
#include "agent/attempt_run.h"

#include <algorithm>

#include "drivers/files.h"

namespace penstock::agent {

AttemptRun::AttemptRun(Context& context, AttemptRecord record)
    : context_(context),
      record_(std::move(record)),
      changed_(context.executor),
      log_(context.log.with("attempt", to_string(record_.attempt_id))) {
    for (const AttemptReport& report : record_.reports) context_.outbox.durable(report);
    if (!record_.start) return;
    for (const std::int64_t position : record_.devices)
        context_.accelerators_used[position] +=
            record_.start->request.accelerator ? share_of_each(*record_.start->request.accelerator)
                                               : 0;
    const bool ended =
        record_.phase == AttemptPhase::ended || record_.phase == AttemptPhase::released;
    if (record_.port && !ended) context_.ports_used.insert(*record_.port);
}

AttemptRun::~AttemptRun() = default;

io::Task<void> AttemptRun::run() {
    active_ = true;
    // The work ends first, and then saving does.
    co_await io::race(live(), save_loop());
    active_ = false;
}

io::Task<bool> AttemptRun::live() {
    co_await saved();
    for (;;) {
        const Step step = next_step(record_);
        if (step == Step::nothing && record_.reports.empty()) break;
        if (step == Step::nothing) {
            co_await changed_.wait();
            continue;
        }
        std::optional<Event> event = co_await io::race(perform(step), left(step));
        if (event) deliver(*std::move(event));
        co_await saved();
    }
    co_return true;
}

void AttemptRun::changed() {
    ++version_;
    changed_.notify_all();
}

void AttemptRun::set(bool& flag, bool value) {
    if (flag == value) return;
    flag = value;
    changed_.notify_all();
}

// Returns when events from outside have made another step the next one.
io::Task<void> AttemptRun::left(Step step) {
    while (next_step(record_) == step) co_await changed_.wait();
}

io::Task<void> AttemptRun::saved() {
    const std::int64_t wanted = version_;
    while (saved_ < wanted) co_await changed_.wait();
}

// The only writer of the record's file. A report may be sent once it is on disk.
io::Task<void> AttemptRun::save_loop() {
    for (;;) {
        while (saved_ >= version_) co_await changed_.wait();
        const std::int64_t version = version_;
        const AttemptRecord copy = record_;
        Result<void> done =
            co_await context_.files.run([this, &copy] { return context_.store.save(copy); });
        if (!done) {
            // Going on without it could lose work or charge twice, so everything of this attempt
            // waits.
            context_.save_problem = done.error().message;
            log_.error("the attempt's state cannot be saved; trying again", done.error());
            co_await io::sleep_for(kSaveRetryEvery);
            continue;
        }
        context_.save_problem.clear();
        saved_ = version;
        for (const AttemptReport& report : copy.reports)
            if (std::ranges::find(record_.reports, report.seq, &AttemptReport::seq) !=
                record_.reports.end())
                context_.outbox.durable(report);
        context_.outbox_changed.notify_all();
        changed_.notify_all();
    }
}

void AttemptRun::submit(Reports reports) {
    for (AttemptReport& report : reports) {
        report.seq = context_.outbox.number();
        if (const auto replaced = enqueue(record_, std::move(report)))
            context_.outbox.drop(*replaced);
    }
    changed();
}

void AttemptRun::deliver(Event event) {
    const AttemptPhase before = record_.phase;
    const bool stopping = record_.stop.has_value();
    const Duration grace = stopping ? record_.stop->grace : Duration{0};
    const std::vector<std::int64_t> devices = record_.devices;
    submit(apply(record_, event, context_.clock.now()));
    if (stopping && record_.stop->grace < grace) {
        // The first stop waits out its grace on a thread of the pool; a second one cuts it short.
        const std::string attempt = id();
        const Duration shorter = record_.stop->grace;
        drivers::Driver& driver = context_.driver;
        if (!context_.stops.post([&driver, attempt, shorter] {
                (void)driver.stop(attempt, shorter);
            }))
            log_.warning("too many stops at once: this one keeps its longer grace time");
    }
    if (record_.devices.empty() && !devices.empty()) {
        for (const std::int64_t position : devices)
            context_.accelerators_used[position] -=
                share_of_each(*record_.start->request.accelerator);
        context_.released.notify_all();
    }
    if (before == record_.phase) return;
    if (record_.phase == AttemptPhase::ended) {
        if (record_.port) context_.ports_used.erase(*record_.port);
        log_.info(
            "attempt ended", {{"succeeded", record_.verdict->state == TaskState::succeeded},
                              {"running_ms", record_.meter.running_ms},
                              {"message", record_.verdict->message}}
        );
    }
}

void AttemptRun::acknowledge(std::int64_t seq) {
    if (agent::acknowledge(record_, seq)) changed();
}

void AttemptRun::renumber() {
    for (AttemptReport& report : record_.reports) {
        context_.outbox.drop(report.seq);
        report.seq = context_.outbox.number();
    }
    if (!record_.reports.empty()) changed();
}

bool AttemptRun::has_log() const {
    return record_.phase != AttemptPhase::staging && record_.phase != AttemptPhase::released &&
           record_.started;
}

io::Task<Event> AttemptRun::perform(Step step) {
    switch (step) {
        case Step::stage:
            return stage();
        case Step::start:
            return start();
        case Step::await_run:
            return await_run();
        case Step::probe:
            return probe();
        case Step::watch:
            return watch();
        case Step::stop:
            return stop();
        case Step::collect:
            return collect();
        case Step::release:
        case Step::nothing:
            break;
    }
    return release();
}

}  // namespace penstock::agent
