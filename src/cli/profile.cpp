// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/human_text.h"
#include "cli/invocation.h"
#include "cli/json_path.h"
#include "cli/spec_source.h"
#include "cli/submission.h"
#include "cli/task.h"

namespace penstock::cli {
namespace {

// A number of the row as a person reads it; "?" where it is not known.
Column figure(std::string name, std::string path, std::string (*shown)(double)) {
    Column column = computed_column(
        std::move(name),
        [path = std::move(path), shown](const json::Value& row, const Look& look) {
            const json::Value* found = at_path(row, path);
            boost::json::error_code error;
            if (found == nullptr || !found->is_number())
                return std::string(look.machine ? "" : "?");
            const double value = found->to_number<double>(error);
            return look.machine ? number_text(value, 3) : shown(value);
        }
    );
    column.align = Align::right;
    return column;
}

std::string seconds(double value) {
    return span_text(std::chrono::milliseconds(static_cast<std::int64_t>(value * 1000)));
}
std::string mebibytes(double value) { return bytes_text(static_cast<std::int64_t>(value) << 20); }
std::string percent(double value) { return number_text(value, 0) + " %"; }
std::string plain(double value) { return number_text(value, 0); }

const View& device_view() {
    static const View kView{
        .plural = "devices",
        .singular = "accelerator",
        .columns =
            {computed_column(
                 "DEVICE",
                 [](const json::Value& row, const Look&) {
                     const std::string accelerator = text_at(row, "accelerator");
                     return accelerator.empty() ? std::string("cpu") : accelerator;
                 }
             ),
             figure("RUN-TIME", "run_time_s", seconds), figure("LOW", "run_time_low_s", seconds),
             figure("HIGH", "run_time_high_s", seconds), figure("RUNS", "runs", plain),
             figure("MEMORY-PEAK", "memory_peak_mib", mebibytes),
             figure("CPU-USED", "cpu_percent", percent), figure("WATTS", "watts", plain),
             text_column("BASIS", "basis")},
        .id = "accelerator",
    };
    return kView;
}

std::string_view word_of(LatencySensitivity latency) {
    return boost::describe::enum_to_string(latency, "");
}
std::string_view word_of(Communication communication) {
    return boost::describe::enum_to_string(communication, "");
}

Result<void> show(Invocation& invocation, const TaskProfile& profile) {
    const Language language = invocation.language;
    if (invocation.printer.for_people() && !invocation.quiet) {
        const std::string result =
            profile.result_bytes ? bytes_text(*profile.result_bytes) : std::string("?");
        invocation.terminal.print(
            format(language, "profile.size", profile.items, profile.nodes) + "\n" +
            format(language, "profile.moves", bytes_text(profile.staging_bytes), result) + "\n" +
            format(
                language, "profile.nature", word_of(profile.latency), word_of(profile.communication)
            ) +
            "\n\n"
        );
    }
    return invocation.printer.list(device_view(), json::encode(profile));
}

io::Task<Result<int>> profile(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    if (!invocation->operand(0).empty()) {
        const std::string name = CO_TRY(name_of(invocation->operand(0), "task"));
        CO_TRY(show(*invocation, CO_TRY(co_await client->task_profile(name))));
        co_return kExitOk;
    }
    std::vector<Draft> drafts = CO_TRY(read_drafts(
        invocation->arguments, invocation->surroundings.working_folder, invocation->terminal.in
    ));
    for (Draft& draft : drafts) {
        const Submission submission = CO_TRY(pack_draft(*invocation, std::move(draft)));
        CO_TRY(show(*invocation, CO_TRY(co_await client->profile_task(submission.spec))));
    }
    co_return kExitOk;
}

}  // namespace

std::vector<Command> profile_commands() {
    std::vector<Command> commands;
    for (const std::string_view path : {"profile", "task profile"})
        commands.push_back(
            {.path = path,
             .summary = "profile.summary",
             .examples =
                 {"penstock profile task/train", "penstock profile -f task.yaml",
                  "penstock profile train -o json"},
             .operands = {{.name = "TASK", .required = false}},
             .flags = spec_flags(),
             .tail = true,
             .run = profile}
        );
    return commands;
}

}  // namespace penstock::cli
