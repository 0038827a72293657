// SPDX-License-Identifier: Apache-2.0
#include "gateway/gen_ai_metrics.h"

#include <boost/describe/enum_to_string.hpp>
#include <span>

#include "routing/class_prices.h"

namespace penstock::gateway {
namespace {

// The boundaries that the conventions ask for.
constexpr std::array<double, 14> kTokenBounds{
    1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864
};
constexpr std::array<double, 14> kDurationBounds{0.01, 0.02, 0.04, 0.08,  0.16,  0.32,  0.64,
                                                 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
constexpr std::array<double, 16> kFirstTokenBounds{
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0
};
constexpr std::array<double, 13> kPerTokenBounds{0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2,
                                                 0.3,  0.4,   0.5,  0.75,  1.0, 2.5};
using Label = telemetry::Registry::Label;

constexpr double kMicrosPerSecond = 1e6;
constexpr std::string_view kOther = "other";

struct Metric {
    const char* name;
    const char* help;
    std::span<const double> bounds;
};
// The series of these names, with the labels that this metric has besides.
template <class Names, class... Labels>
telemetry::Histogram& series_of_names(
    telemetry::Registry& registry, const Metric& metric, const Names& names, Labels... more
) {
    return registry.histogram(
        metric.name, metric.help,
        {{"organisation", names.organisation},
         {"gen_ai_operation_name", names.operation},
         {"gen_ai_provider_name", names.provider},
         {"gen_ai_request_model", names.model},
         {"gen_ai_response_model", names.response_model},
         more...},
        metric.bounds
    );
}

}  // namespace

std::size_t GenAiMetrics::MetHash::operator()(const Met& met) const noexcept {
    constexpr std::uint64_t kMix = 0x9E3779B97F4A7C15ULL;
    const std::uint64_t value =
        (met.organisation.low * kMix) ^ met.endpoint.low ^ (met.embeddings ? kMix : 0);
    return static_cast<std::size_t>(value ^ (value >> 29));
}

telemetry::Histogram& GenAiMetrics::tokens(const Names& names, std::string_view type) {
    constexpr Metric kUsage{
        "gen_ai_client_token_usage", "Billable tokens of an operation.", kTokenBounds
    };
    return series_of_names(registry_, kUsage, names, Label{"gen_ai_token_type", type});
}

GenAiMetrics::Series& GenAiMetrics::series_named(Names names) {
    const auto made = [&](Names of) {
        Series series{.names = std::move(of)};
        series.input = &tokens(series.names, "input");
        series.output = &tokens(series.names, "output");
        return series;
    };
    if (const auto found = label_sets_.find(names); found != label_sets_.end())
        return found->second;
    if (label_sets_.size() < kLabelSetsMax)
        return label_sets_.emplace(names, made(names)).first->second;
    const std::string other(kOther);
    if (!other_) other_ = made({other, other, other, other, other});
    return *other_;
}

GenAiMetrics::Series& GenAiMetrics::series_of(
    const OrganisationId& organisation, const Facts& facts
) {
    const Met met{organisation.raw(), facts.endpoint.id.raw(), facts.embeddings};
    if (const auto found = met_.find(met); found != met_.end()) return *found->second;
    if (met_.size() >= kMetMax) met_.clear();
    Series& series = series_named(
        {.organisation = organisation.is_nil() ? "platform" : to_string(organisation),
         .operation = facts.embeddings ? "embeddings" : "chat",
         .provider = facts.endpoint.provider,
         .model = facts.endpoint.model,
         .response_model = facts.endpoint.upstream_model}
    );
    met_.emplace(met, &series);
    return series;
}

void GenAiMetrics::observe_tokens(Series& series, const CallRecord& call) {
    const std::int64_t output = routing::output_tokens(call.tokens);
    const std::int64_t input = routing::total_tokens(call.tokens) - output;
    if (input > 0) series.input->observe(static_cast<double>(input));
    if (output > 0) series.output->observe(static_cast<double>(output));
}

void GenAiMetrics::observe_durations(Series& series, const CallRecord& call, const Facts& facts) {
    const auto duration = [&](telemetry::Histogram*& slot, const Metric& metric, double seconds) {
        // Empty where it ended well: Prometheus takes that as no label.
        const std::string_view error =
            call.end_reason == EndReason::done
                ? std::string_view()
                : boost::describe::enum_to_string(call.end_reason, "unknown");
        if (slot == nullptr)
            slot = &series_of_names(registry_, metric, series.names, Label{"error_type", error});
        slot->observe(seconds);
    };
    const auto end = static_cast<std::size_t>(call.end_reason);
    duration(
        series.request.at(end),
        {"gen_ai_server_request_duration_seconds", "From a request's arrival to its end.",
         kDurationBounds},
        to_seconds(call.ended_at - call.started_at)
    );
    if (facts.attempt)
        duration(
            series.operation.at(end),
            {"gen_ai_client_operation_duration_seconds",
             "Of the attempt at the engine that answered.", kDurationBounds},
            to_seconds(*facts.attempt)
        );
}

void GenAiMetrics::on_call(const CallRecord& call, const Facts& facts) {
    Series& series = series_of(call.organisation_id, facts);
    observe_tokens(series, call);
    observe_durations(series, call, facts);
    const auto span = [&](telemetry::Histogram*& slot, const Metric& metric, double seconds) {
        if (slot == nullptr) slot = &series_of_names(registry_, metric, series.names);
        slot->observe(seconds);
    };
    if (!call.ttft_us) return;
    const double first = static_cast<double>(*call.ttft_us) / kMicrosPerSecond;
    span(
        series.first_token,
        {"gen_ai_server_time_to_first_token_seconds",
         "From a request's arrival to its first token.", kFirstTokenBounds},
        first
    );
    const std::int64_t output = routing::output_tokens(call.tokens);
    const double after_first = to_seconds(call.ended_at - call.started_at) - first;
    if (call.streamed && call.end_reason == EndReason::done && output > 1 && after_first > 0)
        span(
            series.per_token,
            {"gen_ai_server_time_per_output_token_seconds", "Of a stream, after its first token.",
             kPerTokenBounds},
            after_first / static_cast<double>(output - 1)
        );
}

void GenAiMetrics::on_platform_attempt(const CallRecord& attempt, const Facts& facts) {
    observe_tokens(series_of(OrganisationId(), facts), attempt);
}

}  // namespace penstock::gateway
