// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "agent/attempt_machine.h"
#include "agent/context.h"
#include "io/event.h"

namespace penstock::agent {

// Carries out the life of one attempt: does the step that its record asks for, tells the state
// machine what came of it, and makes both record and reports durable before the next step. On the
// loop's thread; the record is its own. Cancelling run() at any point loses nothing.
class AttemptRun {
  public:
    static constexpr Duration kPollFirst = 20ms;  // of a run's status
    static constexpr Duration kPollLongest = 250ms;
    static constexpr Duration kSetupMax = 1h;             // `setup` is not charged, so it must end
    static constexpr Duration kMeterSaveEvery = 10s;      // what a power cut may cost the meter
    static constexpr Duration kCheckpointFirstMax = 60s;  // before a stop that asks for one
    static constexpr Duration kLogFlushMax = 5s;     // so that the last lines come before the end
    static constexpr Duration kLogDrainMax = 10min;  // then what is left of the log is given up
    static constexpr Duration kAcceleratorWaitMax = 2min;  // for those before it to let go
    static constexpr Duration kSaveRetryEvery = 1s;
    static constexpr Duration kCheckpointEveryMin = 1s;
    static constexpr int kPackTriesMax = 3;  // a file that vanishes meanwhile is usual

    AttemptRun(Context& context, AttemptRecord record);
    ~AttemptRun();
    AttemptRun(const AttemptRun&) = delete;
    AttemptRun& operator=(const AttemptRun&) = delete;

    // Until nothing is left to do: released, and every report acknowledged.
    io::Task<void> run();
    // From outside: a stop. Applies now, is durable soon.
    void deliver(Event event);
    // Numbers reports and puts them into the outbox.
    void submit(Reports reports);
    void acknowledge(std::int64_t seq);
    // All unacknowledged reports get new numbers: the server knows higher ones than we do.
    void renumber();
    // From its being spawned until run() has ended.
    bool is_running() const { return active_; }
    void mark_running() { active_ = true; }

    // Somebody who is not run() uses it: it may not be forgotten meanwhile.
    class Pin {
      public:
        explicit Pin(AttemptRun* run) : run_(run) { ++run_->pins_; }
        ~Pin() { --run_->pins_; }
        Pin(const Pin&) = delete;
        Pin& operator=(const Pin&) = delete;

      private:
        AttemptRun* run_;
    };
    bool is_idle() const { return !active_ && pins_ == 0; }

    const AttemptRecord& record() const { return record_; }
    std::string id() const { return to_string(record_.attempt_id); }

    // For the log's way to the server. The driver has a log from `starting` on.
    bool has_log() const;
    void log_stored(LogPosition position) { record_.log = position; }
    void log_sent(bool all) { set(log_sent_, all); }
    void log_done() { set(log_done_, true); }
    bool is_log_done() const { return log_done_; }

  private:
    io::Task<bool> live();
    io::Task<void> save_loop();
    io::Task<void> saved();
    io::Task<void> left(Step step);
    void changed();
    void set(bool& flag, bool value);

    io::Task<Event> perform(Step step);
    io::Task<Event> stage();
    io::Task<std::optional<StageFailed>> stage_archive(
        std::string sha256, std::string folder, const char* what
    );
    io::Task<std::optional<StageFailed>> stage_input(StagedInput input, std::string work);
    io::Task<Event> start();
    io::Task<std::optional<StartFailed>> hold_accelerators();
    io::Task<std::optional<StartFailed>> hold_port();
    io::Task<Event> await_run();
    io::Task<void> let_go();
    io::Task<Event> probe();
    io::Task<bool> is_ready();
    io::Task<Event> watch();
    io::Task<Event> watch_process();
    io::Task<void> store_checkpoints();
    io::Task<Event> stop();
    // Where the stop asks for it.
    io::Task<void> store_before_stop();
    io::Task<Event> release();

    io::Task<Event> collect();
    io::Task<void> collect_outputs(Collected* collected);
    io::Task<Result<std::optional<Checkpoint>>> store_checkpoint();
    io::Task<drivers::Status> status();
    io::Task<Event> ended(drivers::Status status);
    io::Task<Metered> metered(std::optional<Time> ended_at, bool is_end);
    io::Task<void> flush_log();
    BootInstant running_since(const drivers::Status& status) const;
    std::string scratch_file(std::string_view name) const;
    std::string service_url() const;

    Context& context_;
    AttemptRecord record_;
    std::int64_t version_ = 1;  // of the record in memory
    std::int64_t saved_ = 0;    // of the record on disk
    io::Event changed_;
    bool active_ = false;
    int pins_ = 0;
    bool log_sent_ = false;
    bool log_done_ = false;
    std::string probe_problem_;  // the last answer that was not ready
    telemetry::Logger log_;
};

}  // namespace penstock::agent
