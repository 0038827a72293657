// SPDX-License-Identifier: Apache-2.0
#include "sim/shared_training.h"

#include <fmt/format.h>

#include <algorithm>

#include "timeshare/sharer.h"

namespace penstock::sim {
namespace {

constexpr double kSecondsAnHour = 3600;
constexpr double kMillisecond = 1e-3;

struct ActiveJob {
    timeshare::JobNumber number = 0;  // by arrival
    std::size_t type = 0;
    double arrived_s = 0;
    double steps = 0;
    double steps_declared = 0;
    double done = 0;
    double waiting_since_s = 0;
};

class Cluster {
  public:
    Cluster(
        const ThroughputTable& table, JobSource jobs, const SharedTrainingOptions& options,
        std::unique_ptr<timeshare::Sharer> sharer
    )
        : table_(table),
          options_(options),
          next_job_(std::move(jobs)),
          sharer_(std::move(sharer)),
          coming_(next_job_()) {
        problem_.move_s = options.move_seconds;
        result_.hours.assign(options.measured_last - options.measured_first, 0);
        for (std::size_t j = 0; j < options.devices.size(); ++j) {
            problem_.kinds.push_back({.devices = options.devices[j]});
            if (!options.price_per_hour.empty())
                problem_.kinds.back().price_per_hour = options.price_per_hour[j];
            devices_ += static_cast<double>(options.devices[j]);
        }
    }

    Result<SharedTrainingResult> run(Progress& progress) {
        while (ended_ < result_.hours.size()) {
            if (round_ == kRoundsMax)
                return fail(
                    ErrorCode::resource_exhausted,
                    fmt::format("jobs have not ended after {} rounds: too few devices", round_)
                );
            TRY(admit());
            if (active_.empty()) {
                if (!coming_) return too_few_jobs();
                round_ = round_at_or_after(coming_->arrived_ms);
                continue;
            }
            TRY(play_round());
            progress.done(ended_);
        }
        result_.rounds = round_;
        result_.busy_percent = 100 * busy_s_ / (devices_ * round_s_ * static_cast<double>(round_));
        return std::move(result_);
    }

  private:
    static std::int64_t round_at_or_after(std::int64_t ms) {
        const std::int64_t round_ms = timeshare::kRound / 1ms;
        return (ms + round_ms - 1) / round_ms;
    }

    double now_s() const { return static_cast<double>(round_) * round_s_; }

    std::unexpected<Error> too_few_jobs() const {
        return fail_field(
            ErrorCode::invalid_argument, "measure",
            fmt::format("only {} jobs come, fewer than are to be measured", arrived_)
        );
    }

    Result<void> check_fits(const JobType& type) const {
        for (std::size_t j = 0; j < type.rate.size(); ++j)
            if (type.rate[j] > 0 && problem_.kinds[j].devices >= type.devices) return {};
        return fail_field(
            ErrorCode::invalid_argument, "devices",
            fmt::format(
                "job {} needs {} devices at once, more than any kind that it runs on has",
                arrived_ + 1, type.devices
            )
        );
    }

    Result<void> admit() {
        while (coming_ && round_at_or_after(coming_->arrived_ms) <= round_) {
            TRY(check_fits(table_.types[coming_->type]));
            const double arrived_s = static_cast<double>(coming_->arrived_ms) * kMillisecond;
            active_.push_back(
                {.number = arrived_++,
                 .type = coming_->type,
                 .arrived_s = arrived_s,
                 .steps = coming_->steps,
                 .steps_declared = coming_->steps_declared,
                 .waiting_since_s = arrived_s}
            );
            last_.emplace_back();
            coming_ = next_job_();
        }
        return {};
    }

    // What a scheduler can know of each job: never its true steps.
    void describe() {
        problem_.jobs.resize(active_.size());
        numbers_.resize(active_.size());
        for (std::size_t i = 0; i < active_.size(); ++i) {
            const ActiveJob& job = active_[i];
            const JobType& type = table_.types[job.type];
            timeshare::Job& seen = problem_.jobs[i];
            numbers_[i] = job.number;
            seen.devices = type.devices;
            seen.rate = type.rate;
            seen.steps_left = timeshare::steps_left(job.steps_declared, job.done);
            seen.served_s = job.done / timeshare::best_rate(problem_, seen);
            seen.elapsed_s = now_s() - job.arrived_s;
            seen.waited_s = last_[i] ? 0 : now_s() - job.waiting_since_s;
        }
    }

    Result<void> play_round() {
        describe();
        timeshare::Places places = TRY(sharer_->next(problem_, numbers_, last_));
        std::vector<bool> gone(active_.size(), false);
        for (std::size_t i = 0; i < active_.size(); ++i)
            if (places[i])
                gone[i] = run_job(i, *places[i]);
            else if (last_[i])
                active_[i].waiting_since_s = now_s();
        std::size_t kept = 0;
        for (std::size_t i = 0; i < active_.size(); ++i) {
            if (gone[i]) continue;
            active_[kept] = active_[i];
            places[kept++] = places[i];
        }
        active_.resize(kept);
        places.resize(kept);
        last_ = std::move(places);
        ++round_;
        return {};
    }

    // One round on a kind; whether it ended.
    bool run_job(std::size_t i, std::size_t kind) {
        ActiveJob& job = active_[i];
        const JobType& type = table_.types[job.type];
        const bool moved = last_[i] != kind;
        const double lost_s = moved ? options_.move_seconds : 0;
        if (moved) ++result_.moves;
        const double needed_s = lost_s + (job.steps - job.done) / type.rate[kind];
        busy_s_ += static_cast<double>(type.devices) * std::min(needed_s, round_s_);
        if (needed_s > round_s_) {
            job.done += (round_s_ - lost_s) * type.rate[kind];
            return false;
        }
        if (job.number >= options_.measured_first && job.number < options_.measured_last) {
            result_.hours[job.number - options_.measured_first] =
                (now_s() + needed_s - job.arrived_s) / kSecondsAnHour;
            ++ended_;
        }
        return true;
    }

    const ThroughputTable& table_;
    const SharedTrainingOptions& options_;
    JobSource next_job_;
    std::unique_ptr<timeshare::Sharer> sharer_;
    std::optional<ArrivingJob> coming_;
    const double round_s_ = to_seconds(timeshare::kRound);
    timeshare::Problem problem_;
    std::vector<timeshare::JobNumber> numbers_;
    std::vector<ActiveJob> active_;
    timeshare::Places last_;  // beside active_
    std::int64_t round_ = 0;
    timeshare::JobNumber arrived_ = 0;
    std::size_t ended_ = 0;  // of those measured
    double devices_ = 0;
    double busy_s_ = 0;
    SharedTrainingResult result_;
};

Result<void> check(const ThroughputTable& table, const SharedTrainingOptions& options) {
    const auto refused = [](const char* field, std::string what) {
        return fail_field(ErrorCode::invalid_argument, field, std::move(what));
    };
    if (options.devices.size() != table.kinds.size())
        return refused("devices", "give a number of devices for each kind");
    if (!options.price_per_hour.empty() && options.price_per_hour.size() != table.kinds.size())
        return refused("prices", "give a price for each kind");
    if (options.measured_last <= options.measured_first || options.measured_last > kMeasuredJobsMax)
        return refused(
            "measure", fmt::format("give FIRST..LAST within 0 and {}", kMeasuredJobsMax)
        );
    if (!(options.move_seconds >= 0 && options.move_seconds < to_seconds(timeshare::kRound)))
        return refused(
            "move_seconds",
            fmt::format("a move takes 0 to {} s, less than a round", to_seconds(timeshare::kRound))
        );
    return {};
}

}  // namespace

Result<SharedTrainingResult> share_training(
    const ThroughputTable& table, JobSource jobs, const SharedTrainingOptions& options,
    Progress& progress
) {
    TRY(check(table, options));
    Cluster cluster(table, std::move(jobs), options, TRY(timeshare::make_sharer(options.policy)));
    return cluster.run(progress);
}

Result<SharedTrainingResult> share_training(
    const ThroughputTable& table, const JobStreamOptions& stream,
    const SharedTrainingOptions& options, Progress& progress
) {
    JobStream made_up = TRY(JobStream::start(table, stream));
    return share_training(table, [&] { return std::optional(made_up.next()); }, options, progress);
}

}  // namespace penstock::sim
