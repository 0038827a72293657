// SPDX-License-Identifier: Apache-2.0
#include "sim/queue_trace.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace penstock::sim {
namespace {

constexpr double kSecondsMax = 1e12;
constexpr std::int64_t kAmountMax = 1'000'000'000;
constexpr std::int64_t kWhole = 1000;

class Reader {
  public:
    Reader(const Csv& csv, const QueueColumns& columns) : csv_(csv), columns_(columns) {}

    Result<void> find_columns() {
        for (const std::string_view field : kQueueFields) {
            const auto stated = columns_.find(std::string(field));
            if (stated != columns_.end())
                at_[std::string(field)] = TRY(csv_.column(stated->second));
            else if (const auto found = csv_.find_column(field))
                at_[std::string(field)] = *found;
        }
        if (!at_.contains("arrival")) return missing("arrival");
        if (!at_.contains("duration") && !at_.contains("start")) return missing("duration");
        if (!at_.contains("duration") && !at_.contains("end")) return missing("end");
        return {};
    }

    // False: the task never ran.
    Result<bool> read(std::size_t row, QueuedTask& task, double& arrival) {
        arrival = TRY(seconds(row, "arrival"));
        double lasts = 0;
        if (at_.contains("duration")) {
            if (csv_.text(row, at_["duration"]).empty()) return false;
            lasts = TRY(seconds(row, "duration"));
        } else {
            if (csv_.text(row, at_["start"]).empty()) return false;
            lasts = TRY(seconds(row, "end")) - TRY(seconds(row, "start"));
            if (lasts < 0) return csv_.wrong(row, at_["end"], "lies before the start");
        }
        task.lasts = span(std::max(lasts, 1.0));
        task.cpu_milli = TRY(amount(row, "cpu_milli", 0));
        task.memory_mib = TRY(amount(row, "memory_mib", 0));
        task.devices_milli =
            TRY(amount(row, "devices", 0)) * TRY(amount(row, "device_milli", kWhole));
        task.priority = TRY(amount(row, "priority", 0));
        task.models = models_of(row);
        return true;
    }
    std::string tenant(std::size_t row) const {
        const auto found = at_.find("tenant");
        return found == at_.end() ? "all" : csv_.text(row, found->second);
    }
    static Duration span(double seconds) {
        return Duration(static_cast<std::int64_t>(std::llround(seconds * 1e6)));
    }

  private:
    std::unexpected<Error> missing(const std::string& field) const {
        return fail(
            ErrorCode::invalid_argument, csv_.name() + ": no column for " + field +
                                             ": name one, for instance --map " + field + "=COLUMN"
        );
    }
    Result<double> seconds(std::size_t row, const std::string& field) const {
        return csv_.number(row, at_.at(field), -kSecondsMax, kSecondsMax);
    }
    Result<std::int64_t> amount(std::size_t row, const std::string& field, std::int64_t otherwise)
        const {
        const auto found = at_.find(field);
        if (found == at_.end()) return otherwise;
        return csv_.integer(row, found->second, 0, kAmountMax);
    }
    std::vector<std::string> models_of(std::size_t row) const {
        std::vector<std::string> models;
        const auto found = at_.find("models");
        if (found == at_.end()) return models;
        std::string_view rest = csv_.text(row, found->second);
        while (!rest.empty()) {
            const std::size_t end = std::min(rest.find('|'), rest.size());
            if (end > 0) models.emplace_back(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        return models;
    }

    const Csv& csv_;
    const QueueColumns& columns_;
    std::map<std::string, std::size_t> at_;
};

template <class Key>
std::size_t number_of(std::map<Key, std::size_t>& numbers, const Key& key) {
    return numbers.emplace(key, numbers.size()).first->second;
}

}  // namespace

Result<QueueColumns> parse_queue_columns(std::string_view text) {
    QueueColumns columns;
    while (!text.empty()) {
        const std::string_view pair = text.substr(0, text.find(','));
        text.remove_prefix(std::min(pair.size() + 1, text.size()));
        const std::size_t mark = std::min(pair.find('='), pair.size());
        const std::string_view field = pair.substr(0, mark);
        if (mark == pair.size() || std::ranges::find(kQueueFields, field) == std::end(kQueueFields))
            return fail(
                ErrorCode::invalid_argument,
                "'" + std::string(pair) +
                    "' is not FIELD=COLUMN; fields: arrival, duration, start, end, tenant, "
                    "priority, cpu_milli, memory_mib, devices, device_milli, models"
            );
        columns[std::string(field)] = std::string(pair.substr(mark + 1));
    }
    return columns;
}

Result<QueueTrace> read_queue_trace(const Csv& csv, const QueueColumns& columns, QueueCut cut) {
    Reader reader(csv, columns);
    TRY(reader.find_columns());
    QueueTrace trace;
    std::map<std::string, std::size_t> tenants;
    using Workload =
        std::tuple<std::size_t, std::int64_t, std::int64_t, std::int64_t, std::vector<std::string>>;
    std::map<Workload, std::size_t> workloads;
    std::vector<std::pair<double, QueuedTask>> read;
    for (std::size_t row = 0; row < csv.rows(); ++row) {
        QueuedTask task;
        double arrival = 0;
        const bool ran = TRY(reader.read(row, task, arrival));
        if (arrival < cut.from || arrival >= cut.to) continue;
        if (!ran) {
            ++trace.never_ran;
            continue;
        }
        const std::string tenant = reader.tenant(row);
        task.tenant = number_of(tenants, tenant);
        if (trace.tenants.size() < tenants.size()) trace.tenants.push_back(tenant);
        task.workload = number_of(
            workloads,
            Workload{task.tenant, task.cpu_milli, task.memory_mib, task.devices_milli, task.models}
        );
        read.emplace_back(arrival, std::move(task));
    }
    if (read.empty())
        return fail(
            ErrorCode::invalid_argument,
            csv.name() + ": no task that ran arrives between the bounds: see --from and --to"
        );
    std::vector<std::size_t> order(read.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
        return std::pair(read[a].first, a) < std::pair(read[b].first, b);
    });
    const double first = read[order.front()].first;
    for (const std::size_t i : order) {
        read[i].second.arrival = Reader::span(read[i].first - first);
        trace.tasks.push_back(std::move(read[i].second));
    }
    trace.workloads = workloads.size();
    return trace;
}

}  // namespace penstock::sim
