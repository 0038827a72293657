// SPDX-License-Identifier: Apache-2.0
#include "scheduler/line_queue.h"

#include <algorithm>
#include <cmath>

namespace penstock::scheduler {
namespace {

constexpr double kMicros = 1e6;  // of a second
// What is owed to shares alone for a second that went otherwise.
constexpr double kOwedPart = (1 - kDeadlinePart) / kDeadlinePart;

bool is_before(const LineDemand& left, const LineDemand& right) {
    return std::pair(left.expires_at, left.batch) < std::pair(right.expires_at, right.batch);
}

// What each demand has of one place per second, by shares: organisations, projects, and of a
// project the first deadline.
std::vector<double> parts_of(
    const std::vector<LineDemand>& demands, const std::vector<bool>& takes_part,
    const LineShares& shares
) {
    std::map<OrganisationId, std::map<ProjectId, std::size_t>> first;
    for (std::size_t at = 0; at < demands.size(); ++at) {
        if (!takes_part[at]) continue;
        auto& projects = first[demands[at].tenant.organisation];
        const auto [held, is_new] = projects.try_emplace(demands[at].tenant.project, at);
        if (!is_new && is_before(demands[at], demands[held->second])) held->second = at;
    }
    double of_all = 0;
    for (const auto& [organisation, projects] : first)
        of_all += static_cast<double>(shares.weight_of(organisation));
    std::vector<double> parts(demands.size(), 0);
    for (const auto& [organisation, projects] : first) {
        double of_own = 0;
        for (const auto& [project, at] : projects)
            of_own += static_cast<double>(shares.weight_of(demands[at].tenant));
        const double part = static_cast<double>(shares.weight_of(organisation)) / of_all;
        for (const auto& [project, at] : projects)
            parts[at] = part * static_cast<double>(shares.weight_of(demands[at].tenant)) / of_own;
    }
    return parts;
}

// Places that each demand has, on an average.
std::vector<double> rates_of(
    const std::vector<LineDemand>& demands, const LineShares& shares, double places, Time now
) {
    const std::vector<LinePressure> pressures = pressure_of(demands, places, now);
    std::vector<bool> open(demands.size()), pressed(demands.size());
    for (std::size_t at = 0; at < demands.size(); ++at) {
        open[at] = demands[at].left > 0;
        pressed[at] = open[at] && pressures[at] == LinePressure::pressed;
    }
    const std::vector<double> of_all = parts_of(demands, open, shares);
    const bool any = std::ranges::count(pressed, true) > 0;
    const std::vector<double> first = any ? parts_of(demands, pressed, shares) : of_all;
    std::vector<double> rates(demands.size());
    for (std::size_t at = 0; at < rates.size(); ++at)
        rates[at] = places * ((1 - kDeadlinePart) * of_all[at] + kDeadlinePart * first[at]);
    return rates;
}

// Less than a thousandth of one is what rounding left.
std::int64_t lines_of(double work, Duration line_time) {
    constexpr double kNothing = 1e-3;
    const double lines = work / std::max(1 / kMicros, to_seconds(line_time));
    return static_cast<std::int64_t>(std::ceil(std::max(0.0, lines - kNothing)));
}

}  // namespace

LineQueue::Turn::Turn(
    LineQueue& queue, std::string model, std::vector<LineDemand> demands, double places, Time now
)
    : queue_(queue),
      model_(std::move(model)),
      demands_(std::move(demands)),
      pressures_(pressure_of(demands_, places, now)) {}

std::set<Tenant> LineQueue::Turn::asking(bool pressed) const {
    std::set<Tenant> tenants;
    for (std::size_t at = 0; at < demands_.size(); ++at)
        if (demands_[at].waiting > 0 && !refused_.contains(at) &&
            (!pressed || pressures_[at] == LinePressure::pressed))
            tenants.insert(demands_[at].tenant);
    return tenants;
}

std::optional<std::size_t> LineQueue::Turn::first_of(const Tenant& tenant, bool pressed) const {
    std::optional<std::size_t> first;
    for (std::size_t at = 0; at < demands_.size(); ++at) {
        const LineDemand& demand = demands_[at];
        if (demand.tenant != tenant || demand.waiting == 0 || refused_.contains(at)) continue;
        if (pressed && pressures_[at] != LinePressure::pressed) continue;
        if (!first || is_before(demand, demands_[*first])) first = at;
    }
    return first;
}

std::optional<std::size_t> LineQueue::Turn::choose(
    const LineShares& by, bool pressed, const Accept& accept
) {
    while (true) {
        const std::set<Tenant> tenants = asking(pressed);
        if (tenants.empty()) return std::nullopt;
        const std::optional<std::size_t> at = first_of(by.next(tenants), pressed);
        if (accept(*at)) return at;
        refused_.insert(*at);
    }
}

std::optional<LineGrant> LineQueue::Turn::next(const Accept& accept) {
    const std::set<Tenant> all = asking(false);
    if (all.empty()) return std::nullopt;
    Duration& owed = queue_.owed_[model_];
    // What is owed pays for the line that it would go to, whatever it costs.
    const std::optional<std::size_t> floor = first_of(queue_.floor_.next(all), false);
    const bool due = owed >= demands_[*floor].line_time;
    std::optional<std::size_t> chosen;
    bool pressed = false;
    if (due) {
        chosen = choose(queue_.floor_, false, accept);
    } else {
        chosen = choose(queue_.shares, true, accept);
        pressed = chosen.has_value();
        if (!chosen) chosen = choose(queue_.shares, false, accept);
    }
    if (!chosen) return std::nullopt;
    LineDemand& demand = demands_[*chosen];
    if (due) {
        owed = std::max(Duration{0}, owed - demand.line_time);
        queue_.floor_.charge(demand.tenant, demand.line_time, all);
    } else {
        owed += Duration(
            static_cast<std::int64_t>(static_cast<double>(demand.line_time.count()) * kOwedPart)
        );
    }
    queue_.shares.charge(demand.tenant, demand.line_time, all);
    --demand.waiting;
    return LineGrant{*chosen, pressed};
}

void LineQueue::set_weights(const Tenant& tenant, std::int64_t organisation, std::int64_t project) {
    for (LineShares* each : {&shares, &floor_}) {
        each->set_weight(tenant.organisation, organisation);
        each->set_weight(tenant, project);
    }
}

void LineQueue::keep_only(const std::set<std::string>& models) {
    std::erase_if(owed_, [&](const auto& entry) { return !models.contains(entry.first); });
}

std::vector<std::optional<Time>> expected_ends(
    std::vector<LineDemand> demands, const LineShares& shares, double places, Time now
) {
    std::vector<std::optional<Time>> ends(demands.size());
    if (places <= 0) return ends;
    std::vector<double> work(demands.size());
    double all = 0;
    for (std::size_t at = 0; at < demands.size(); ++at) all += work[at] = work_of(demands[at]);
    const double step_max = all / places / static_cast<double>(kForecastStepsMax);
    // Each step is a whole one or ends a demand.
    for (std::size_t steps = kForecastStepsMax + demands.size(); steps > 0; --steps) {
        const std::vector<double> rates = rates_of(demands, shares, places, now);
        double step = step_max;
        for (std::size_t at = 0; at < rates.size(); ++at)
            if (rates[at] > 0) step = std::min(step, work[at] / rates[at]);
        now += Duration(static_cast<std::int64_t>(std::ceil(step * kMicros)));
        for (std::size_t at = 0; at < demands.size(); ++at) {
            if (demands[at].left == 0) continue;
            work[at] -= rates[at] * step;
            demands[at].left = lines_of(work[at], demands[at].line_time);
            if (demands[at].left == 0) ends[at] = now;
        }
    }
    return ends;
}

}  // namespace penstock::scheduler
