// SPDX-License-Identifier: Apache-2.0
#include "sim/site_tasks.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/random.h"

namespace penstock::sim {
namespace {

constexpr double kSecondsMax = 1e9;
constexpr double kGigabytesMax = 1e6;
constexpr double kBytesPerGb = 1e9;
constexpr double kWorkMax = 1e7;
constexpr std::int64_t kDevicesMax = 1024;
constexpr std::uint64_t kMixStream = 0x7369746573ULL;

Duration seconds(double count) {
    return std::chrono::round<Duration>(std::chrono::duration<double>(count));
}

std::int64_t bytes(double gigabytes) { return std::llround(gigabytes * kBytesPerGb); }

Result<std::size_t> place_at(
    const SiteScenario& scenario, const Csv& csv, std::size_t row, std::size_t column
) {
    const auto found = std::ranges::find(scenario.places, csv.text(row, column));
    if (found == scenario.places.end())
        return csv.wrong(
            row, column, "'" + csv.text(row, column) + "' is no place of the links file"
        );
    return static_cast<std::size_t>(found - scenario.places.begin());
}

template <class T, std::size_t N>
T one_of(Random& random, const std::array<T, N>& values) {
    return values.at(random.below(N));
}

SiteTask made_up_task(Random& random) {
    constexpr std::array kShortHours = {0.25, 0.5, 1.0};
    constexpr std::array kJobHours = {2.0, 4.0, 8.0};
    constexpr std::array kTrainingHours = {8.0, 16.0, 32.0};
    constexpr std::array<std::int64_t, 3> kShortDevices = {1, 1, 2};
    constexpr std::array<std::int64_t, 3> kJobDevices = {1, 2, 4};
    constexpr std::array<std::int64_t, 2> kTrainingDevices = {4, 8};
    constexpr std::array kShortGb = {0.1, 1.0, 5.0};
    constexpr std::array kJobGb = {5.0, 20.0, 50.0};
    constexpr std::array kTrainingGb = {50.0, 100.0, 400.0};
    constexpr double kResultShare = 0.1;  // of the data
    constexpr std::uint64_t kOfFive = 5;
    SiteTask task;
    double hours = 0, gigabytes = 0;
    const std::uint64_t kind = random.below(kOfFive);
    if (kind < 2) {
        hours = one_of(random, kShortHours);
        task.devices = one_of(random, kShortDevices);
        gigabytes = one_of(random, kShortGb);
    } else {
        const bool training = kind == kOfFive - 1;
        hours = one_of(random, training ? kTrainingHours : kJobHours);
        task.devices = training ? one_of(random, kTrainingDevices) : one_of(random, kJobDevices);
        gigabytes = one_of(random, training ? kTrainingGb : kJobGb);
        const double lengths = 2 + static_cast<double>(random.below(3));
        task.deadline = 24h + seconds(lengths * hours * 3600);
    }
    task.work = hours * static_cast<double>(task.devices);
    task.data_bytes = bytes(gigabytes);
    task.result_bytes = bytes(gigabytes * kResultShare);
    return task;
}

// Equal arrivals keep their order.
std::vector<SiteTask> sorted_by_arrival(const std::vector<SiteTask>& tasks) {
    std::vector<std::size_t> order(tasks.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(tasks[i].arrival, i); });
    std::vector<SiteTask> sorted;
    sorted.reserve(tasks.size());
    for (const std::size_t i : order) sorted.push_back(tasks[i]);
    return sorted;
}

}  // namespace

Result<std::vector<SiteTask>> read_site_tasks(const Csv& csv, const SiteScenario& scenario) {
    const auto arrival = TRY(csv.column("arrival_s")), user = TRY(csv.column("user"));
    const auto data = TRY(csv.column("data")), data_gb = TRY(csv.column("data_gb"));
    const auto result_gb = TRY(csv.column("result_gb")), devices = TRY(csv.column("devices"));
    const auto work = TRY(csv.column("work_hours")), deadline = TRY(csv.column("deadline_s"));
    if (csv.rows() == 0 || csv.rows() > kSiteTasksMax)
        return fail(
            ErrorCode::invalid_argument,
            csv.name() + ": 1 to " + std::to_string(kSiteTasksMax) + " tasks are expected"
        );
    std::vector<SiteTask> tasks;
    tasks.reserve(csv.rows());
    for (std::size_t row = 0; row < csv.rows(); ++row) {
        SiteTask task{
            .arrival = seconds(TRY(csv.number(row, arrival, 0, kSecondsMax))),
            .user = TRY(place_at(scenario, csv, row, user)),
            .data = TRY(place_at(scenario, csv, row, data)),
            .data_bytes = bytes(TRY(csv.number(row, data_gb, 0, kGigabytesMax))),
            .result_bytes = bytes(TRY(csv.number(row, result_gb, 0, kGigabytesMax))),
            .devices = TRY(csv.integer(row, devices, 1, kDevicesMax)),
            .work = TRY(csv.number(row, work, 1e-6, kWorkMax))
        };
        if (!csv.text(row, deadline).empty())
            task.deadline = seconds(TRY(csv.number(row, deadline, 1, kSecondsMax)));
        tasks.push_back(task);
    }
    return sorted_by_arrival(tasks);
}

std::vector<SiteTask> made_up_site_tasks(
    const SiteScenario& scenario, std::size_t count, Duration length, std::uint64_t seed
) {
    SeededRandom random(seed ^ kMixStream);
    std::vector<SiteTask> tasks;
    tasks.reserve(count);
    std::vector<std::size_t> with_site;  // places that have one, so that data can lie there
    for (std::size_t i = 0; i < scenario.places.size(); ++i)
        if (std::ranges::find(scenario.sites, scenario.places[i], &SiteSpec::name) !=
            scenario.sites.end())
            with_site.push_back(i);
    for (std::size_t i = 0; i < count; ++i) {
        SiteTask task = made_up_task(random);
        const auto seconds_in = std::chrono::floor<std::chrono::seconds>(length).count();
        task.arrival = std::chrono::seconds(random.below(static_cast<std::uint64_t>(seconds_in)));
        task.user = random.below(scenario.places.size());
        task.data = task.user;
        if (random.below(2) == 0 && !with_site.empty())
            task.data = with_site[random.below(with_site.size())];
        tasks.push_back(task);
    }
    return sorted_by_arrival(tasks);
}

}  // namespace penstock::sim
