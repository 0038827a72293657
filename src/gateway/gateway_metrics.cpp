// SPDX-License-Identifier: Apache-2.0
#include "gateway/gateway_metrics.h"

#include <boost/describe/enum_to_string.hpp>

#include "base/time.h"
#include "routing/call_meter.h"

namespace penstock::gateway {
namespace {

constexpr std::string_view kNoModel = "none";

void count(telemetry::Counter& counter, const std::optional<std::int64_t>& tokens) {
    if (tokens && *tokens > 0) counter.add(static_cast<std::uint64_t>(*tokens));
}

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
    series.input_fresh = tokens("input_fresh");
    series.cache_read = tokens("cache_read");
    series.cache_write_5m = tokens("cache_write_5m");
    series.cache_write_1h = tokens("cache_write_1h");
    series.output_visible = tokens("output_visible");
    series.output_reasoning = tokens("output_reasoning");
    return series;
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
    ModelSeries& series = series_of(call.model);
    count(*series.input_fresh, call.tokens.input_fresh);
    count(*series.cache_read, call.tokens.cache_read);
    count(*series.cache_write_5m, call.tokens.cache_write_5m);
    count(*series.cache_write_1h, call.tokens.cache_write_1h);
    second_meter_.on_record(call);
    tenants_.on_record(call);
    gen_ai_.on_call(call, facts);
    count(*series.output_visible, call.tokens.output_visible);
    count(*series.output_reasoning, call.tokens.output_reasoning);
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
    ModelSeries& series = series_of(record.model);
    count(*series.input_fresh, record.tokens.input_fresh);
    count(*series.output_visible, record.tokens.output_visible);
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
