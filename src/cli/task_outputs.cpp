// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/human_text.h"
#include "cli/invocation.h"
#include "cli/json_path.h"
#include "cli/outcome.h"
#include "cli/task.h"

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;

// Where an output goes below the folder. The server names the path, so it is not trusted to stay
// there.
Result<fs::path> place_of(const fs::path& folder, const OutputFile& output, bool many_items) {
    fs::path relative = fs::path(output.path).relative_path().lexically_normal();
    if (relative.empty() || *relative.begin() == "..")
        return fail(
            ErrorCode::internal,
            "the output's path '" + output.path + "' leaves the folder: not downloaded"
        );
    return many_items ? folder / ("item-" + std::to_string(output.item)) / relative
                      : folder / relative;
}

io::Task<Result<void>> download(Invocation* invocation, const Task* task, fs::path folder) {
    client::Client* client = CO_TRY(invocation->client());
    std::int64_t bytes = 0;
    for (const OutputFile& output : task->outputs) {
        const fs::path to = CO_TRY(place_of(folder, output, task->items.total > 1));
        std::error_code failed;
        fs::create_directories(to.parent_path(), failed);
        if (failed)
            co_return fail(
                ErrorCode::internal,
                "cannot make " + to.parent_path().string() + ": " + failed.message()
            );
        CO_TRY(co_await client->download_output(to_string(task->id), output, to));
        bytes += output.bytes;
        invocation->say("outputs.got", to.string(), bytes_text(output.bytes));
    }
    invocation->say("outputs.done", task->outputs.size(), bytes_text(bytes), folder.string());
    co_return Result<void>();
}

io::Task<Result<int>> outputs(Invocation* invocation) {
    const std::string name = CO_TRY(name_of(invocation->operand(0), "task"));
    client::Client* client = CO_TRY(invocation->client());
    const Task task = CO_TRY(co_await client->task(name));
    const json::Value value = json::encode(task);
    if (const std::optional<std::string> folder = invocation->arguments.value("download"))
        CO_TRY(
            co_await download(invocation, &task, invocation->surroundings.working_folder / *folder)
        );
    if (task.outputs.empty()) invocation->tell("outputs.none", text_at(value, "state"));
    if (task.outputs.empty() && invocation->printer.for_people()) co_return kExitOk;
    if (invocation->has("download") && invocation->printer.for_people()) co_return kExitOk;
    const json::Object page{
        {"outputs", value.at("outputs")}, {"total", static_cast<std::int64_t>(task.outputs.size())}
    };
    CO_TRY(invocation->printer.list(output_view(), page));
    co_return kExitOk;
}

}  // namespace

std::vector<Command> output_commands() {
    return {
        {.path = "task outputs",
         .summary = "task.outputs.summary",
         .examples =
             {"penstock task outputs task/train",
              "penstock task outputs task/train --download results"},
         .operands = {{.name = "TASK"}},
         .flags = {{.name = "download", .value = "DIR", .help = "flag.download"}},
         .run = outputs},
    };
}

}  // namespace penstock::cli
