// SPDX-License-Identifier: Apache-2.0
#include "sim/queue.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>

#include "scheduler/start_record.h"
#include "sim/queue_yard.h"

namespace penstock::sim {
namespace {

constexpr std::int64_t kMilli = 1000;
constexpr std::array<std::string_view, 5> kSizes = {
    "no device", "share of one", "one device", "2 to 7", "8 and more"
};

std::size_t size_of(const QueuedTask& task) {
    if (task.devices_milli == 0) return 0;
    if (task.devices_milli < kMilli) return 1;
    if (task.devices_milli == kMilli) return 2;
    return task.devices_milli < 8 * kMilli ? 3 : 4;
}

double device_seconds(const QueuedTask& task) {
    return static_cast<double>(task.devices_milli) / kMilli * to_seconds(task.lasts);
}

Capacity capacity_of(const placement::NodeSpec& node, const ModelNames& models) {
    Capacity capacity{.cpu_milli = node.cpu_milli, .memory_mib = node.memory_mib};
    if (node.devices > 0)
        capacity.accelerator_milli[models.names()[node.model]] = node.devices * kMilli;
    return capacity;
}

// As many nodes, drawn by the seed, as make the load; all of them where none is stated.
std::vector<Capacity> choose_nodes(
    const ClusterTrace& cluster, const QueueTrace& trace, const QueueOptions& options
) {
    std::vector<std::size_t> order(cluster.nodes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    double wanted = HUGE_VAL;
    if (options.load > 0) {
        SeededRandom random(options.seed);
        for (std::size_t i = order.size(); i > 1; --i)
            std::swap(order[i - 1], order[random.below(i)]);
        double asked = 0;
        for (const QueuedTask& task : trace.tasks) asked += device_seconds(task);
        const double span = std::max(to_seconds(trace.tasks.back().arrival), 1.0);
        wanted = asked / span / options.load;
    }
    std::vector<Capacity> nodes;
    double devices = 0;
    for (const std::size_t i : order) {
        if (devices >= wanted) break;
        if (options.load > 0 && cluster.nodes[i].devices == 0) continue;
        nodes.push_back(capacity_of(cluster.nodes[i], cluster.models));
        if (!cluster.memory_known) nodes.back().memory_mib = INT32_MAX;
        devices += cluster.nodes[i].devices;
    }
    return nodes;
}

double quantile(const std::vector<double>& sorted, double share) {
    if (sorted.empty()) return 0;
    const auto rank =
        static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
    return sorted[std::max<std::size_t>(rank, 1) - 1];
}

WaitGroup group_of(std::string name, std::vector<double> waits) {
    std::ranges::sort(waits);
    WaitGroup group{.name = std::move(name), .tasks = waits.size()};
    if (waits.empty()) return group;
    group.mean_s =
        std::accumulate(waits.begin(), waits.end(), 0.0) / static_cast<double>(waits.size());
    group.p50_s = quantile(waits, 0.5);
    group.p90_s = quantile(waits, 0.9);
    group.p99_s = quantile(waits, 0.99);
    return group;
}

double wait_of(const QueueJob& job) { return to_seconds(*job.first_started - job.arrived); }

// Estimates are made as of the arrival.
Calibration calibrate(const std::vector<QueueJob>& jobs) {
    Calibration result;
    std::vector<double> errors, waits;
    for (const QueueJob& job : jobs) {
        if (!job.was_foretold || !job.first_started) continue;
        ++result.foretold;
        const Duration wait = *job.first_started - job.arrived;
        if (job.foretold.p10 && job.foretold.p90) {
            ++result.bounded;
            if (wait < *job.foretold.p10)
                ++result.early;
            else if (wait > *job.foretold.p90)
                ++result.late;
            else
                ++result.inside;
        }
        if (!job.foretold.p50) continue;
        ++result.expected;
        errors.push_back(std::abs(to_seconds(wait - *job.foretold.p50)));
        waits.push_back(to_seconds(wait));
    }
    std::ranges::sort(errors);
    std::ranges::sort(waits);
    result.median_error_s = quantile(errors, 0.5);
    result.median_wait_s = quantile(waits, 0.5);
    return result;
}

class Replay {
  public:
    Replay(
        const std::vector<Capacity>& nodes, const QueueTrace& trace, const QueueOptions& options,
        const QueueDiscipline& discipline
    )
        : trace_(trace), options_(options), discipline_(discipline), yard_(nodes, trace, options) {}

    void run(Progress& progress) {
        progress.begin(discipline_.name, trace_.tasks.size());
        std::size_t next = 0;
        while (next < trace_.tasks.size() || yard_.next_end()) {
            const std::optional<Time> end = yard_.next_end();
            Time at = end.value_or(Time::max());
            if (next < trace_.tasks.size()) at = std::min(at, Time(trace_.tasks[next].arrival));
            yard_.end_until(at);
            const std::size_t first = next;
            while (next < trace_.tasks.size() && Time(trace_.tasks[next].arrival) <= at) {
                if (!yard_.arrive(next, at)) ++impossible_;
                ++next;
            }
            yard_.round(discipline_.rules, promises_, at);
            learn();
            for (std::size_t job = first; job < next; ++job) foretell(job);
            progress.done(next);
        }
    }

    std::size_t impossible() const { return impossible_; }

    QueueOutcome outcome(std::int64_t devices) const {
        QueueOutcome outcome{.discipline = discipline_.name};
        std::vector<std::vector<double>> by_tenant(trace_.tenants.size()), by_size(kSizes.size());
        Time last{};
        for (const QueueJob& job : yard_.jobs()) {
            if (!job.first_started) continue;
            const QueuedTask& task = trace_.tasks[job.task];
            const double wait = wait_of(job);
            outcome.waits_s.push_back(wait);
            by_tenant[task.tenant].push_back(wait);
            by_size[size_of(task)].push_back(wait);
            last = std::max(last, *job.first_started);
        }
        std::ranges::sort(outcome.waits_s);
        outcome.all = group_of("all", outcome.waits_s);
        for (std::size_t i = 0; i < by_tenant.size(); ++i)
            outcome.by_tenant.push_back(group_of(trace_.tenants[i], std::move(by_tenant[i])));
        for (std::size_t i = 0; i < by_size.size(); ++i)
            outcome.by_size.push_back(group_of(std::string(kSizes.at(i)), std::move(by_size[i])));
        outcome.evictions = yard_.evictions();
        outcome.device_hours_lost = yard_.device_seconds_lost() / 3600;
        const double capacity =
            static_cast<double>(devices) * to_seconds(yard_.last_end() - Time{});
        if (capacity > 0)
            outcome.devices_busy_percent = 100 * yard_.device_seconds_used() / capacity;
        outcome.calibration = calibrate(yard_.jobs());
        return outcome;
    }

  private:
    // Of those that were foretold and have started now.
    void learn() {
        std::erase_if(foretold_, [&](std::size_t index) {
            const QueueJob& job = yard_.jobs()[index];
            if (!job.first_started) return false;
            if (job.foretold_raw) record_.add(*job.foretold_raw, *job.first_started - job.arrived);
            return true;
        });
    }
    void foretell(std::size_t index) {
        QueueJob& job = yard_.jobs()[index];
        if (job.done || job.first_started || estimates_ == options_.estimates_max) return;
        ++estimates_;
        const scheduler::WaitQuantiles raw = yard_.foretell(index);
        job.foretold_raw = raw.p50;
        job.foretold = record_.corrected(raw);
        job.was_foretold = true;
        foretold_.insert(index);
    }

    const QueueTrace& trace_;
    const QueueOptions& options_;
    const QueueDiscipline& discipline_;
    ReplayYard yard_;
    scheduler::Reservations promises_;
    std::size_t impossible_ = 0;
    std::size_t estimates_ = 0;
    scheduler::StartRecord record_;
    std::set<std::size_t> foretold_;  // and not started
};

}  // namespace

Result<QueueDiscipline> queue_discipline(const std::string& name) {
    if (name == "reservations") return QueueDiscipline{name, {}};
    if (name == "passing") return QueueDiscipline{name, {.promise = false}};
    if (name == "strict") return QueueDiscipline{name, {.pass = false, .promise = false}};
    return fail(
        ErrorCode::invalid_argument,
        "no discipline '" + name + "': there are reservations, passing and strict"
    );
}

Result<QueueReport> simulate_queue(
    const ClusterTrace& cluster, const QueueTrace& trace, const QueueOptions& options,
    Progress& progress
) {
    for (const TenantRules& rules : options.tenants)
        if (std::ranges::find(trace.tenants, rules.tenant) == trace.tenants.end())
            return fail(
                ErrorCode::invalid_argument,
                "no task is of tenant '" + rules.tenant + "': check the column of tenants"
            );
    const std::vector<Capacity> nodes = choose_nodes(cluster, trace, options);
    QueueReport report{
        .nodes = nodes.size(),
        .tasks = trace.tasks.size(),
        .never_ran = trace.never_ran,
        .span_s = to_seconds(trace.tasks.back().arrival)
    };
    for (const Capacity& node : nodes)
        for (const auto& [model, milli] : node.accelerator_milli) report.devices += milli / kMilli;
    for (const QueueDiscipline& discipline : options.disciplines) {
        Replay replay(nodes, trace, options, discipline);
        replay.run(progress);
        report.impossible = replay.impossible();
        report.outcomes.push_back(replay.outcome(report.devices));
    }
    return report;
}

}  // namespace penstock::sim
