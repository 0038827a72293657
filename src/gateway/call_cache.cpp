// SPDX-License-Identifier: Apache-2.0
#include "gateway/call_cache.h"

#include <algorithm>

#include "base/check.h"
#include "gateway/call_hold.h"
#include "gateway/told_cost.h"
#include "routing/call_limits.h"
#include "routing/json_scanner.h"
#include "routing/route_filter.h"

namespace penstock::gateway {
namespace {

using routing::ApiError;

constexpr std::string_view kHeader = "x-penstock-cache";
constexpr Duration kHoldFor = 1min;  // a replay is charged at once
constexpr std::string_view kLivesHeader = "x-penstock-cache-ttl";

struct Wish {
    bool any = false;  // answers that were sampled as well
    Duration lives = kCacheLivesDefault;
};

std::unexpected<ApiError> refuse(std::string message, std::string_view header) {
    return std::unexpected(routing::invalid_request(std::move(message), std::string(header)));
}

ApiResult<std::optional<Wish>> wish_of(const http::Headers& headers) {
    const std::string_view word = headers.get(kHeader);
    if (word.empty() || word == "off") return std::optional<Wish>();
    if (word != "on" && word != "any") return refuse("expected 'on', 'any' or 'off'", kHeader);
    Wish wish{.any = word == "any"};
    if (const auto text = headers.find(kLivesHeader)) {
        const Result<Duration> lives = parse_duration(*text);
        if (!lives) return refuse(lives.error().message, kLivesHeader);
        wish.lives = std::clamp(*lives, Duration{0}, kCacheLivesMax);
    }
    return std::optional<Wish>(wish);
}

// The tenant comes first, so that no two share an answer; no part can be read as another's end.
Sha256 key_of(const CallCache::Question& question) {
    std::string text = to_string((*question.key)->organisation_id) + "\n" +
                       to_string((*question.key)->project_id) + "\n";
    text.append(question.path).append("\n");
    for (const char* name : {"x-penstock-unsupported", "anthropic-version", "anthropic-beta"})
        text.append(question.request->headers.get(name)).append("\n");
    text.append(question.body);
    return sha256(text);
}

bool is_listed(std::span<const std::vector<std::string>* const> lists, const std::string& name) {
    return std::ranges::all_of(lists, [&](const auto* list) {
        return std::ranges::find(*list, name) != list->end();
    });
}

bool is_above(const Price& price, const std::optional<Price>& max) {
    return max && *multiply(1, QuantityScale::one, price) > *multiply(1, QuantityScale::one, *max);
}

io::Task<void> write_all(CachedAnswerPtr answer, ExactMoney cost, http::BodyWriter writer) {
    for (const std::string& piece : answer->writes)
        if (!co_await writer.write(with_other_cost(piece, true, cost))) co_return;
}

}  // namespace

bool says_deterministic(std::string_view body) {
    routing::JsonScanner scan(body);
    routing::JsonScanner::String key;
    bool zero = false;
    if (!scan.enter_object()) return false;
    while (scan.next_member(key)) {
        routing::Span value;
        const bool named = scan.equals(key, "temperature");
        if (!scan.skip(&value)) return false;
        const std::string_view text = scan.raw(value);
        if (named) zero = !text.empty() && text.find_first_not_of("-0.") == std::string_view::npos;
    }
    return zero && scan.finish();
}

CallCache::CallCache(CallParts& parts, IdSource& ids, telemetry::Registry& registry)
    : parts_(parts),
      ids_(ids),
      registry_(registry),
      bytes_(&registry.gauge(
          "penstock_gateway_answer_cache_bytes", "Answers that are kept to be given again."
      )) {}

void CallCache::count(std::string_view outcome) {
    registry_
        .counter(
            "penstock_gateway_answer_cache_total", "Calls that asked for kept answers.",
            {{"outcome", outcome}}
        )
        .add();
    bytes_->set(static_cast<double>(cache_.bytes()));
}

// What the key and the call would allow if the endpoint were asked: its supplier may state
// something else by now than when it gave the answer.
bool CallCache::may_have(const Question& question, const Route& route) const {
    const Endpoint& endpoint = route.endpoint;
    const ResolvedKey& key = **question.key;
    const routing::EndpointLists lists(key);
    if (!endpoint.cached_percent || !routing::check_model(key, question.model) ||
        !is_listed(lists.providers(), endpoint.provider) ||
        !is_listed(lists.sites(), endpoint.site))
        return false;
    CallRecord priced{
        .price_input = endpoint.price_input,
        .price_output = endpoint.price_output,
        .class_prices = endpoint.class_prices
    };
    if (!routing::reduce_prices(priced, *endpoint.cached_percent)) return false;
    // The dearest class counts, as it does where an engine is asked.
    const routing::TokenPrices dearest = routing::dearest_prices(routing::prices_of(priced));
    const routing::ProviderPreferences* wanted = question.preferences;
    return !is_above(dearest.input, question.limits->input_price_max) &&
           !is_above(dearest.output, question.limits->output_price_max) &&
           (wanted == nullptr ||
            (!is_above(dearest.input, wanted->input_price_max) &&
             !is_above(dearest.output, wanted->output_price_max) &&
             routing::refused_by(*wanted, route) == routing::FilterReason::none));
}

ApiResult<std::optional<CallCache::Ticket>> CallCache::look(const Question& question) {
    const ApiResult<std::optional<Wish>> wish = wish_of(question.request->headers);
    if (!wish) return std::unexpected(wish.error());
    if (!*wish) return std::optional<Ticket>();
    std::optional<Ticket> ticket(std::in_place);
    const bool same_again = !question.always_new && ((*wish)->any || question.deterministic ||
                                                     says_deterministic(question.body));
    if (!same_again || question.request->headers.contains("Idempotency-Key")) {
        ticket->word = "bypass";
        count("bypass");
        return ticket;
    }
    const Sha256 key = key_of(question);
    if (CachedAnswerPtr hit = cache_.find(key, parts_.clock.now())) {
        std::shared_ptr<const Route> route = parts_.endpoints.find(hit->record.endpoint_id);
        if (route && may_have(question, *route)) {
            ticket->hit = std::move(hit);
            ticket->route = std::move(route);
            ticket->word = "hit";
            count("hit");
            return ticket;
        }
    }
    ticket->recorder = std::make_unique<AnswerRecorder>(
        parts_.answer_room,
        [this, key, lives = (*wish)->lives](CachedAnswer answer) {
            answer.expires_at = answer.kept_at + lives;
            cache_.put(key, std::move(answer));
        }
    );
    ticket->word = "miss";
    count("miss");
    return ticket;
}

io::Task<http::Response> CallCache::replay(Ticket ticket, KeyPtr key) {
    const Time now = parts_.clock.now();
    const CallRecord& first = ticket.hit->record;
    const Endpoint& endpoint = ticket.route->endpoint;
    CallRecord priced{
        .price_input = endpoint.price_input,
        .price_output = endpoint.price_output,
        .class_prices = endpoint.class_prices
    };
    const Result<void> reduced = routing::reduce_prices(priced, *endpoint.cached_percent);
    CHECK(reduced.has_value(), "may_have() has reduced them before");
    const Result<ExactMoney> charge = routing::charge_of(first.tokens, routing::prices_of(priced));
    const Result<Money> amount = charge ? ceil_money(*charge) : std::unexpected(charge.error());
    if (!amount) co_return error_response(told(amount.error()));
    const std::int64_t tokens = routing::total_tokens(first.tokens);
    const routing::CallNeeds needs{
        .model = first.model, .amount = *amount, .tokens = tokens, .admitted_at = now
    };
    ApiResult<routing::Hold> hold =
        co_await parts_.budget.reserve(key.get(), needs, now + kHoldFor);
    if (!hold) co_return error_response(hold.error());
    Call call(
        parts_, {.id = ids_.next<RequestId>(now),
                 .key = std::move(key),
                 .model = first.model,
                 .streamed = ticket.hit->streamed,
                 .bound = {.input = tokens, .output = 0},
                 .hold = *std::move(hold),
                 .cache_word = ticket.word,
                 .started_at = now,
                 .started = parts_.clock.monotonic(),
                 .trace_id = std::move(ticket.trace_id)}
    );
    call.take_cached(ticket.hit, ticket.route);
    call.finish(EndReason::done, 200);
    http::Response response =
        ticket.hit->streamed
            ? http::Response::event_stream([answer = ticket.hit,
                                            cost = call.charge()](http::BodyWriter writer) {
                  return write_all(answer, cost, writer);
              })
            : http::Response::json(
                  200, with_other_cost(ticket.hit->writes.front(), false, call.charge())
              );
    describe_call(response, call, parts_.budget);
    add_penstock_header(response, "cost", exact_text(call.charge()));
    add_penstock_header(response, "cache-age", to_string(now - ticket.hit->kept_at));
    co_return response;
}

}  // namespace penstock::gateway
