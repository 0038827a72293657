// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <iostream>
#include <iterator>

#include "cli/composite.h"
#include "cli/invocation.h"
#include "cli/nouns.h"
#include "cli/spec_source.h"
#include "config/settings.h"

namespace penstock::cli {
namespace {

std::vector<Error> mistakes_of(const std::string& content, const std::string& name) {
    if (std::optional<std::vector<Error>> composite = composite_mistakes(content, name))
        return *std::move(composite);
    const std::expected<TaskSpec, std::vector<Error>> spec = read_spec_text(content, name);
    return spec ? std::vector<Error>() : spec.error();
}

// Offline: reads specs as the platform would, and tells every mistake of every file.
io::Task<Result<int>> check(Invocation* invocation) {
    static const View kView{
        .plural = "files",
        .singular = "file",
        .columns =
            {text_column("FILE", "file"), text_column("VALID", "valid"),
             text_column("MISTAKES", "mistakes")},
        .id = "file",
    };
    json::Array rows;
    bool all_valid = true;
    for (const std::string& name : invocation->arguments.operands) {
        std::string content;
        if (name == "-")
            content.assign(std::istreambuf_iterator<char>(invocation->terminal.in), {});
        else
            content = CO_TRY(config::read_file(invocation->surroundings.working_folder / name));
        const std::vector<Error> found = mistakes_of(content, name);
        const bool valid = found.empty();
        json::Array mistakes;
        for (const Error& error : found)
            mistakes.push_back(json::Object{{"field", error.field}, {"message", error.message}});
        if (invocation->printer.for_people()) {
            if (valid)
                invocation->terminal.print(format(invocation->language, "spec.valid", name) + "\n");
            else
                invocation->terminal.say(config::render(found));
        }
        all_valid = all_valid && valid;
        rows.push_back(
            json::Object{{"file", name}, {"valid", valid}, {"mistakes", std::move(mistakes)}}
        );
    }
    const auto total = static_cast<std::int64_t>(rows.size());
    if (!invocation->printer.for_people())
        CO_TRY(invocation->printer.list(
            kView, json::Object{{"files", std::move(rows)}, {"total", total}}
        ));
    co_return all_valid ? kExitOk : info(ErrorCode::invalid_argument).exit_code;
}

}  // namespace

std::vector<Command> spec_commands() {
    return {
        {.path = "spec check",
         .summary = "spec.check.summary",
         .examples =
             {"penstock spec check task.yaml", "penstock spec check examples/*/task.yaml -o json"},
         .operands = {{.name = "FILE", .repeated = true}},
         .run = check},
    };
}

}  // namespace penstock::cli
