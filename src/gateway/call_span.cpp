// SPDX-License-Identifier: Apache-2.0
#include <boost/describe/enum_to_string.hpp>

#include "gateway/call.h"
#include "gateway/span_exporter.h"
#include "routing/class_prices.h"

// A call as a span of OpenTelemetry's, by its conventions for generative AI (version 1.37.0), and
// in names of the platform's own.
namespace penstock::gateway {

// Nothing of what was asked or answered.
void Call::export_span(const CallRecord& record) {
    telemetry::Span span = std::move(*admission_.span);
    admission_.span.reset();
    const std::string operation = admission_.embeddings ? "embeddings" : "chat";
    span.name = operation + " " + record.model;
    span.from = admission_.started_at;
    span.to = record.ended_at;
    telemetry::SpanAttributes& all = span.attributes;
    all.emplace_back("gen_ai.operation.name", operation);
    all.emplace_back("gen_ai.request.model", record.model);
    all.emplace_back("http.response.status_code", std::int64_t{record.status});
    all.emplace_back("penstock.call.id", to_string(record.id));
    all.emplace_back("penstock.organisation.id", to_string(record.organisation_id));
    all.emplace_back("penstock.project.id", to_string(record.project_id));
    all.emplace_back("penstock.streamed", record.streamed);
    if (route_) {
        const Endpoint& endpoint = route_->endpoint;
        std::int64_t output = 0;
        for (const routing::TokenClassFacts& facts : routing::kTokenClasses)
            if (facts.is_output) output += (record.tokens.*facts.count).value_or(0);
        all.emplace_back("gen_ai.provider.name", endpoint.provider);
        all.emplace_back("gen_ai.response.model", endpoint.upstream_model);
        all.emplace_back(
            "gen_ai.usage.input_tokens", routing::total_tokens(record.tokens) - output
        );
        all.emplace_back("gen_ai.usage.output_tokens", output);
        all.emplace_back("penstock.endpoint.id", to_string(endpoint.id));
        all.emplace_back(
            "penstock.usage.basis",
            std::string(boost::describe::enum_to_string(record.basis, "unknown"))
        );
    }
    if (record.ttft_us)
        span.events.emplace_back(
            record.started_at + Duration(*record.ttft_us), "gen_ai.first_token"
        );
    if (record.end_reason != EndReason::done) {
        span.error = boost::describe::enum_to_string(record.end_reason, "unknown");
        all.emplace_back("error.type", span.error);
    }
    parts_.spans.add(std::move(span));
}

}  // namespace penstock::gateway
