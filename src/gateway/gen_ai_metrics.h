// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.h"
#include "model/endpoint.h"
#include "telemetry/metrics.h"

namespace penstock::gateway {

// The metrics of OpenTelemetry's conventions for generative AI, version 1.37.0, under the names
// that Prometheus gives them (dots become underscores, units follow):
//     gen_ai.client.token.usage           gen_ai_client_token_usage, billable tokens
//     gen_ai.client.operation.duration    …_seconds: of the attempt at the engine that answered
//     gen_ai.server.request.duration      …_seconds: from the request's arrival to its end
//     gen_ai.server.time_to_first_token   …_seconds
//     gen_ai.server.time_per_output_token …_seconds: of streams, after the first token
// with operation, provider, request and response model, token type and error type, and the
// organisation that the tokens are billed to. At most kLabelSetsMax sets of these names have series
// of their own; all later ones share those of "other". A call whose endpoint and organisation were
// met before costs no allocation. The gateway's thread.
class GenAiMetrics {
  public:
    static constexpr std::size_t kLabelSetsMax = 200;
    static constexpr std::size_t kMetMax = 4096;  // pairs of organisation and endpoint remembered

    // What a record does not say.
    struct Facts {
        const Endpoint& endpoint;
        bool embeddings = false;
        std::optional<Duration> attempt = {};  // absent: no engine was asked
    };
    explicit GenAiMetrics(telemetry::Registry& registry) : registry_(registry) {}
    void on_call(const CallRecord& call, const Facts& facts);
    // Paid by the platform: its tokens are on bill lines as well, under the organisation
    // "platform".
    void on_platform_attempt(const CallRecord& attempt, const Facts& facts);

  private:
    static constexpr std::size_t kEnds = 7;  // of EndReason
    struct Names {
        std::string organisation;
        std::string operation;
        std::string provider;
        std::string model;
        std::string response_model;
        auto operator<=>(const Names&) const = default;
    };
    struct Series {
        Names names;
        telemetry::Histogram* input = nullptr;
        telemetry::Histogram* output = nullptr;
        telemetry::Histogram* first_token = nullptr;
        telemetry::Histogram* per_token = nullptr;
        std::array<telemetry::Histogram*, kEnds> operation{};
        std::array<telemetry::Histogram*, kEnds> request{};
    };
    struct Met {
        RawId organisation;  // nil: the platform
        RawId endpoint;
        bool embeddings = false;
        bool operator==(const Met&) const = default;
    };
    struct MetHash {
        std::size_t operator()(const Met& met) const noexcept;
    };
    Series& series_of(const OrganisationId& organisation, const Facts& facts);
    Series& series_named(Names names);
    telemetry::Histogram& tokens(const Names& names, std::string_view type);
    static void observe_tokens(Series& series, const CallRecord& call);
    void observe_durations(Series& series, const CallRecord& call, const Facts& facts);

    telemetry::Registry& registry_;
    std::map<Names, Series> label_sets_;
    std::optional<Series> other_;
    std::unordered_map<Met, Series*, MetHash> met_;
};

}  // namespace penstock::gateway
