// SPDX-License-Identifier: Apache-2.0
#include "tasks/load_book.h"

#include <algorithm>
#include <cmath>

namespace penstock::tasks {
namespace {

std::unexpected<Error> wrong(std::string field, std::string message) {
    return fail_field(ErrorCode::invalid_argument, std::move(field), std::move(message));
}

bool is_sound(const ServiceUse& use) {
    const auto counts = [](const SpanCounts& spans) {
        return spans.counts.size() <= SpanCounts::kClasses &&
               std::ranges::all_of(spans.counts, [](std::int64_t n) { return n >= 0; });
    };
    return use.calls_arrived >= 0 && use.calls_in_flight >= 0 && use.calls_held >= 0 &&
           counts(use.first_tokens) && counts(use.token_gaps);
}

}  // namespace

Result<void> LoadBook::report(const ReportLoads& report, Time now) {
    if (report.replica.empty() || report.replica.size() > kNameMax)
        return wrong("replica", "must have 1 to 128 characters");
    if (report.region.size() > kNameMax) return wrong("region", "must have at most 128 characters");
    if (report.services.size() > kServicesMax)
        return wrong("services", "at most 1000 in one report: those that have calls come first");
    if (report.leaving.size() > kServicesMax) return wrong("leaving", "at most 1000 in one report");
    for (std::size_t i = 0; i < report.services.size(); ++i)
        if (!is_sound(report.services[i]))
            return wrong(
                "services[" + std::to_string(i) + "]",
                "counts are not negative, of 88 classes at most"
            );
    drop_silent(now);
    const auto known = gateways_.find(report.replica);
    if (known == gateways_.end() && gateways_.size() >= kGatewaysMax)
        return fail_field(
            ErrorCode::resource_exhausted, "replica",
            "is the name of a further gateway, and 256 report already: give a gateway that "
            "restarts the name it had"
        );
    if (!first_report_) first_report_ = now;
    Gateway& gateway = gateways_[report.replica];
    const bool goes_on = known != gateways_.end() && gateway.run == report.run;
    std::map<TaskId, ServiceUse> uses;
    for (const ServiceUse& use : report.services) {
        Service& service = services_[use.task_id];
        ServiceUse before = use;
        if (goes_on) {
            const auto earlier = gateway.uses.find(use.task_id);
            before = earlier == gateway.uses.end() ? ServiceUse() : earlier->second;
        }
        count(service, before, use, now);
        if (!report.region.empty() && use.calls_arrived > before.calls_arrived)
            service.calls_from[report.region] +=
                static_cast<double>(use.calls_arrived - before.calls_arrived);
        uses[use.task_id] = use;
    }
    gateway = {
        .run = report.run,
        .region = report.region,
        .at = now,
        .routes_version = report.routes_version,
        .uses = std::move(uses),
        .leaving = report.leaving
    };
    return {};
}

void LoadBook::count(
    Service& service, const ServiceUse& before, const ServiceUse& after, Time now
) {
    const double kept = std::exp(-to_seconds(now - service.faded_at) / to_seconds(kRegionsOver));
    for (auto& [region, calls] : service.calls_from) calls *= std::min(1.0, kept);
    std::erase_if(service.calls_from, [](const auto& entry) { return entry.second < 1e-3; });
    service.faded_at = now;
    // A repeated or late report says less than what is known.
    service.calls_arrived += std::max<std::int64_t>(0, after.calls_arrived - before.calls_arrived);
    // What was expected of a call is corrected at its end, downwards as well.
    service.tokens_arrived += after.tokens_arrived - before.tokens_arrived;
    Streams streams{
        now, after.first_tokens.since(before.first_tokens),
        after.token_gaps.since(before.token_gaps)
    };
    if (streams.first_tokens.total() + streams.token_gaps.total() == 0) return;
    service.streams.push_back(std::move(streams));
    if (service.streams.size() > kStreamsMax) service.streams.pop_front();
}

ServiceLoad LoadBook::take(const TaskId& id, Duration window, Time now) {
    drop_silent(now);
    ServiceLoad load;
    for (const auto& [name, gateway] : gateways_)
        if (const auto use = gateway.uses.find(id); use != gateway.uses.end())
            load.calls_in_flight += use->second.calls_in_flight;
    const auto found = services_.find(id);
    if (found == services_.end()) return load;
    Service& service = found->second;
    load.calls_arrived = std::exchange(service.calls_arrived, 0);
    load.tokens_arrived = std::exchange(service.tokens_arrived, 0);
    while (!service.streams.empty() && now - service.streams.front().at > window)
        service.streams.pop_front();
    SpanCounts first_tokens, token_gaps;
    for (const Streams& streams : service.streams) {
        first_tokens.add(streams.first_tokens);
        token_gaps.add(streams.token_gaps);
    }
    constexpr double kShare = 0.95;
    load.first_token_p95 = first_tokens.percentile(kShare, kSamplesMin);
    load.token_gap_p95 = token_gaps.percentile(kShare, kSamplesMin);
    return load;
}

std::vector<CallerShare> LoadBook::callers(const TaskId& id, Time now) const {
    std::map<std::string, double> calls;
    if (const auto found = services_.find(id); found != services_.end())
        calls = found->second.calls_from;
    for (const auto& [name, gateway] : gateways_) {
        const auto use = gateway.uses.find(id);
        if (use == gateway.uses.end() || gateway.region.empty()) continue;
        if (now - gateway.at > kSilentAfter || use->second.calls_in_flight == 0) continue;
        calls[gateway.region] += static_cast<double>(use->second.calls_in_flight);
    }
    double total = 0;
    for (const auto& [region, count] : calls) total += count;
    std::vector<CallerShare> shares;
    for (const auto& [region, count] : calls)
        if (total > 0) shares.push_back({region, std::round(count / total * 100) / 100});
    return shares;
}

bool LoadBook::is_drained(const EndpointId& id, std::int64_t version, Time now) const {
    if (!first_report_ || now - *first_report_ < kSilentAfter) return false;
    return std::ranges::all_of(gateways_, [&](const auto& entry) {
        const Gateway& gateway = entry.second;
        return gateway.routes_version >= version &&
               std::ranges::find(gateway.leaving, id) == gateway.leaving.end();
    });
}

void LoadBook::keep_only(const std::set<TaskId>& ids) {
    std::erase_if(services_, [&](const auto& entry) { return !ids.contains(entry.first); });
}

void LoadBook::drop_silent(Time now) {
    std::erase_if(gateways_, [&](const auto& entry) {
        return now - entry.second.at > kSilentAfter;
    });
}

}  // namespace penstock::tasks
