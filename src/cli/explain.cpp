// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <boost/json.hpp>

#include "cli/batch_explain.h"
#include "cli/candidate_table.h"
#include "cli/human_text.h"
#include "cli/invocation.h"
#include "cli/task.h"

namespace penstock::cli {
namespace {

const std::string& in_language(
    Language language, const std::string& english, const std::string& chinese
) {
    return language == Language::zh && !chinese.empty() ? chinese : english;
}

std::string ahead_line(const AheadOf& ahead, Language language) {
    if (ahead.own + ahead.others == 0) return {};
    std::string names;
    for (const std::string& task : ahead.tasks) names += (names.empty() ? "" : ", ") + task;
    if (!names.empty()) names = " (" + names + ")";
    return format(language, "explain.ahead", ahead.own, names, ahead.others) + "\n";
}

// Unknown stays unknown, with the reason.
std::string start_line(const StartEstimate& start, Language language) {
    const auto shown = [](const std::optional<Time>& time) {
        return time ? to_rfc3339(std::chrono::floor<std::chrono::seconds>(*time)) : "?";
    };
    const std::string& basis = in_language(language, start.basis, start.basis_zh);
    if (!start.earliest && !start.expected && !start.latest)
        return format(language, "explain.start_unknown", basis) + "\n";
    return format(
               language, "explain.start", shown(start.expected), shown(start.earliest),
               shown(start.latest), basis
           ) +
           "\n";
}

// How the task takes turns, and what it had of each pool.
std::string sharing_lines(const TimeSharing& sharing, Language language) {
    std::string lines =
        format(
            language, "explain.sharing", sharing.policy,
            to_rfc3339(std::chrono::floor<std::chrono::seconds>(sharing.next_round)),
            sharing.rates_from
        ) +
        "\n";
    for (const SharedPool& pool : sharing.pools) {
        constexpr MessageKey kGranted = "explain.pool_granted";
        constexpr MessageKey kShared = "explain.pool";
        lines +=
            format(
                language, pool.granted ? kGranted : kShared, pool.model, pool.site, pool.devices,
                pool.rate ? fmt::format("{:g}", *pool.rate) : "?", span_text(pool.received)
            ) +
            "\n";
    }
    return lines;
}

// The smallest first; what was tried where nothing would do.
std::string change_lines(const Explanation& explanation, Language language) {
    std::string lines;
    if (!explanation.changes) return lines;
    for (const StartingChange& change : *explanation.changes)
        lines +=
            format(language, "explain.change", in_language(language, change.text, change.text_zh)) +
            "\n";
    const std::int64_t tried = explanation.changes_tried.value_or(0);
    if (explanation.changes->empty() && tried > 0)
        lines += format(language, "explain.changes_none", tried) + "\n";
    if (explanation.changes_cut.value_or(false))
        lines += format(language, "explain.changes_cut", tried) + "\n";
    return lines;
}

std::string explanation_lines(const Explanation& explanation, Language language) {
    std::string lines =
        format(language, "explain.state", explanation.task, explanation.state) + "\n";
    if (explanation.position)
        lines += format(language, "explain.position", *explanation.position) + "\n";
    if (explanation.ahead) lines += ahead_line(*explanation.ahead, language);
    if (!explanation.blocker.empty())
        lines += format(language, "explain.blocker", explanation.blocker) + "\n";
    if (explanation.decision_id)
        lines += format(language, "explain.decision", to_string(*explanation.decision_id)) + "\n";
    const std::string& message = in_language(language, explanation.message, explanation.message_zh);
    if (!message.empty()) lines += format(language, "explain.message", message) + "\n";
    const std::string& remedy = in_language(language, explanation.remedy, explanation.remedy_zh);
    if (!remedy.empty()) lines += format(language, "explain.remedy", remedy) + "\n";
    if (explanation.start) lines += start_line(*explanation.start, language);
    if (explanation.time_sharing) lines += sharing_lines(*explanation.time_sharing, language);
    return lines + change_lines(explanation, language);
}

// Why a token call went to its engine, where that was kept, and what it came to.
std::string call_lines(const GenerationData& call, Language language) {
    const std::string name = "call/" + call.id;
    std::string lines =
        format(
            language, "explain.call", name, call.model, call.finish_reason, call.provider_name,
            call.site.empty() ? "-" : call.site, to_string(call.charged)
        ) +
        "\n";
    if (call.attempt_of)
        lines +=
            format(language, "explain.attempt", *call.attempt_of, call.status.value_or(0)) + "\n";
    else
        lines += format(language, "explain.attempts", name) + "\n";
    constexpr MessageKey kKept = "explain.routing";
    constexpr MessageKey kNotKept = "explain.routing_not_kept";
    lines += (call.routing ? format(language, kKept, *call.routing)
                           : std::string(text(language, kNotKept))) +
             "\n";
    return lines;
}

// "call/rq_…" or "rq_…"; nothing: a task.
std::optional<std::string> call_of(std::string_view operand) {
    constexpr std::string_view kNoun = "call/";
    if (operand.starts_with(kNoun)) operand.remove_prefix(kNoun.size());
    if (!RequestId::parse(operand)) return std::nullopt;
    return std::string(operand);
}

io::Task<Result<int>> explain_call(Invocation* invocation, std::string id) {
    static const View kView{
        .plural = "calls",
        .singular = "call",
        .columns =
            {
                text_column("ID", "id"),
                text_column("MODEL", "model"),
                text_column("PROVIDER", "provider_name"),
                text_column("SITE", "site"),
                text_column("END", "finish_reason"),
                amount_column("CHARGED", "charged"),
                wide(text_column("ATTEMPT-OF", "attempt_of")),
                wide(text_column("STATUS", "status")),
                wide(text_column("ROUTING", "routing")),
            },
    };
    client::Client* client = CO_TRY(invocation->client());
    const GenerationAnswer answer = CO_TRY(co_await client->generation(std::move(id)));
    if (invocation->printer.for_people())
        invocation->terminal.print(call_lines(answer.data, invocation->language));
    else
        CO_TRY(invocation->printer.object(kView, json::encode(answer.data)));
    co_return kExitOk;
}

io::Task<Result<int>> explain(Invocation* invocation) {
    if (std::optional<std::string> call = call_of(invocation->operand(0)))
        co_return co_await explain_call(invocation, *std::move(call));
    if (names_batch(invocation->operand(0))) co_return co_await explain_batch(invocation);
    const std::string name = CO_TRY(name_of(invocation->operand(0), "task"));
    client::Client* client = CO_TRY(invocation->client());
    const Explanation explanation = CO_TRY(co_await client->explain_task(name));
    const json::Value value = json::encode(explanation);
    const Language language = invocation->language;
    if (!invocation->printer.for_people()) {
        const bool rows = invocation->printer.options().format == Format::csv ||
                          invocation->printer.options().format == Format::name;
        if (rows)
            CO_TRY(invocation->printer.list(candidate_view(), json::encode(explanation.plan)));
        else
            CO_TRY(invocation->printer.object(candidate_view(), value));
        co_return kExitOk;
    }
    invocation->terminal.print(explanation_lines(explanation, language));
    if (!explanation.plan.candidates.empty()) {
        invocation->terminal.print("\n");
        CO_TRY(invocation->printer.list(candidate_view(), json::encode(explanation.plan)));
    }
    const std::string& why =
        in_language(language, explanation.plan.explanation, explanation.plan.explanation_zh);
    const std::string& message = in_language(language, explanation.message, explanation.message_zh);
    if (!why.empty() && why != message) invocation->terminal.print(why + "\n");
    co_return kExitOk;
}

}  // namespace

std::vector<Command> explain_commands() {
    std::vector<Command> commands;
    for (const std::string_view path : {"explain", "task explain"})
        commands.push_back(
            {.path = path,
             .summary = "explain.summary",
             .examples =
                 {"penstock explain task/train", "penstock explain train -o json",
                  "penstock explain call/rq_01kbqg5vjse0r9g8e7b6m2c4xd",
                  "penstock explain batch/batch_01k…"},
             .operands = {{.name = "TASK"}},
             .run = explain}
        );
    return commands;
}

}  // namespace penstock::cli
