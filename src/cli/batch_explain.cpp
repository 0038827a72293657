// SPDX-License-Identifier: Apache-2.0
#include "cli/batch_explain.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "cli/human_text.h"

namespace penstock::cli {
namespace {

constexpr std::string_view kNoun = "batch/";

const View& places_view() {
    static const View kView{
        .plural = "endpoints",
        .singular = "endpoint",
        .columns =
            {
                text_column("ENDPOINT", "endpoint_id"),
                text_column("PROVIDER", "provider"),
                text_column("SITE", "site"),
                number_column("ROOM", "room"),
                number_column("LINES", "lines"),
                text_column("NO-ROOM", "no_room"),
                text_column("ALLOWED", "allowed"),
            },
    };
    return kView;
}

std::string shown(const std::optional<Time>& time) {
    return time ? to_rfc3339(std::chrono::floor<std::chrono::seconds>(*time)) : "?";
}

std::string end_line(const BatchExplanation& explanation, Language language) {
    const std::string expected = shown(explanation.expected_end);
    const std::string until = shown(explanation.expires_at);
    switch (explanation.pressure) {
        case BatchPressure::none:
            return format(language, "batch.end", expected, until);
        case BatchPressure::pressed:
            return format(language, "batch.end_pressed", expected, until);
        case BatchPressure::late:
            return format(language, "batch.end_late", expected, until);
    }
    return {};
}

}  // namespace

bool names_batch(std::string_view operand) {
    return operand.starts_with(kNoun) || operand.starts_with("batch_");
}

std::string batch_id_of(std::string operand) {
    if (operand.starts_with(kNoun)) operand.erase(0, kNoun.size());
    return operand;
}

std::string batch_lines(const BatchExplanation& explanation, Language language) {
    const bool zh = language == Language::zh;
    const json::Value value = json::encode(explanation);
    const BatchCounts& counts = explanation.request_counts;
    std::string lines = format(
                            language, "explain.state", explanation.batch,
                            std::string(std::string_view(value.at("status").as_string()))
                        ) +
                        "\n" +
                        format(
                            language, "batch.lines", counts.total, counts.completed, counts.failed,
                            explanation.lines_running, explanation.lines_waiting
                        ) +
                        "\n";
    const auto add = [&](auto key, const std::string& text) {
        if (!text.empty()) lines += format(language, key, text) + "\n";
    };
    constexpr MessageKey kMessage = "explain.message";
    constexpr MessageKey kRemedy = "explain.remedy";
    add(kMessage, zh ? explanation.message_zh : explanation.message);
    if (explanation.rests_until)
        lines += format(language, "batch.rests", shown(explanation.rests_until)) + "\n";
    add(kRemedy, zh ? explanation.remedy_zh : explanation.remedy);
    if (explanation.lines_running + explanation.lines_waiting == 0) return lines;
    lines += format(
                 language, "batch.share", explanation.weight, explanation.organisation_weight,
                 explanation.projects_ahead
             ) +
             "\n";
    lines += format(
                 language, "batch.pace",
                 explanation.seconds_per_line ? fmt::format("{:.1f}", *explanation.seconds_per_line)
                                              : "?",
                 fmt::format("{:.1f}", explanation.places)
             ) +
             "\n";
    return lines + end_line(explanation, language) + "\n";
}

io::Task<Result<int>> explain_batch(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const BatchExplanation explanation =
        CO_TRY(co_await client->explain_batch(batch_id_of(invocation->operand(0))));
    const json::Value value = json::encode(explanation);
    const Format format = invocation->printer.options().format;
    if (!invocation->printer.for_people() && format != Format::csv && format != Format::name) {
        CO_TRY(invocation->printer.object(places_view(), value));
        co_return kExitOk;
    }
    if (invocation->printer.for_people())
        invocation->terminal.print(batch_lines(explanation, invocation->language));
    if (!explanation.endpoints.empty() || !invocation->printer.for_people())
        CO_TRY(invocation->printer.list(places_view(), value));
    co_return kExitOk;
}

}  // namespace penstock::cli
