// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway_metrics.h"

#include <algorithm>
#include <boost/describe/enum_to_string.hpp>

#include "base/time.h"
#include "routing/call_meter.h"

namespace penstock::gateway {
namespace {

constexpr std::string_view kNoModel = "none";

}  // namespace

GatewayMetrics::ModelSeries& GatewayMetrics::series_of(std::string_view model) {
    const std::string name(model.empty() ? kNoModel : model);
    const auto [found, fresh] = models_.try_emplace(name);
    ModelSeries& series = found->second;
    if (!fresh) return series;
    const auto tokens = [&](std::string_view type) {
        return &registry_.counter(
            "penstock_gateway_tokens_total", "Billable tokens by class.",
            {{"model", name}, {"class", type}}
        );
    };
    std::ranges::transform(
        routing::kTokenClasses, series.tokens.begin(),
        [&](const routing::TokenClassFacts& facts) { return tokens(facts.name); }
    );
    return series;
}

void GatewayMetrics::count_tokens(ModelSeries& series, const TokenCounts& tokens) {
    for (const routing::TokenClassFacts& facts : routing::kTokenClasses)
        if (const std::int64_t count = (tokens.*facts.count).value_or(0); count > 0)
            series.tokens.at(static_cast<std::size_t>(facts.token_class))
                ->add(static_cast<std::uint64_t>(count));
}

void GatewayMetrics::on_answer(std::string_view model, int status) {
    telemetry::Counter*& counter = series_of(model).answers[status];
    if (counter == nullptr) {
        const std::string code = std::to_string(status);
        counter = &registry_.counter(
            "penstock_gateway_requests_total", "Chat requests by model and HTTP status.",
            {{"model", model.empty() ? kNoModel : model}, {"status", code}}
        );
    }
    counter->add();
}

void GatewayMetrics::count_end(EndReason reason, UsageBasis basis) {
    telemetry::Counter*& counter = ends_[{reason, basis}];
    const auto name = [](auto value) { return boost::describe::enum_to_string(value, "unknown"); };
    if (counter == nullptr)
        counter = &registry_.counter(
            "penstock_gateway_calls_total",
            "Calls by how they ended and how their tokens are known.",
            {{"end_reason", name(reason)}, {"basis", name(basis)}}
        );
    counter->add();
}

void GatewayMetrics::on_record(
    const CallRecord& call, const GenAiMetrics::Facts& facts, std::uint8_t violations
) {
    count_tokens(series_of(call.model), call.tokens);
    second_meter_.on_record(call);
    tenants_.on_record(call);
    gen_ai_.on_call(call, facts);
    count_end(call.end_reason, call.basis);
    if (violations != 0)
        registry_
            .counter(
                "penstock_gateway_usage_violations_total",
                "Calls whose reported usage contradicted itself."
            )
            .add();
}

void GatewayMetrics::on_hedge(bool won) {
    registry_
        .counter(
            "penstock_gateway_hedges_total", "Second engines that were asked beside a slow first.",
            {{"won", won ? "yes" : "no"}}
        )
        .add();
}

// Their tokens are on bill lines as well, so they count as the others do.
void GatewayMetrics::on_attempt(const CallRecord& record, const GenAiMetrics::Facts& facts) {
    const std::string_view reason = boost::describe::enum_to_string(record.end_reason, "unknown");
    registry_
        .counter(
            "penstock_gateway_attempts_total",
            "Attempts beside those that calls are charged for, by how they ended; client_gone: cut "
            "off, since another engine was faster.",
            {{"end_reason", reason}}
        )
        .add();
    if (routing::total_tokens(record.tokens) == 0) return;
    gen_ai_.on_platform_attempt(record, facts);
    count_tokens(series_of(record.model), record.tokens);
    registry_
        .counter(
            "penstock_gateway_platform_attempts_total",
            "Attempts that the platform pays: they worked and were cut off."
        )
        .add();
}

void GatewayMetrics::on_fallback() {
    registry_
        .counter(
            "penstock_gateway_fallbacks_total",
            "Calls that went on with another model of their request."
        )
        .add();
}

void GatewayMetrics::on_retry() {
    registry_.counter("penstock_gateway_retries_total", "Attempts after a first one failed.").add();
}

void GatewayMetrics::on_settled(std::int64_t accepted, std::int64_t repeated) {
    const auto settled = [&](std::string_view outcome, std::int64_t records) {
        if (records <= 0) return;
        registry_
            .counter(
                "penstock_gateway_settled_records_total", "Call records that the server has taken.",
                {{"outcome", outcome}}
            )
            .add(static_cast<std::uint64_t>(records));
    };
    settled("accepted", accepted);
    settled("repeated", repeated);
}

void GatewayMetrics::on_settle_refused(std::size_t records) {
    registry_
        .counter(
            "penstock_gateway_refused_records_total",
            "Call records that the server refuses; kept in refused.jsonl."
        )
        .add(records);
}

void GatewayMetrics::set_settle_lag(double seconds) {
    registry_
        .gauge("penstock_gateway_settle_lag_seconds", "Age of the oldest call that is not settled.")
        .set(seconds);
}

}  // namespace penstock::gateway
