// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <cmath>

#include "cli/sim.h"
#include "cli/sim_serve_answer.h"
#include "sim/replica_placer.h"
#include "sim/seeds.h"
#include "sim/serve_policy.h"
#include "sim/site_strategy.h"

namespace penstock::cli {
namespace {

std::vector<std::string> names_in(std::string_view list) {
    std::vector<std::string> names;
    while (!list.empty()) {
        const std::string_view name = list.substr(0, list.find(','));
        if (!name.empty()) names.emplace_back(name);
        list.remove_prefix(std::min(list.size(), name.size() + 1));
    }
    return names;
}

Result<double> number_in(std::string_view text, std::string_view flag) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
        return fail_field(
            ErrorCode::invalid_argument, std::string(flag),
            "'" + std::string(text) + "' is no number"
        );
    return value;
}

// Where a flag is given, it replaces the value.
Result<void> take(const Arguments& arguments, std::string_view flag, double& value) {
    if (const auto text = arguments.value(flag)) value = TRY(number_in(*text, flag));
    return {};
}
Result<void> take(const Arguments& arguments, std::string_view flag, std::int64_t& value) {
    value = TRY(integer_flag(arguments, flag)).value_or(value);
    return {};
}
Result<void> take(const Arguments& arguments, std::string_view flag, Duration& value) {
    value = TRY(duration_flag(arguments, flag)).value_or(value);
    return {};
}

Result<sim::EngineModel> engine_of(const Arguments& arguments) {
    sim::EngineModel engine;
    TRY(take(arguments, "step-ms", engine.step_ms));
    TRY(take(arguments, "prefill-ms", engine.prefill_ms_per_token));
    TRY(take(arguments, "attention-tokens", engine.attention_tokens));
    TRY(take(arguments, "sequence-ms", engine.sequence_ms));
    TRY(take(arguments, "context-ms", engine.context_ms_per_token));
    TRY(take(arguments, "batch-tokens", engine.batch_tokens));
    TRY(take(arguments, "sequences", engine.sequences_max));
    TRY(take(arguments, "cache-tokens", engine.cache_tokens));
    return engine;
}

Result<tasks::AutoscaleTargets> targets_of(const Arguments& arguments) {
    // By default a replica is taken to bear half of what it can compute of prompts alone.
    tasks::AutoscaleTargets targets{.tokens_per_second = 5000, .first_token = 2s};
    TRY(take(arguments, "replicas-min", targets.replicas_min));
    TRY(take(arguments, "replicas-max", targets.replicas_max));
    TRY(take(arguments, "spares", targets.spares));
    TRY(take(arguments, "first-token-target", targets.first_token));
    TRY(take(arguments, "token-gap-target", targets.token_gap));
    TRY(take(arguments, "replica-tokens", targets.tokens_per_second));
    TRY(take(arguments, "cold-start", targets.cold_start));
    TRY(take(arguments, "shrink-after", targets.shrink_after));
    TRY(take(arguments, "to-zero-after", targets.to_zero_after));
    return targets;
}

Result<sim::ServeSweep> sweep_of(const Arguments& arguments) {
    sim::ServeSweep sweep;
    if (const auto text = arguments.value("rates")) {
        sweep.rates.clear();
        for (const std::string& rate : names_in(*text))
            sweep.rates.push_back(TRY(number_in(rate, "rates")));
    }
    if (const auto text = arguments.value("replicas")) sweep.fleets = names_in(*text);
    if (const auto text = arguments.value("policies")) {
        sweep.policies = names_in(*text);
        if (*text == "all") {
            const auto& names = sim::serve_policy_names();
            sweep.policies.assign(names.begin(), names.end());
        }
    }
    if (const auto text = arguments.value("placements")) {
        sweep.placements = names_in(*text);
        if (*text == "all") {
            const auto& names = sim::replica_placement_names();
            sweep.placements.assign(names.begin(), names.end());
        }
    }
    if (const auto text = arguments.value("strategy"))
        sweep.base.strategy = TRY(sim::site_strategy(*text));
    if (const auto text = arguments.value("seeds")) sweep.seeds = TRY(sim::parse_seeds(*text));
    TRY(take(arguments, "first-token-max", sweep.base.first_token_max));
    TRY(take(arguments, "token-gap-max", sweep.base.token_gap_max));
    sweep.base.engine = TRY(engine_of(arguments));
    sweep.autoscale = TRY(targets_of(arguments));
    return sweep;
}

// Both tables or neither; what stands over sites alone is refused without them.
Result<std::optional<sim::ServeSites>> sites_of(const Invocation& invocation) {
    const Arguments& arguments = invocation.arguments;
    const auto sites = arguments.value("sites"), links = arguments.value("links");
    if (sites && links)
        return TRY(sim::read_serve_sites(
            TRY(sim::Csv::read(sim_path(invocation, *sites))),
            TRY(sim::Csv::read(sim_path(invocation, *links))), arguments.value_or("callers", "")
        ));
    for (const std::string_view flag : {"sites", "links", "callers", "placements", "strategy"})
        if (arguments.value(flag))
            return fail_field(
                ErrorCode::invalid_argument, "--" + std::string(flag),
                "needs both --sites and --links"
            );
    return std::optional<sim::ServeSites>();
}

// Offline: a recorded service against a fleet of simulated engines.
io::Task<Result<int>> serve(Invocation* invocation) {
    const Arguments& arguments = invocation->arguments;
    sim::ServeSweep sweep = CO_TRY(sweep_of(arguments));
    const std::optional<sim::ServeSites> sites = CO_TRY(sites_of(*invocation));
    if (sites) sweep.base.sites = &*sites;
    const sim::ServeFormat format =
        CO_TRY(sim::parse_serve_format(arguments.value_or("format", "auto")));
    std::vector<sim::ServeRequest> trace =
        CO_TRY(sim::read_serve_trace(sim_path(*invocation, invocation->operand(0)), format));
    const auto most = CO_TRY(integer_flag(arguments, "requests"));
    if (most && *most > 0 && static_cast<std::size_t>(*most) < trace.size())
        trace.resize(static_cast<std::size_t>(*most));
    sim::Progress progress = sim_progress(*invocation);
    const std::vector<sim::ServeRow> runs = CO_TRY(sim::run_sweep(trace, sweep, &progress));
    const std::vector<sim::ServeRow> means = sim::mean_over_seeds(runs);
    if (const auto file = arguments.value("csv"))
        CO_TRY(write_sim_file(*invocation, *file, sim::serve_csv(runs)));
    if (const auto file = arguments.value("plot")) {
        const sim::LinePlot plot =
            CO_TRY(sim::serve_plot(means, arguments.value_or("plot-y", "first_token_ms_p99")));
        CO_TRY(write_sim_file(*invocation, *file, CO_TRY(sim::render_svg(plot))));
    }
    CO_TRY(print_serve_rows(*invocation, means));
    co_return kExitOk;
}

}  // namespace

Command sim_serve_command() {
    return {
        .path = "sim serve",
        .summary = "sim.serve.summary",
        .examples =
            {"penstock sim serve conversation_trace.jsonl --policies all --rates 1,1.5,2",
             "penstock sim serve AzureLLMInferenceTrace_conv.csv --replicas 2,4,auto --rates 3",
             "penstock sim serve AzureLLMInferenceTrace_conv.csv --replicas auto --sites sites.csv "
             "--links links.csv --callers Tokyo=3,Frankfurt=1 --placements all"},
        .operands = {{.name = "TRACE"}},
        .flags =
            {{.name = "format",
              .value = "NAME",
              .help = "flag.serve_format",
              .choices = "auto|mooncake|azure"},
             {.name = "policies", .value = "NAME,…", .help = "flag.serve_policies"},
             {.name = "replicas", .value = "N,…", .help = "flag.serve_replicas"},
             {.name = "rates", .value = "TIMES,…", .help = "flag.serve_rates"},
             {.name = "seeds", .value = "SEEDS", .help = "flag.serve_seeds"},
             {.name = "requests", .value = "N", .help = "flag.serve_requests"},
             {.name = "first-token-max", .value = "SPAN", .help = "flag.serve_first_token_max"},
             {.name = "token-gap-max", .value = "SPAN", .help = "flag.serve_token_gap_max"},
             {.name = "csv", .value = "FILE", .help = "flag.serve_csv"},
             {.name = "plot", .value = "FILE", .help = "flag.sim_plot"},
             {.name = "plot-y", .value = "FIGURE", .help = "flag.serve_plot_y"},
             {.name = "step-ms", .value = "MS", .help = "flag.serve_step_ms"},
             {.name = "prefill-ms", .value = "MS", .help = "flag.serve_prefill_ms"},
             {.name = "attention-tokens", .value = "N", .help = "flag.serve_attention_tokens"},
             {.name = "sequence-ms", .value = "MS", .help = "flag.serve_sequence_ms"},
             {.name = "context-ms", .value = "MS", .help = "flag.serve_context_ms"},
             {.name = "batch-tokens", .value = "N", .help = "flag.serve_batch_tokens"},
             {.name = "sequences", .value = "N", .help = "flag.serve_sequences"},
             {.name = "cache-tokens", .value = "N", .help = "flag.serve_cache_tokens"},
             {.name = "replicas-min", .value = "N", .help = "flag.serve_replicas_min"},
             {.name = "replicas-max", .value = "N", .help = "flag.serve_replicas_max"},
             {.name = "spares", .value = "N", .help = "flag.serve_spares"},
             {.name = "first-token-target", .value = "SPAN", .help = "flag.serve_first_token_target"
             },
             {.name = "token-gap-target", .value = "SPAN", .help = "flag.serve_token_gap_target"},
             {.name = "replica-tokens", .value = "N", .help = "flag.serve_replica_tokens"},
             {.name = "cold-start", .value = "SPAN", .help = "flag.serve_cold_start"},
             {.name = "shrink-after", .value = "SPAN", .help = "flag.serve_shrink_after"},
             {.name = "to-zero-after", .value = "SPAN", .help = "flag.serve_to_zero_after"},
             {.name = "sites", .value = "FILE", .help = "flag.serve_sites"},
             {.name = "links", .value = "FILE", .help = "flag.serve_links"},
             {.name = "callers", .value = "REGION=N,…", .help = "flag.serve_callers"},
             {.name = "placements", .value = "NAME,…", .help = "flag.serve_placements"},
             {.name = "strategy", .value = "NAME", .help = "flag.serve_strategy"}},
        .run = serve,
    };
}

}  // namespace penstock::cli
