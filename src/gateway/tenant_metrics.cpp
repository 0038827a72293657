// SPDX-License-Identifier: Apache-2.0
#include "gateway/tenant_metrics.h"

#include <string>

#include "routing/class_prices.h"

namespace penstock::gateway {

TenantMetrics::Series TenantMetrics::made_for(std::string_view organisation) {
    const auto calls = [&](std::string_view answered) {
        return &registry_.counter(
            "penstock_gateway_tenant_calls_total",
            "Calls of each organisation that reached an engine.",
            {{"organisation", organisation}, {"answered", answered}}
        );
    };
    const auto tokens = [&](std::string_view type) {
        return &registry_.counter(
            "penstock_gateway_tenant_tokens_total", "Billable tokens of each organisation.",
            {{"organisation", organisation}, {"gen_ai_token_type", type}}
        );
    };
    return {
        .answered = calls("yes"),
        .failed = calls("no"),
        .input = tokens("input"),
        .output = tokens("output")
    };
}

TenantMetrics::Series& TenantMetrics::series_of(const OrganisationId& organisation) {
    if (const auto found = tenants_.find(organisation); found != tenants_.end())
        return found->second;
    if (tenants_.size() < kTenantsMax)
        return tenants_.emplace(organisation, made_for(to_string(organisation))).first->second;
    if (!other_) other_ = made_for("other");
    return *other_;
}

void TenantMetrics::on_record(const CallRecord& call) {
    Series& series = series_of(call.organisation_id);
    (call.end_reason == EndReason::done ? series.answered : series.failed)->add();
    const std::int64_t output = routing::output_tokens(call.tokens);
    const std::int64_t input = routing::input_tokens(call.tokens);
    if (input > 0) series.input->add(static_cast<std::uint64_t>(input));
    if (output > 0) series.output->add(static_cast<std::uint64_t>(output));
}

}  // namespace penstock::gateway
