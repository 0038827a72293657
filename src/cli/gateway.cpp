// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/human_text.h"
#include "cli/invocation.h"
#include "cli/json_path.h"
#include "cli/nouns.h"

namespace penstock::cli {
namespace {

constexpr Duration kDrainWaitDefault = 10min;
constexpr Duration kLookEvery = 500ms;

std::optional<double> number_at(const json::Value& row, std::string_view path) {
    const json::Value* found = at_path(row, path);
    return found != nullptr && found->is_number() ? std::optional(found->to_number<double>())
                                                  : std::nullopt;
}

// "12/12": the table that the gateway uses, and the platform's.
std::string table_cell(const json::Value& row, const Look&) {
    const std::string used = text_at(row, "routes_version");
    return (used == "0" ? "-" : used) + "/" + text_at(row, "routes_current");
}

std::function<std::string(const json::Value&, const Look&)> rounded(
    std::string path, int decimals, double times = 1
) {
    return [path = std::move(path), decimals, times](const json::Value& row, const Look&) {
        std::optional<double> number = number_at(row, path);
        if (!number) return std::string();
        return number_text(*number * times, decimals);
    };
}

// How long from now: "42s"; "0s" for what is over.
std::function<std::string(const json::Value&, const Look&)> until(std::string path) {
    return [path = std::move(path)](const json::Value& row, const Look& look) {
        std::string at = text_at(row, path);
        if (at.empty() || look.machine) return at;
        const Result<Time> time = parse_rfc3339(at);
        return time ? age_text(*time - look.now) : at;
    };
}

// "closed", or "open (failures)".
std::string breaker_cell(const json::Value& row, const Look&) {
    const std::string state = text_at(row, "breaker.state");
    const std::string cause = text_at(row, "breaker.cause");
    return cause == "none" ? state : state + "(" + cause + ")";
}

// As the gateway has it; an endpoint that it has not told of is not in its table yet.
std::string state_cell(const json::Value& row, const Look&) {
    if (text_at(row, "in_table") != "true") return "unreported";
    return text_at(row, "state");
}

// Nothing was measured, so that there is nothing to show.
std::string told(const json::Value& row, const std::string& text) {
    return text_at(row, "in_table") == "true" ? text : std::string();
}

Column told_column(std::string name, std::string path) {
    Column column = computed_column(
        std::move(name),
        [path = std::move(path)](const json::Value& row, const Look&) {
            return told(row, text_at(row, path));
        }
    );
    column.align = Align::right;
    return column;
}

const View& view() {
    static const View kView{
        .plural = "gateways",
        .singular = "gateway",
        .columns =
            {
                text_column("NAME", "name"),
                text_column("STATE", "state"),
                number_column("CALLS", "calls_in_flight"),
                number_column("LEASES", "leases"),
                amount_column("HELD", "held"),
                number_column("BREAKERS-OPEN", "breakers_open"),
                computed_column("TABLE", table_cell),
                text_column("REGION", "region"),
                wide(text_column("READY", "ready")),
                wide(number_column("HOLDS", "holds_open")),
                wide(number_column("WAITING", "calls_held")),
                wide(number_column("BATCH-LINES", "batch_lines")),
                wide(text_column("UNSETTLED", "has_unsettled")),
                wide(number_column("PROCESSES", "processes")),
                wide(text_column("DRAINED-BY", "drained_by")),
                wide(age_column("DRAINING", "draining_since")),
                wide(text_column("REFUSED-ROUTES", "refused_routes")),
                wide(age_column("STARTED", "started_at")),
                age_column("DATA-AGE", "reported_at"),
            },
        .id = "name",
    };
    return kView;
}

const View& route_view() {
    static const View kView{
        .plural = "routes",
        .singular = "endpoint",
        .columns =
            {
                text_column("ENDPOINT", "endpoint_id"),
                text_column("MODEL", "model"),
                text_column("PROVIDER", "provider"),
                text_column("SITE", "site"),
                computed_column("STATE", state_cell),
                computed_column(
                    "BREAKER", [](const json::Value& row,
                                  const Look& look) { return told(row, breaker_cell(row, look)); }
                ),
                age_column("SINCE", "breaker.since"),
                computed_column("PROBE-IN", until("breaker.next_probe")),
                told_column("CALLS", "calls_in_flight"),
                told_column("RETRIES", "retries_left"),
                computed_column("TTFT-MS", rounded("first_token_ms_p50", 0)),
                computed_column("TOK/S", rounded("tokens_per_second_p50", 1)),
                computed_column("SUCCESS-%", rounded("success_share", 1, 100)),
                wide(told_column("SAMPLES", "samples")),
                wide(computed_column("TTFT-P95-MS", rounded("first_token_ms_p95", 0))),
                wide(computed_column("BASE-MS", rounded("base_ms", 1))),
                wide(computed_column("MS/TOKEN", rounded("ms_per_token", 4))),
                wide(computed_column("MS/BLOCK", rounded("ms_per_block", 4))),
                wide(computed_column("CACHE-%", rounded("cache_used_share", 1, 100))),
                wide(number_column("QUEUED", "engine_calls_waiting")),
                wide(told_column("WAITING", "calls_waiting")),
                wide(told_column("OPENED", "breaker.times_opened")),
                wide(told_column("WEIGHT", "weight")),
                age_column("DATA-AGE", "reported_at"),
            },
        .id = "endpoint_id",
        .if_empty = "gateway.routes.empty",
    };
    return kView;
}

const View& lease_view() {
    static const View kView{
        .plural = "leases",
        .singular = "lease",
        .columns =
            {
                text_column("ORGANISATION", "organisation"),
                text_column("ACCOUNT", "account.subject"),
                text_column("MEASURE", "account.measure"),
                text_column("MODEL", "account.model"),
                number_column("AMOUNT", "outstanding"),
                number_column("HELD", "held"),
                number_column("FREE", "free"),
                number_column("FILL-%", "fill_percent"),
                number_column("SETTLED", "settled"),
                number_column("EPOCH", "epoch"),
                computed_column("EXPIRES-IN", until("expires_at")),
                wide(text_column("ID", "id")),
                wide(text_column("REPLICA", "replica")),
                wide(number_column("GRANTED", "granted")),
                wide(number_column("RETURNED", "returned")),
                wide(number_column("UNSETTLED", "unsettled")),
                wide(text_column("PERIOD", "account.period")),
                age_column("DATA-AGE", "reported_at"),
            },
    };
    return kView;
}

Result<std::string> path_of(const Invocation& invocation, const char* what) {
    const std::string name = TRY(name_of(invocation.operand(0), "gateway"));
    return "/v1/gateways/" + http::percent_encode(name) + what;
}

io::Task<Result<int>> list(Invocation* invocation) {
    co_return co_await print_list<GatewayPage>(invocation, "/v1/gateways", &view());
}

io::Task<Result<int>> get(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::string name = CO_TRY(name_of(invocation->operand(0), "gateway"));
    co_return print_object(*invocation, view(), CO_TRY(co_await client->gateway(name)));
}

io::Task<Result<int>> routes(Invocation* invocation) {
    std::string path = CO_TRY(path_of(*invocation, "/routes"));
    co_return co_await print_list<GatewayRoutePage>(invocation, std::move(path), &route_view());
}

io::Task<Result<int>> leases(Invocation* invocation) {
    std::string path = CO_TRY(path_of(*invocation, "/leases"));
    http::Query query;
    if (const auto organisation = invocation->arguments.value("organisation"))
        query.add("organisation", CO_TRY(name_of(*organisation, "organisation")));
    co_return co_await print_list<GatewayLeasePage>(
        invocation, std::move(path), &lease_view(), std::move(query)
    );
}

// Nothing where there is more to wait for.
std::optional<int> verdict(
    const Invocation& invocation, const GatewayStatus& status, io::Deadline deadline
) {
    if (status.state == GatewayState::drained) {
        invocation.say("gateway.drained", status.name, status.name);
        return kExitOk;
    }
    if (status.state == GatewayState::away) {
        invocation.tell("gateway.drain.away", status.name);
        return info(ErrorCode::unavailable).exit_code;
    }
    // Somebody has lifted the drain meanwhile.
    if (!status.draining_since) {
        invocation.tell("gateway.drain.lifted", status.name);
        return info(ErrorCode::conflict).exit_code;
    }
    if (!deadline.passed()) return std::nullopt;
    invocation.tell("gateway.drain.timeout", status.name, status.calls_in_flight.value_or(0));
    return kExitTimedOut;
}

void say_progress(const Invocation& invocation, const GatewayStatus& now, GatewayStatus& before) {
    const bool told = now.calls_in_flight == before.calls_in_flight &&
                      now.calls_held == before.calls_held &&
                      now.batch_lines == before.batch_lines && now.leases == before.leases &&
                      now.has_unsettled == before.has_unsettled;
    before = now;
    if (told || now.state != GatewayState::draining) return;
    invocation.say(
        "gateway.draining", now.name, now.calls_in_flight.value_or(0) + now.calls_held.value_or(0),
        now.batch_lines.value_or(0), now.leases.value_or(0),
        text(
            invocation.language,
            now.has_unsettled.value_or(false) ? MessageKey("word.yes") : MessageKey("word.no")
        )
    );
}

io::Task<Result<int>> wait_until_drained(
    Invocation* invocation, GatewayStatus status, io::Deadline deadline
) {
    client::Client* client = CO_TRY(invocation->client());
    GatewayStatus before;
    while (true) {
        say_progress(*invocation, status, before);
        if (const std::optional<int> code = verdict(*invocation, status, deadline)) {
            CO_TRY(print_object(*invocation, view(), status));
            co_return *code;
        }
        co_await io::sleep_until(io::earlier(deadline, io::Deadline::after(kLookEvery)));
        status = CO_TRY(co_await client->gateway(status.name));
    }
}

io::Task<Result<int>> drain(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::string name = CO_TRY(name_of(invocation->operand(0), "gateway"));
    const std::optional<Duration> timeout = CO_TRY(duration_flag(invocation->arguments, "timeout"));
    const GatewayStatus status = CO_TRY(co_await client->drain_gateway(name));
    if (!invocation->has("no-wait"))
        co_return co_await wait_until_drained(
            invocation, status, io::Deadline::after(timeout.value_or(kDrainWaitDefault))
        );
    CO_TRY(print_object(*invocation, view(), status));
    if (invocation->printer.for_people()) invocation->say("gateway.drain.begun", status.name);
    co_return kExitOk;
}

io::Task<Result<int>> undrain(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::string name = CO_TRY(name_of(invocation->operand(0), "gateway"));
    co_return print_object(*invocation, view(), CO_TRY(co_await client->undrain_gateway(name)));
}

}  // namespace

std::vector<Command> gateway_commands() {
    const std::vector<Operand> one = {{.name = "GATEWAY"}};
    return {
        {.path = "gateway list",
         .summary = "gateway.list.summary",
         .examples = {"penstock gateway list", "penstock gateway list -o wide"},
         .answer = Answer::list,
         .run = list},
        {.path = "gateway get",
         .summary = "gateway.get.summary",
         .examples = {"penstock gateway get gateway/gw-1"},
         .operands = one,
         .run = get},
        {.path = "gateway routes",
         .summary = "gateway.routes.summary",
         .examples =
             {"penstock gateway routes gw-1",
              "penstock gateway routes gw-1 --filter 'model=qwen3-8b AND breaker.state!=closed'"},
         .operands = one,
         .answer = Answer::list,
         .run = routes},
        {.path = "gateway leases",
         .summary = "gateway.leases.summary",
         .examples =
             {"penstock gateway leases gw-1",
              "penstock gateway leases gw-1 --organisation acme -o wide"},
         .operands = one,
         .flags = {{.name = "organisation", .value = "NAME", .help = "flag.organisation"}},
         .answer = Answer::list,
         .run = leases},
        {.path = "gateway drain",
         .summary = "gateway.drain.summary",
         .examples =
             {"penstock gateway drain gw-1 --timeout 5m", "penstock gateway drain gw-1 --no-wait"},
         .operands = one,
         .flags =
             {{.name = "timeout", .value = "SPAN", .help = "flag.drain_timeout"},
              {.name = "no-wait", .help = "flag.no_wait"}},
         .run = drain},
        {.path = "gateway undrain",
         .summary = "gateway.undrain.summary",
         .examples = {"penstock gateway undrain gw-1"},
         .operands = one,
         .run = undrain},
    };
}

}  // namespace penstock::cli
