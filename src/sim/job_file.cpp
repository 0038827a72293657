// SPDX-License-Identifier: Apache-2.0
#include "sim/job_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace penstock::sim {
namespace {

constexpr std::array<std::string_view, 7> kFields = {"arrival", "devices", "duration", "start",
                                                     "end",     "steps",   "type"};
constexpr double kSecondsMax = 1e12;
constexpr double kStepsMax = 1e15;
constexpr std::int64_t kDevicesMax = 1'000'000;
constexpr double kMillisecondsASecond = 1e3;
constexpr double kMillisecondsAnHour = 3600e3;
constexpr std::uint64_t kTypeStream = 0x6A747970ULL;

class Reader {
  public:
    Reader(const Csv& csv, const JobColumns& columns, ThroughputTable table, std::uint64_t seed)
        : csv_(csv),
          columns_(columns),
          has_table_(!table.types.empty()),
          types_(seed ^ kTypeStream) {
        file_.table = std::move(table);
    }

    Result<JobFile> read() {
        TRY(find_columns());
        if (csv_.rows() > kJobFileRowsMax)
            return fail(
                ErrorCode::invalid_argument,
                fmt::format("{}: has more than {} rows", csv_.name(), kJobFileRowsMax)
            );
        for (std::size_t row = 0; row < csv_.rows(); ++row) TRY(read_row(row));
        if (file_.jobs.empty())
            return fail(ErrorCode::invalid_argument, csv_.name() + ": no job that ran on a device");
        sort_by_arrival();
        const std::int64_t first = file_.jobs.front().arrived_ms;
        for (ArrivingJob& job : file_.jobs) job.arrived_ms -= first;
        const auto span =
            static_cast<double>(std::max<std::int64_t>(1, file_.jobs.back().arrived_ms));
        file_.jobs_per_hour = static_cast<double>(file_.jobs.size()) * kMillisecondsAnHour / span;
        return std::move(file_);
    }

  private:
    void sort_by_arrival() {
        std::vector<std::size_t> order(file_.jobs.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::ranges::sort(order, {}, [&](std::size_t i) {
            return std::pair(file_.jobs[i].arrived_ms, i);
        });
        std::vector<ArrivingJob> sorted;
        for (const std::size_t i : order) sorted.push_back(file_.jobs[i]);
        file_.jobs = std::move(sorted);
    }
    Result<void> find_columns() {
        for (const std::string_view field : kFields) {
            const auto named = columns_.find(std::string(field));
            if (named != columns_.end())
                at_[std::string(field)] = TRY(csv_.column(named->second));
            else if (const auto found = csv_.find_column(field))
                at_[std::string(field)] = *found;
        }
        for (const std::string_view field : {"arrival", "devices"})
            if (!has(field)) return missing(std::string(field));
        if (has("steps") || has("duration") || (has("start") && has("end"))) return {};
        return missing("steps, duration, or start and end");
    }
    std::unexpected<Error> missing(const std::string& fields) const {
        return fail(
            ErrorCode::invalid_argument,
            csv_.name() + ": no column for " + fields + ": name it with --job-columns FIELD=COLUMN"
        );
    }
    bool has(std::string_view field) const { return at_.contains(std::string(field)); }
    std::size_t at(std::string_view field) const { return at_.at(std::string(field)); }

    Result<void> read_row(std::size_t row) {
        const std::int64_t devices = TRY(csv_.integer(row, at("devices"), 0, kDevicesMax));
        if (devices == 0) {
            ++file_.without_devices;
            return {};
        }
        const double arrival = TRY(csv_.number(row, at("arrival"), 0, kSecondsMax));
        const double work = TRY(work_of(row));
        if (work <= 0) {
            ++file_.never_ran;
            return {};
        }
        ArrivingJob job{.arrived_ms = std::llround(arrival * kMillisecondsASecond)};
        job.type = TRY(type_of(row, devices));
        const double rate = has("steps") ? 1 : reference_rate(file_.table.types[job.type]);
        job.steps = std::max(1.0, std::round(work * rate));
        job.steps_declared = job.steps;
        file_.jobs.push_back(job);
        return {};
    }

    // Steps, or seconds; 0: it never ran.
    Result<double> work_of(std::size_t row) const {
        if (has("steps")) return csv_.number(row, at("steps"), 0, kStepsMax);
        if (has("duration")) {
            if (csv_.text(row, at("duration")).empty()) return 0;
            return csv_.number(row, at("duration"), 0, kSecondsMax);
        }
        if (csv_.text(row, at("start")).empty() || csv_.text(row, at("end")).empty()) return 0;
        const double start = TRY(csv_.number(row, at("start"), 0, kSecondsMax));
        const double end = TRY(csv_.number(row, at("end"), 0, kSecondsMax));
        if (end < start) return csv_.wrong(row, at("end"), "lies before the start");
        return end - start;
    }

    static double reference_rate(const JobType& type) {
        return *std::ranges::find_if(type.rate, [](double rate) { return rate > 0; });
    }
    static bool runs_somewhere(const JobType& type) {
        return std::ranges::any_of(type.rate, [](double rate) { return rate > 0; });
    }

    Result<std::size_t> type_of(std::size_t row, std::int64_t devices) {
        std::vector<JobType>& types = file_.table.types;
        const std::string name = has("type") && has_table_ ? csv_.text(row, at("type")) : "";
        std::vector<std::size_t> fitting;
        for (std::size_t i = 0; i < types.size(); ++i)
            if (types[i].devices == devices && runs_somewhere(types[i]) &&
                (name.empty() || types[i].name == name))
                fitting.push_back(i);
        if (!fitting.empty()) return fitting[types_.below(fitting.size())];
        if (has_table_)
            return csv_.wrong(
                row, at(name.empty() ? "devices" : "type"),
                fmt::format(
                    "the throughput table has no type{} of {} devices",
                    name.empty() ? "" : " '" + name + "'", devices
                )
            );
        types.push_back(
            {.name = fmt::format("{} devices", devices),
             .devices = devices,
             .rate = std::vector<double>(file_.table.kinds.size(), 1)}
        );
        return types.size() - 1;
    }

    const Csv& csv_;
    const JobColumns& columns_;
    bool has_table_;
    SeededRandom types_;
    std::map<std::string, std::size_t> at_;
    JobFile file_;
};

}  // namespace

Result<JobColumns> parse_job_columns(std::string_view text) {
    JobColumns columns;
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), part.size() + 1));
        const std::size_t equals = part.find('=');
        const std::string field(part.substr(0, equals));
        if (equals == std::string_view::npos || std::ranges::find(kFields, field) == kFields.end())
            return fail_field(
                ErrorCode::invalid_argument, "--job-columns",
                fmt::format(
                    "'{}' is not FIELD=COLUMN with one of the fields {}", part,
                    fmt::join(kFields, ", ")
                )
            );
        columns[field] = part.substr(equals + 1);
    }
    return columns;
}

Result<JobFile> read_job_file(
    const Csv& csv, const JobColumns& columns, ThroughputTable table, std::uint64_t seed
) {
    return Reader(csv, columns, std::move(table), seed).read();
}

std::vector<ArrivingJob> at_pace(const JobFile& file, double jobs_per_hour) {
    std::vector<ArrivingJob> jobs = file.jobs;
    const double times = file.jobs_per_hour / jobs_per_hour;
    for (ArrivingJob& job : jobs)
        job.arrived_ms = std::llround(static_cast<double>(job.arrived_ms) * times);
    return jobs;
}

}  // namespace penstock::sim
