// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "gateway/choice_metrics.h"
#include "gateway/gen_ai_metrics.h"
#include "gateway/second_meter_metrics.h"
#include "gateway/tenant_metrics.h"
#include "model/endpoint.h"
#include "routing/class_prices.h"
#include "telemetry/metrics.h"

namespace penstock::gateway {

// The gateway's numbers; those of OpenTelemetry's conventions are in gen_ai_metrics.h. Tokens are
// counted when their record is appended to the spool, so that they equal what the ledger will be
// told.
class GatewayMetrics {
  public:
    explicit GatewayMetrics(telemetry::Registry& registry)
        : registry_(registry),
          second_meter_(registry),
          tenants_(registry),
          gen_ai_(registry),
          choices_(registry) {}

    // `model` is empty where none was recognised: what clients invent makes no series.
    void on_answer(std::string_view model, int status);
    void on_record(
        const CallRecord& call, const GenAiMetrics::Facts& facts, std::uint8_t violations
    );
    void on_choice(const routing::Decision& decision) { choices_.on_choice(decision); }
    void on_retry();
    void on_hedge(bool won);  // a second engine was asked; it had the first content
    // Not the call's own: it failed before it, or lost to it.
    void on_attempt(const CallRecord& record, const GenAiMetrics::Facts& facts);
    void on_fallback();  // to another model of the request
    void on_settled(std::int64_t accepted, std::int64_t repeated);
    void on_settle_refused(std::size_t records);
    void set_settle_lag(double seconds);

  private:
    struct ModelSeries {
        std::unordered_map<int, telemetry::Counter*> answers;
        std::array<telemetry::Counter*, routing::kTokenClasses.size()> tokens{};  // in that order
    };
    ModelSeries& series_of(std::string_view model);
    static void count_tokens(ModelSeries& series, const TokenCounts& tokens);
    void count_end(EndReason reason, UsageBasis basis);

    telemetry::Registry& registry_;
    std::unordered_map<std::string, ModelSeries> models_;
    SecondMeterMetrics second_meter_;
    TenantMetrics tenants_;
    GenAiMetrics gen_ai_;
    ChoiceMetrics choices_;
    std::map<std::pair<EndReason, UsageBasis>, telemetry::Counter*> ends_;
};

}  // namespace penstock::gateway
