// SPDX-License-Identifier: Apache-2.0
// What AttemptRun does up to the end of a run; see attempt_collect.cpp for what comes after.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "agent/archive.h"
#include "agent/attempt_run.h"
#include "agent/launch.h"
#include "agent/work_files.h"

namespace penstock::agent {
namespace {

FaultDomain fault_of(const Error& error) {
    return error.code == ErrorCode::invalid_argument || error.code == ErrorCode::resource_exhausted
               ? FaultDomain::user
               : FaultDomain::provider;
}

EndCause cause_of(drivers::Cause cause) {
    switch (cause) {
        case drivers::Cause::exited:
            return EndCause::exited;
        case drivers::Cause::setup_failed:
            return EndCause::setup_failed;
        case drivers::Cause::signal:
            return EndCause::signal;
        case drivers::Cause::out_of_memory:
            return EndCause::out_of_memory;
        case drivers::Cause::stopped:
            return EndCause::stopped;
        case drivers::Cause::launch_failed:
            return EndCause::launch_failed;
        case drivers::Cause::vanished:
        case drivers::Cause::none:
            return EndCause::vanished;
    }
    return EndCause::vanished;
}

}  // namespace

std::string AttemptRun::scratch_file(std::string_view name) const {
    return fmt::format("{}/{}.{}", context_.scratch, id(), name);
}

std::string AttemptRun::service_url() const {
    return fmt::format("http://{}:{}", context_.options.service_address, record_.port.value_or(0));
}

io::Task<Event> AttemptRun::stage() {
    const drivers::LaunchSpec spec = launch_spec(record_, context_.options, context_.inventory, "");
    const Result<drivers::Prepared> prepared =
        co_await context_.engine.run([this, &spec] { return context_.driver.prepare(spec); });
    if (!prepared)
        co_return StageFailed{
            "it cannot be prepared here: " + to_string(prepared.error()), fault_of(prepared.error())
        };
    const StartAttempt& start = *record_.start;
    const std::string work = prepared->work_dir;
    if (start.workdir_sha256)
        if (auto failed = co_await stage_archive(*start.workdir_sha256, work, "workdir"))
            co_return *failed;
    std::vector<std::string> folders{kOutputFolder};
    if (start.checkpoint) {
        Result<std::string> folder = checkpoint_folder(*start.checkpoint);
        if (!folder)
            co_return StageFailed{"checkpoint.path: " + folder.error().message, FaultDomain::user};
        folders.push_back(*std::move(folder));
    }
    for (const std::string& folder : folders) {
        const Result<void> made =
            co_await context_.files.run([&] { return make_folder(work, folder); });
        if (!made) co_return StageFailed{made.error().message, FaultDomain::user};
    }
    if (start.restore && start.checkpoint)
        if (auto failed = co_await stage_archive(
                start.restore->sha256, work + "/" + folders.back(), "checkpoint"
            ))
            co_return *failed;
    if (start.inputs)
        for (const StagedInput& input : *start.inputs)
            if (auto failed = co_await stage_input(input, work)) co_return *failed;
    co_return Staged{work};
}

io::Task<std::optional<StageFailed>> AttemptRun::stage_input(StagedInput input, std::string work) {
    const std::string file = scratch_file("input");
    const Result<void> fetched = co_await context_.blobs.fetch(input.sha256, file);
    if (!fetched)
        co_return StageFailed{
            fmt::format("fetching the input {}: {}", input.path, fetched.error().message),
            FaultDomain::platform
        };
    const Result<void> placed =
        co_await context_.files.run([&] { return place_file(work, input.path, file); });
    if (!placed)
        co_return StageFailed{
            fmt::format("placing the input {}: {}", input.path, placed.error().message),
            fault_of(placed.error())
        };
    co_return std::nullopt;
}

io::Task<std::optional<StageFailed>> AttemptRun::stage_archive(
    std::string sha256, std::string folder, const char* what
) {
    const std::string file = scratch_file(what);
    const Result<void> fetched = co_await context_.blobs.fetch(sha256, file);
    if (!fetched)
        co_return StageFailed{
            fmt::format("fetching the {}: {}", what, fetched.error().message), FaultDomain::platform
        };
    const Result<void> unpacked = co_await context_.files.run([&] {
        Result<void> done = unpack(file, folder);
        std::error_code ignored;  // the next start of the agent empties the folder
        std::filesystem::remove(file, ignored);
        return done;
    });
    if (!unpacked)
        co_return StageFailed{
            fmt::format("unpacking the {}: {}", what, unpacked.error().message),
            fault_of(unpacked.error())
        };
    co_return std::nullopt;
}

io::Task<Event> AttemptRun::start() {
    if (auto failed = co_await hold_accelerators()) co_return *failed;
    if (auto failed = co_await hold_port()) co_return *failed;
    if (!record_.asked) {
        record_.asked = context_.boot.now();
        changed();
    }
    co_await saved();  // the port and the devices too: a second start must ask for the same
    const drivers::LaunchSpec spec =
        launch_spec(record_, context_.options, context_.inventory, record_.work_dir);
    const Result<drivers::Status> started =
        co_await context_.engine.run([&]() -> Result<drivers::Status> {
            TRY(context_.driver.prepare(spec));
            return context_.driver.start(spec);
        });
    if (!started)
        co_return StartFailed{
            "it cannot be started here: " + to_string(started.error()), fault_of(started.error())
        };
    co_return Started{context_.boot.now()};
}

io::Task<std::optional<StartFailed>> AttemptRun::hold_accelerators() {
    const std::optional<Accelerator>& request = record_.start->request.accelerator;
    if (!request || !record_.devices.empty()) co_return std::nullopt;
    const io::Deadline last = io::Deadline::after(kAcceleratorWaitMax);
    for (;;) {
        const auto& named = record_.start->devices;
        auto assigned =
            named ? assign_named_accelerators(
                        context_.inventory, context_.accelerators_used, *request, *named
                    )
                  : assign_accelerators(context_.inventory, context_.accelerators_used, *request);
        if (!assigned) co_return StartFailed{assigned.error().message, FaultDomain::provider};
        if (*assigned) {
            record_.devices = **assigned;
            for (const std::int64_t position : record_.devices)
                context_.accelerators_used[position] += share_of_each(*request);
            changed();
            co_return std::nullopt;
        }
        if (!co_await context_.released.wait(last))
            co_return StartFailed{
                fmt::format(
                    "no {} came free on this node within {}", request->model,
                    to_string(kAcceleratorWaitMax)
                ),
                FaultDomain::platform
            };
    }
}

io::Task<std::optional<StartFailed>> AttemptRun::hold_port() {
    if (!record_.start->service || record_.port) co_return std::nullopt;
    for (int tries = 0; tries < 100; ++tries) {
        const Result<std::int64_t> port = free_port(context_.options.service_address);
        if (!port) co_return StartFailed{port.error().message, FaultDomain::provider};
        if (!context_.ports_used.insert(*port).second) continue;
        record_.port = *port;
        changed();
        co_return std::nullopt;
    }
    co_return StartFailed{"no free port was found on this node", FaultDomain::provider};
}

// What cannot be asked now is unknown, which is no failure; what the engine does not know has
// vanished.
io::Task<drivers::Status> AttemptRun::status() {
    const std::string attempt = id();
    Result<drivers::Status> known =
        co_await context_.engine.run([this, &attempt] { return context_.driver.status(attempt); });
    if (known) co_return *std::move(known);
    drivers::Status status{.attempt_id = attempt, .fence = record_.fence};
    status.reason = known.error().message;
    if (known.error().code == ErrorCode::not_found) {
        status.state = drivers::RunState::lost;
        status.cause = drivers::Cause::vanished;
    } else {
        log_.warning("the driver cannot tell how the attempt is", {{"cause", status.reason}});
    }
    co_return status;
}

// The driver tells wall time; the meter runs on the boot clock. What was never before the start can
// be no longer ago than that.
BootInstant AttemptRun::running_since(const drivers::Status& status) const {
    BootInstant since = context_.boot.now();
    const std::int64_t ago = to_ms(context_.clock.now() - *status.running_at);
    const bool same_boot = record_.asked && record_.asked->boot_id == since.boot_id;
    const std::int64_t most = same_boot ? since.ms - record_.asked->ms : 0;
    since.ms -= std::clamp<std::int64_t>(ago, 0, std::max<std::int64_t>(most, 0));
    return since;
}

io::Task<Event> AttemptRun::await_run() {
    const bool service = record_.start->service.has_value();
    Duration poll = kPollFirst;
    for (;;) {
        const drivers::Status now = co_await status();
        if (now.running_at && !service) co_return Running{running_since(now), *now.running_at};
        if (now.ended()) co_return co_await ended(now);
        if (now.state == drivers::RunState::running) co_return ProcessUp{context_.boot.now()};
        if (now.held && !record_.ready) co_return Ready{};
        if (now.held && record_.go) co_await let_go();
        // The server bounds how long a gang waits for its members.
        if (!now.held && context_.boot.now_ms() - record_.started->ms > to_ms(kSetupMax))
            co_return GaveUp{
                TaskReason::setup_failed,
                fmt::format(
                    "`setup` took longer than {}; put long work into `run`", to_string(kSetupMax)
                )
            };
        co_await io::sleep_for(poll);
        poll = std::min(poll * 3 / 2, kPollLongest);
    }
}

io::Task<void> AttemptRun::let_go() {
    co_await saved();
    const std::string attempt = id();
    const Result<void> released =
        co_await context_.engine.run([this, &attempt] { return context_.driver.release(attempt); });
    if (!released)
        log_.warning(
            "the gang's member was not let go; trying again", {{"cause", released.error().message}}
        );
}

io::Task<Event> AttemptRun::probe() {
    const ReadinessProbe probe = record_.start->service->readiness_probe;
    Duration poll = kPollFirst;
    for (;;) {
        const drivers::Status now = co_await status();
        if (now.ended()) co_return co_await ended(now);
        if (co_await is_ready())
            co_return Running{context_.boot.now(), context_.clock.now(), service_url()};
        const std::int64_t waited = context_.boot.now_ms() - record_.process_up->ms;
        if (waited > probe.initial_delay_seconds * 1000)
            co_return GaveUp{
                TaskReason::not_ready, fmt::format(
                                           "{} was not ready within {} s ({}); listen on "
                                           "PENSTOCK_HOST:PENSTOCK_PORT and answer 200, or "
                                           "raise initial_delay_seconds",
                                           probe.path, probe.initial_delay_seconds, probe_problem_
                                       )
            };
        co_await io::sleep_for(poll);
        poll = std::min(poll * 3 / 2, kPollLongest);
    }
}

io::Task<bool> AttemptRun::is_ready() {
    const ReadinessProbe& probe = record_.start->service->readiness_probe;
    const std::string path = probe.path.starts_with('/') ? probe.path : "/" + probe.path;
    const Duration at_most =
        std::chrono::seconds(std::clamp<std::int64_t>(probe.timeout_seconds, 1, 60));
    const Result<http::ClientResponse> answer =
        co_await context_.probes.send({.url = service_url() + path}, io::Deadline::after(at_most));
    if (!answer)
        probe_problem_ = answer.error().message;
    else if (answer->status != 200)
        probe_problem_ = fmt::format("it answered {}", answer->status);
    else
        co_return true;
    co_return false;
}

io::Task<Event> AttemptRun::watch() {
    std::optional<Event> event = co_await io::race(watch_process(), store_checkpoints());
    if (!event) co_return Metering{record_.meter};  // unreachable: checkpoints never end
    co_return *std::move(event);
}

io::Task<Event> AttemptRun::watch_process() {
    const std::optional<std::int64_t> limit = time_limit_at_ms(record_);
    std::int64_t metered_at = context_.boot.now_ms();
    Duration poll = kPollFirst;
    for (;;) {
        const drivers::Status now = co_await status();
        if (now.ended()) co_return co_await ended(now);
        const std::int64_t ms = context_.boot.now_ms();
        if (limit && ms >= *limit) co_return TimeLimitReached{};
        if (ms - metered_at >= to_ms(kMeterSaveEvery)) {
            metered_at = ms;
            deliver(Metering{co_await metered(std::nullopt, false)});
        }
        co_await io::sleep_for(limit ? std::min(poll, Duration((*limit - ms) * 1000)) : poll);
        poll = std::min(poll * 3 / 2, kPollLongest);
    }
}

io::Task<void> AttemptRun::store_checkpoints() {
    const std::optional<CheckpointSpec> spec =
        stores_checkpoints(*record_.start) ? record_.start->checkpoint : std::nullopt;
    const Duration every = spec ? std::max(spec->every, kCheckpointEveryMin) : Duration(24h);
    for (;;) {
        co_await io::sleep_for(every);
        if (!spec) continue;
        const Result<std::optional<Checkpoint>> stored = co_await store_checkpoint();
        if (!stored)
            log_.warning("a checkpoint was not stored", {{"cause", stored.error().message}});
        else if (*stored)
            deliver(CheckpointStored{**stored});
    }
}

io::Task<void> AttemptRun::store_before_stop() {
    if (!record_.stop->checkpoint_first || record_.phase != AttemptPhase::running ||
        !stores_checkpoints(*record_.start))
        co_return;
    const auto stored = co_await io::race(store_checkpoint(), io::sleep_for(kCheckpointFirstMax));
    if (stored && *stored && **stored) deliver(CheckpointStored{***stored});
}

io::Task<Event> AttemptRun::stop() {
    co_await store_before_stop();
    const std::string attempt = id();
    for (;;) {
        const Duration grace = record_.stop->grace;
        const Result<void> stopped = co_await context_.stops.run([this, &attempt, grace] {
            return context_.driver.stop(attempt, grace);
        });
        drivers::Status now = co_await status();
        if (now.state == drivers::RunState::prepared) now.cause = drivers::Cause::stopped;
        if (now.ended() || now.state == drivers::RunState::prepared) {
            co_await store_before_stop();  // what it wrote since it was told to end
            co_return co_await ended(now);
        }
        log_.error(
            "the attempt could not be stopped; trying again",
            {{"cause", stopped ? "it still runs" : stopped.error().message}}
        );
        co_await io::sleep_for(1s);
    }
}

io::Task<Metered> AttemptRun::metered(std::optional<Time> ended_at, bool is_end) {
    const std::string attempt = id();
    const Result<drivers::Reading> reading =
        co_await context_.engine.run([this, &attempt] { return context_.driver.meter(attempt); });
    Metered meter = record_.meter;
    const BootInstant now = context_.boot.now();
    if (is_end)
        meter.running_ms = running_ms_at_end(record_, ended_at, now);
    else if (record_.running_since && record_.running_since->boot_id == now.boot_id)
        meter.running_ms = std::max(meter.running_ms, now.ms - record_.running_since->ms);
    if (!reading) co_return meter;
    meter.cpu_ms = std::max(meter.cpu_ms, to_ms(reading->cpu_time));
    meter.memory_peak_mib =
        std::max(meter.memory_peak_mib, reading->memory_peak_bytes.value_or(0) >> 20);
    co_return meter;
}

io::Task<Event> AttemptRun::ended(drivers::Status status) {
    Ended ended{.cause = cause_of(status.cause), .detail = status.reason};
    if (status.exit_code) ended.exit_code = *status.exit_code;
    if (status.signal) ended.signal = *status.signal;
    const std::string attempt = id();
    ended.last_lines = co_await context_.engine.run([this, &attempt] {
        return last_lines(context_.driver, attempt, record_.log.byte);
    });
    ended.meter = co_await metered(status.ended_at, true);
    if (!record_.running_at) co_await flush_log();
    co_return ended;
}

}  // namespace penstock::agent
