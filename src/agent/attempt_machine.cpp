// SPDX-License-Identifier: Apache-2.0
#include "agent/attempt_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

namespace penstock::agent {
namespace {

template <class... F>
struct Overloaded : F... {
    using F::operator()...;
};

bool is_service(const AttemptRecord& record) { return record.start && record.start->service; }

// From `starting` to `running` something may run that has to be stopped before anything else.
bool may_have_process(AttemptPhase phase) {
    return phase == AttemptPhase::starting || phase == AttemptPhase::probing ||
           phase == AttemptPhase::running;
}

// Keeps the end: the last lines of a log tell most.
std::string shortened(std::string text) {
    if (text.size() <= kReportMessageBytesMax) return text;
    std::size_t cut = text.size() - kReportMessageBytesMax + 4;
    while (cut < text.size() && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) ++cut;
    return "…" + text.substr(cut);
}

AttemptReport report(const AttemptRecord& record, TaskState state, Time now) {
    AttemptReport made;
    made.attempt_id = record.attempt_id;
    made.fence = record.fence;
    made.state = state;
    made.at = now;
    return made;
}

AttemptReport final_report_at(const AttemptRecord& record, Time at) {
    AttemptReport made = report(record, record.verdict->state, at);
    made.reason = record.verdict->reason;
    made.message = record.verdict->message;
    made.fault_domain = record.verdict->fault_domain;
    made.exit_code = record.verdict->exit_code;
    made.meter = record.meter;
    made.outputs = record.outputs;
    if (!record.checkpoint_reported) made.checkpoint = record.checkpoint;
    return made;
}

Reports end(AttemptRecord& record, Verdict verdict, Time now) {
    verdict.message = shortened(std::move(verdict.message));
    record.verdict = std::move(verdict);
    record.phase = AttemptPhase::ended;
    record.ended_at = now;
    record.devices.clear();
    return {final_report_at(record, now)};
}

std::string with_lines(std::string text, const std::string& last_lines) {
    if (!last_lines.empty()) text += "; last lines:\n" + last_lines;
    return text;
}

Verdict failed(TaskReason reason, FaultDomain fault, std::string message) {
    return {TaskState::failed, reason, fault, {}, std::move(message)};
}

// A stop that somebody asked for cancels; the time limit, which the user's own spec set, fails.
Verdict verdict_of_stop(const StopAttempt& stop) {
    if (stop.reason == TaskReason::time_limit)
        return failed(
            TaskReason::time_limit, FaultDomain::user,
            "stopped at its time_limit; raise time_limit, or set `checkpoint` and resume"
        );
    return {TaskState::canceled, stop.reason, {}, {}, ""};
}

// SIGKILL and SIGTERM come from outside the sandbox unless the memory limit sent them, and that is
// a cause of its own; what the task did to itself (SIGSEGV, SIGABRT …) is the task's.
FaultDomain fault_of_signal(std::int64_t signal) {
    return signal == SIGKILL || signal == SIGTERM || signal == SIGHUP ? FaultDomain::provider
                                                                      : FaultDomain::user;
}

Verdict verdict_of_exit(const AttemptRecord& record, const Ended& ended) {
    const std::int64_t code = ended.exit_code.value_or(0);
    const std::int64_t expected =
        record.start && record.start->acceptance ? record.start->acceptance->expect_exit : 0;
    if (code == expected) return {TaskState::succeeded, TaskReason::none, {}, code, ""};
    std::string text = expected == 0 ? fmt::format("exit code {}", code)
                                     : fmt::format("exit code {}, {} was expected", code, expected);
    return failed(
        TaskReason::exit_code, FaultDomain::user, with_lines(std::move(text), ended.last_lines)
    );
}

Verdict verdict_of_end(const AttemptRecord& record, const Ended& ended) {
    switch (ended.cause) {
        case EndCause::exited:
            return verdict_of_exit(record, ended);
        case EndCause::setup_failed:
            return failed(
                TaskReason::setup_failed, FaultDomain::user,
                with_lines(
                    fmt::format("`setup` ended with exit code {}", ended.exit_code.value_or(-1)),
                    ended.last_lines
                )
            );
        case EndCause::signal:
            return failed(
                TaskReason::killed_by_signal, fault_of_signal(ended.signal.value_or(SIGKILL)),
                with_lines(
                    fmt::format("killed by signal {}", ended.signal.value_or(SIGKILL)),
                    ended.last_lines
                )
            );
        case EndCause::out_of_memory:
            return failed(
                TaskReason::out_of_memory, FaultDomain::user,
                with_lines(
                    fmt::format(
                        "went over its memory limit of {} MiB; raise resources.memory",
                        record.start ? record.start->request.memory_mib : 0
                    ),
                    ended.last_lines
                )
            );
        case EndCause::stopped:  // by us, and yet no stop is on record: its file was lost with the
                                 // disk
            return failed(
                TaskReason::agent_error, FaultDomain::provider, "the node stopped it on its own"
            );
        case EndCause::launch_failed:
            return failed(
                TaskReason::agent_error, FaultDomain::provider,
                "the node could not make its sandbox: " + ended.detail
            );
        case EndCause::vanished:
            return failed(
                TaskReason::node_lost, FaultDomain::provider,
                "its process vanished" + (ended.detail.empty() ? "" : ": " + ended.detail)
            );
    }
    return failed(TaskReason::agent_error, FaultDomain::platform, "ended in an unknown way");
}

// A service that ends before it was ready says so, with the cause behind it.
Verdict not_ready(Verdict why) {
    if (why.state == TaskState::canceled || why.reason == TaskReason::setup_failed ||
        why.reason == TaskReason::out_of_memory || why.fault_domain == FaultDomain::provider)
        return why;
    const std::string cause = why.message.empty() ? "it ended with exit code 0" : why.message;
    Verdict verdict = failed(
        TaskReason::not_ready, FaultDomain::user, "the service ended before it was ready: " + cause
    );
    verdict.exit_code = why.exit_code;
    return verdict;
}

Reports on_ended(AttemptRecord& record, const Ended& ended, Time now) {
    // What came to its end before the stop reached it has ended by itself.
    const bool by_stop = record.stop && ended.cause != EndCause::exited;
    Verdict verdict = record.verdict ? *record.verdict
                      : by_stop      ? verdict_of_stop(*record.stop)
                                     : verdict_of_end(record, ended);
    if (record.verdict) verdict.message = with_lines(std::move(verdict.message), ended.last_lines);
    verdict.exit_code = ended.exit_code;
    if (!record.running_at) {
        const bool unready = is_service(record) && !record.verdict;
        return end(record, unready ? not_ready(std::move(verdict)) : std::move(verdict), now);
    }
    record.meter = ended.meter;
    record.verdict = std::move(verdict);
    record.phase = AttemptPhase::collecting;
    AttemptReport collecting = report(record, TaskState::collecting, now);
    collecting.meter = record.meter;
    collecting.exit_code = ended.exit_code;
    return {std::move(collecting)};
}

Reports on_ready(AttemptRecord& record, Time now) {
    if (record.phase != AttemptPhase::starting || !record.start->gang || record.ready) return {};
    record.ready = true;
    AttemptReport made = report(record, TaskState::staging, now);
    made.ready = true;
    return {std::move(made)};
}

Reports on_go(AttemptRecord& record) {
    if (record.start && record.start->gang) record.go = true;
    return {};
}

Reports on_process_up(AttemptRecord& record, const ProcessUp& up) {
    if (record.phase != AttemptPhase::starting) return {};
    record.phase = AttemptPhase::probing;
    record.process_up = up.at;
    return {};
}

Reports on_running(AttemptRecord& record, const Running& running) {
    record.phase = AttemptPhase::running;
    record.running_at = running.at;
    record.running_since = running.since;
    AttemptReport made = report(record, TaskState::running, running.at);
    made.service_url = running.service_url;
    return {std::move(made)};
}

bool take_checkpoint(AttemptRecord& record, const Checkpoint& checkpoint) {
    if (record.checkpoint && record.checkpoint->sha256 == checkpoint.sha256) return false;
    record.checkpoint = checkpoint;
    record.checkpoint_reported = false;
    return true;
}

Reports on_checkpoint(AttemptRecord& record, const CheckpointStored& stored, Time now) {
    if (record.phase != AttemptPhase::running || !take_checkpoint(record, stored.checkpoint))
        return {};
    record.checkpoint_reported = true;
    AttemptReport made = report(record, TaskState::running, now);
    made.checkpoint = record.checkpoint;
    made.meter = record.meter;
    return {std::move(made)};
}

Reports on_stop(AttemptRecord& record, StopAttempt stop, Time now) {
    stop.grace = std::clamp(stop.grace, Duration{0}, kStopGraceMax);
    switch (record.phase) {
        case AttemptPhase::staging:
            return end(record, verdict_of_stop(stop), now);
        case AttemptPhase::starting:
        case AttemptPhase::probing:
        case AttemptPhase::running:
            if (!record.stop)
                record.stop = stop;
            else
                record.stop->grace = std::min(record.stop->grace, stop.grace);
            return {};
        case AttemptPhase::collecting: {
            if (record.stop) return {};
            record.stop = stop;
            Verdict verdict = *record.verdict;
            if (verdict.state == TaskState::succeeded) verdict = verdict_of_stop(stop);
            verdict.exit_code = record.verdict->exit_code;
            return end(record, std::move(verdict), now);
        }
        case AttemptPhase::ended:
        case AttemptPhase::released:
            return {};
    }
    return {};
}

Reports on_collected(AttemptRecord& record, const Collected& collected, Time now) {
    record.outputs = collected.outputs;
    if (collected.checkpoint) take_checkpoint(record, *collected.checkpoint);
    Verdict verdict = *record.verdict;
    const std::optional<std::int64_t> exit_code = verdict.exit_code;
    if (verdict.state == TaskState::succeeded) {
        if (collected.not_stored)
            verdict =
                failed(TaskReason::output_missing, FaultDomain::platform, *collected.not_stored);
        else if (collected.missing)
            verdict = failed(TaskReason::output_missing, FaultDomain::user, *collected.missing);
        else if (collected.not_accepted)
            verdict = failed(
                TaskReason::acceptance_failed, collected.not_accepted->fault_domain,
                collected.not_accepted->message
            );
        verdict.exit_code = exit_code;
    }
    for (const std::string& remark : collected.remarks)
        verdict.message += (verdict.message.empty() ? "" : "\n") + remark;
    return end(record, std::move(verdict), now);
}

Accepted ended_at_once(AttemptRecord record, Verdict verdict, Time now) {
    Reports reports = end(record, std::move(verdict), now);
    return {std::move(record), std::move(reports)};
}

}  // namespace

Step next_step(const AttemptRecord& record) {
    if (record.stop && may_have_process(record.phase)) return Step::stop;
    switch (record.phase) {
        case AttemptPhase::staging:
            return Step::stage;
        case AttemptPhase::starting:
            return record.started ? Step::await_run : Step::start;
        case AttemptPhase::probing:
            return Step::probe;
        case AttemptPhase::running:
            return Step::watch;
        case AttemptPhase::collecting:
            return Step::collect;
        case AttemptPhase::ended:
            return Step::release;
        case AttemptPhase::released:
            return Step::nothing;
    }
    return Step::nothing;
}

Accepted accept(const StartAttempt& start, Time now) {
    AttemptRecord record;
    record.attempt_id = start.attempt_id;
    record.fence = start.fence;
    record.start = start;
    record.created_at = now;
    AttemptReport staging = report(record, TaskState::staging, now);
    return {std::move(record), {std::move(staging)}};
}

Accepted refuse(const StartAttempt& start, Verdict why, Time now) {
    AttemptRecord record = accept(start, now).record;
    record.start->environment.clear();
    return ended_at_once(std::move(record), std::move(why), now);
}

Accepted never_started(const StopAttempt& stop, Time now) {
    AttemptRecord record;
    record.attempt_id = stop.attempt_id;
    record.fence = stop.fence;
    record.created_at = now;
    Verdict verdict = verdict_of_stop(stop);
    verdict.state = TaskState::canceled;
    verdict.fault_domain.reset();
    verdict.message = "this node never started it";
    return ended_at_once(std::move(record), std::move(verdict), now);
}

namespace {

// What did not become ready in time is stopped; the verdict stands whatever its exit says.
void give_up(AttemptRecord& record, const GaveUp& event) {
    const AttemptPhase phase = record.phase;
    if (!may_have_process(phase) || phase == AttemptPhase::running || record.stop) return;
    record.verdict = failed(event.reason, FaultDomain::user, event.message);
    record.stop = StopAttempt{record.attempt_id, record.fence, event.reason, kNodeStopGrace, false};
}

}  // namespace

Reports apply(AttemptRecord& record, const Event& event, Time now) {
    const AttemptPhase phase = record.phase;
    return std::visit(
        Overloaded{
            [&](const Staged& e) -> Reports {
                if (phase != AttemptPhase::staging) return {};
                record.phase = AttemptPhase::starting;
                record.work_dir = e.work_dir;
                return {};
            },
            [&](const StageFailed& e) -> Reports {
                if (phase != AttemptPhase::staging) return {};
                return end(
                    record, failed(TaskReason::staging_failed, e.fault_domain, e.message), now
                );
            },
            [&](const Started& e) -> Reports {
                if (phase == AttemptPhase::starting && !record.started) record.started = e.at;
                return {};
            },
            [&](const StartFailed& e) -> Reports {
                if (phase != AttemptPhase::starting) return {};
                return end(record, failed(TaskReason::agent_error, e.fault_domain, e.message), now);
            },
            [&](const ProcessUp& e) -> Reports { return on_process_up(record, e); },
            [&](const Ready&) -> Reports { return on_ready(record, now); },
            [&](const GoReceived&) -> Reports { return on_go(record); },
            [&](const Running& e) -> Reports {
                const bool fits =
                    phase == (is_service(record) ? AttemptPhase::probing : AttemptPhase::starting);
                return fits ? on_running(record, e) : Reports{};
            },
            [&](const GaveUp& e) -> Reports {
                give_up(record, e);
                return {};
            },
            [&](const Metering& e) -> Reports {
                if (phase == AttemptPhase::running) record.meter = e.meter;
                return {};
            },
            [&](const CheckpointStored& e) -> Reports { return on_checkpoint(record, e, now); },
            [&](const StopRequested& e) -> Reports { return on_stop(record, e.stop, now); },
            [&](const TimeLimitReached&) -> Reports {
                if (phase != AttemptPhase::running || record.stop) return {};
                return on_stop(
                    record,
                    {record.attempt_id, record.fence, TaskReason::time_limit, kNodeStopGrace, false
                    },
                    now
                );
            },
            [&](const Ended& e) -> Reports {
                return may_have_process(phase) ? on_ended(record, e, now) : Reports{};
            },
            [&](const Collected& e) -> Reports {
                return phase == AttemptPhase::collecting ? on_collected(record, e, now) : Reports{};
            },
            [&](const Released&) -> Reports {
                if (phase != AttemptPhase::ended) return {};
                record.phase = AttemptPhase::released;
                if (record.start) record.start->environment.clear();  // it may hold secrets
                return {};
            },
        },
        event
    );
}

AttemptReport final_report(const AttemptRecord& record) {
    return final_report_at(record, record.ended_at.value_or(record.created_at));
}

std::optional<std::int64_t> time_limit_at_ms(const AttemptRecord& record) {
    if (!record.running_since || !record.start || !record.start->time_limit) return std::nullopt;
    return record.running_since->ms + to_ms(*record.start->time_limit);
}

std::int64_t running_ms_at_end(
    const AttemptRecord& record, std::optional<Time> ended_at, const BootInstant& now
) {
    // It ran for what its checkpoint keeps: that was read on the other clock, a little apart.
    const std::int64_t metered =
        std::max(record.meter.running_ms, record.checkpoint ? record.checkpoint->running_ms : 0);
    if (!record.running_since || !record.running_at || !ended_at) return metered;
    if (record.running_since->boot_id != now.boot_id) return metered;
    const std::int64_t most = std::max(metered, now.ms - record.running_since->ms);
    return std::clamp(to_ms(*ended_at - *record.running_at), metered, most);
}

std::optional<std::int64_t> enqueue(AttemptRecord& record, AttemptReport report) {
    std::optional<std::int64_t> replaced;
    const auto only_checkpoint = [](const AttemptReport& r) {
        return r.state == TaskState::running && r.checkpoint && !r.service_url;
    };
    if (only_checkpoint(report)) {
        const auto old = std::ranges::find_if(record.reports, only_checkpoint);
        if (old != record.reports.end()) {
            replaced = old->seq;
            record.reports.erase(old);
        }
    }
    record.reports.push_back(std::move(report));
    return replaced;
}

bool acknowledge(AttemptRecord& record, std::int64_t seq) {
    return std::erase_if(record.reports, [seq](const AttemptReport& r) { return r.seq <= seq; }) >
           0;
}

}  // namespace penstock::agent
