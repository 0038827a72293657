// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/time.h"
#include "model/billing.h"
#include "model/call_settings.h"
#include "model/class_prices.h"
#include "model/continuation.h"
#include "model/data_policy.h"
#include "model/disconnect.h"
#include "model/ids.h"
#include "model/limits.h"
#include "model/second_meter.h"

// Engines behind the gateway, and what gateway and server say to each other.
namespace penstock {

enum class EndpointState { ready, unready, deleted };
BOOST_DESCRIBE_ENUM(EndpointState, ready, unready, deleted)

// For which part of calls an engine was set up, where a model is served by two kinds of engines.
enum class EnginePhase {
    both,
    prefill,  // for calls that are mostly prompt
    decode    // for calls that are mostly answer
};
BOOST_DESCRIBE_ENUM(EnginePhase, both, prefill, decode)

// Of an endpoint among equals; see Endpoint::weight.
constexpr std::int64_t kWeightDefault = 100;
constexpr std::int64_t kWeightMax = 1000;

// An engine that answers for a model: registered by a provider, or a replica of a task's service.
struct Endpoint {
    EndpointId id;
    OrganisationId provider_id;
    std::string provider;
    std::string model;           // as the gateway's users name it
    std::string upstream_model;  // as the engine names it
    std::string url;             // base address, without /v1
    std::string protocol = "openai";
    std::string site;
    std::string c_url;
    std::optional<AttemptId> attempt_id;  // of a task's replica
    std::optional<TaskId> task_id;
    Price price_input;   // yuan per million tokens
    Price price_output;  // yuan per million tokens
    std::optional<ClassPrices> class_prices;
    // Percent of the list prices; absent: not sold. See share_of() of class_prices.h.
    std::optional<std::int64_t> batch_percent;   // for lines of batches, in idle capacity
    std::optional<std::int64_t> cached_percent;  // for answers that the gateway kept
    std::int64_t price_version = 1;
    std::optional<Time> prices_valid_from;  // absent: since it was created
    // In answers only: what holds for every class after the declared fallbacks.
    std::optional<std::vector<PriceRow>> prices;
    std::optional<std::string> tokenizer_sha256;  // blob with which gateways count its texts
    std::optional<std::string> quantization;      // of its weights: "fp8", "int4"; absent: not told
    std::optional<DataPolicy> data_policy;
    std::optional<Continuation> continuation;  // absent: goes on with nobody's answer
    std::optional<DisconnectPolicy> on_disconnect;
    std::optional<std::int64_t> weight;  // share of calls among equals; 0: gets no new ones
    std::optional<EnginePhase> phase;
    std::optional<SecondMeter> second_meter;
    EndpointState state = EndpointState::ready;
    std::string probe;  // what the probe found: "200 in 12 ms, models: …"
    bool simulated = false;
    Time created_at;
    bool operator==(const Endpoint&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Endpoint, (),
    (id, provider_id, provider, model, upstream_model, url, protocol, site, c_url, attempt_id,
     task_id, price_input, price_output, class_prices, batch_percent, cached_percent, price_version,
     prices_valid_from, prices, tokenizer_sha256, quantization, data_policy, continuation,
     on_disconnect, weight, phase, second_meter, state, probe, simulated, created_at)
)

struct CreateEndpoint {
    static constexpr bool kJsonDefaults = true;
    std::string model;
    std::string url;
    std::string protocol = "openai";
    std::optional<std::string>
        upstream_model;                  // absent: the model itself, or the engine's only one
    std::optional<std::string> api_key;  // sent upstream; stored, never echoed
    Price price_input;
    Price price_output;
    std::optional<ClassPrices> class_prices;
    // Percent of the list prices; absent: not sold. See share_of() of class_prices.h.
    std::optional<std::int64_t> batch_percent;    // for lines of batches, in idle capacity
    std::optional<std::int64_t> cached_percent;   // for answers that the gateway kept
    std::optional<std::string> tokenizer_sha256;  // a tokenizer.json or a GGUF's head, uploaded
    std::optional<std::string> quantization;
    std::optional<DataPolicy> data_policy;
    std::optional<Continuation> continuation;
    std::optional<DisconnectPolicy> on_disconnect;
    std::optional<std::int64_t> weight;  // 0 to kWeightMax
    std::optional<EnginePhase> phase;
    std::optional<std::string> site;
    std::optional<std::string> request_id;
    bool operator==(const CreateEndpoint&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    CreateEndpoint, (),
    (model, url, protocol, upstream_model, api_key, price_input, price_output, class_prices,
     batch_percent, cached_percent, tokenizer_sha256, quantization, data_policy, continuation,
     on_disconnect, weight, phase, site, request_id)
)

// What is absent stays as it is; prices of classes are replaced as a whole, empty ones lift all.
struct UpdateEndpoint {
    static constexpr bool kJsonDefaults = true;
    std::optional<Price> price_input;
    std::optional<Price> price_output;
    std::optional<ClassPrices> class_prices;
    // Percent of the list prices, 1 to 100; 0: not sold any more.
    std::optional<std::int64_t> batch_percent;
    std::optional<std::int64_t> cached_percent;
    std::optional<std::string> tokenizer_sha256;  // empty: none
    std::optional<std::string> quantization;      // empty: not told
    std::optional<DataPolicy> data_policy;
    std::optional<Continuation> continuation;
    std::optional<DisconnectPolicy> on_disconnect;
    std::optional<std::int64_t> weight;
    std::optional<EnginePhase> phase;  // both: neither is meant
    bool operator==(const UpdateEndpoint&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    UpdateEndpoint, (),
    (price_input, price_output, class_prices, batch_percent, cached_percent, tokenizer_sha256,
     quantization, data_policy, continuation, on_disconnect, weight, phase)
)

// A model of the catalogue: what may be asked for, at which prices.
struct ModelEntry {
    std::string id;
    std::vector<std::string> providers;
    std::int64_t endpoints_ready = 0;
    Price price_input_min;
    Price price_output_min;
    std::vector<PriceRow> prices_min;  // of every class, the least of any ready endpoint
    bool operator==(const ModelEntry&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    ModelEntry, (), (id, providers, endpoints_ready, price_input_min, price_output_min, prices_min)
)

// ---- gateway ⇄ server, under /v1/gateway ----

// An endpoint as the gateway needs it, with the key for the engine.
struct Route {
    static constexpr bool kJsonDefaults = true;
    Endpoint endpoint;
    std::optional<std::string> api_key;
    std::string region;            // of the endpoint's site; empty: unknown
    std::optional<double> rtt_ms;  // from the platform's users to that site
    std::int64_t weight = kWeightDefault;
    bool operator==(const Route&) const = default;
};
BOOST_DESCRIBE_STRUCT(Route, (), (endpoint, api_key, region, rtt_ms, weight))

// An elastic service, whether a replica of it is ready or not: its load is to be reported, and
// calls for its model may wait for its first replica.
struct ElasticRoute {
    TaskId task_id;
    std::string model;
    std::string owner;           // the organisation that runs it
    Duration hold_first_call{};  // at most
    Duration cold_start{};       // expected
    Time created_at;
    bool operator==(const ElasticRoute&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    ElasticRoute, (), (task_id, model, owner, hold_first_call, cold_start, created_at)
)

struct RouteTable {
    static constexpr bool kJsonDefaults = true;
    std::int64_t version = 0;  // rises with every change of routes or keys; another one: ask again
    std::vector<Route> routes;
    std::vector<std::string> revoked_key_hashes;  // of the last hour
    std::vector<ElasticRoute> elastic;
    std::vector<std::string> changed_key_hashes;  // whose limits changed a moment ago: ask again
    std::vector<std::string> draining;            // names of gateways that take no new calls
    bool operator==(const RouteTable&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    RouteTable, (), (version, routes, revoked_key_hashes, elastic, changed_key_hashes, draining)
)

// POST /v1/gateway/keys:resolve. Keys travel as SHA-256 in hex, never in clear.
struct ResolveKey {
    std::string key_sha256;
    bool operator==(const ResolveKey&) const = default;
};
BOOST_DESCRIBE_STRUCT(ResolveKey, (), (key_sha256))
struct ResolvedKey {
    KeyId key_id;
    OrganisationId organisation_id;
    ProjectId project_id;
    bool may_use_tokens = false;
    std::optional<Time> expires_at;
    Duration cache_for{};
    std::optional<Limits> organisation_limits;
    std::optional<Limits> project_limits;
    std::optional<Limits> key_limits;
    std::optional<CallSettings> settings;  // that hold for its calls; absent: none is set
    bool operator==(const ResolvedKey&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    ResolvedKey, (),
    (key_id, organisation_id, project_id, may_use_tokens, expires_at, cache_for,
     organisation_limits, project_limits, key_limits, settings)
)

// The record of one finished call; `id` makes its settlement happen once.
struct CallRecord {
    RequestId id;
    LeaseId lease_id;
    OrganisationId organisation_id;
    ProjectId project_id;
    KeyId key_id;
    EndpointId endpoint_id;
    std::string model;
    Time started_at;
    Time ended_at;
    std::int64_t status = 200;
    bool streamed = false;
    TokenCounts tokens;
    UsageBasis basis = UsageBasis::upstream;
    std::optional<TextTokens> counted;  // by the second meter
    EndReason end_reason = EndReason::done;
    Price price_input;  // of the route that served it
    Price price_output;
    std::optional<ClassPrices> class_prices;
    std::int64_t price_version = 1;
    std::optional<std::int64_t> ttft_us;
    std::optional<std::vector<LeaseId>> drawn;  // beside lease_id: of the budgets it counts against
    std::optional<std::string> tariff;          // batch, cached; absent: the prices are list prices
    std::optional<std::string> batch_line;      // "batch_…/12"
    // An attempt that the gateway made for that call beside the one that it charges, or before it:
    // what the supplier made of it the platform pays, never the user.
    std::optional<RequestId> attempt_of;
    std::optional<DisconnectPolicy> on_disconnect;  // by which a stream was charged that was left
    // The engine's own words, where they contradict each other or the call's bound; at most
    // kUsageTextMax bytes.
    std::optional<std::string> raw_usage;
    std::optional<std::string> routing;   // how it found its endpoint, where that was kept
    std::optional<std::string> trace_id;  // W3C Trace Context, 32 hex digits
    // Of a stream that two engines answered, each with a record of its own; see BillLine.
    std::optional<RequestId> continues;
    std::optional<RequestId> continued_by;
    std::optional<std::int64_t> overlap_tokens;
    bool operator==(const CallRecord&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    CallRecord, (),
    (id, lease_id, organisation_id, project_id, key_id, endpoint_id, model, started_at, ended_at,
     status, streamed, tokens, basis, counted, end_reason, price_input, price_output, class_prices,
     price_version, ttft_us, drawn, tariff, batch_line, attempt_of, on_disconnect, raw_usage,
     routing, trace_id, continues, continued_by, overlap_tokens)
)

// POST /v1/gateway/settlements. Repeating a record changes nothing.
struct SettleCalls {
    std::string replica;
    std::vector<CallRecord> records;
    bool operator==(const SettleCalls&) const = default;
};
BOOST_DESCRIBE_STRUCT(SettleCalls, (), (replica, records))
struct SettledCalls {
    std::int64_t accepted = 0;  // new ones
    std::int64_t repeated = 0;  // already settled
    bool operator==(const SettledCalls&) const = default;
};
BOOST_DESCRIBE_STRUCT(SettledCalls, (), (accepted, repeated))

}  // namespace penstock
