// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <fstream>

#include "cli/sim.h"
#include "dispatch/replay.h"

namespace penstock::cli {
namespace {

// As much as the API gives at once; a record of 10,000 nodes has about 5 MB.
constexpr std::uintmax_t kRecordBytesMax = 64UL << 20;

Result<std::string> read_record(const Invocation& invocation, const std::string& file) {
    const std::filesystem::path path = sim_path(invocation, file);
    std::error_code unreadable;
    const std::uintmax_t bytes = std::filesystem::file_size(path, unreadable);
    if (!unreadable && bytes > kRecordBytesMax)
        return fail_field(
            ErrorCode::invalid_argument, "--file",
            file + " has " + std::to_string(bytes) + " bytes: a record has at most " +
                std::to_string(kRecordBytesMax)
        );
    std::ifstream in(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    if (unreadable || !in)
        return fail_field(
            ErrorCode::not_found, "--file",
            "cannot read " + file + ": save one with penstock sim replay-decision ID --save " + file
        );
    return text;
}

io::Task<Result<DecisionRecord>> fetch(Invocation* invocation) {
    const std::string file = invocation->arguments.value_or("file", "");
    const bool by_id = !invocation->arguments.operands.empty();
    if (by_id == !file.empty())
        co_return fail_field(
            ErrorCode::invalid_argument, "ID",
            "name either a decision (dc_…; penstock explain TASK tells it) or --file FILE"
        );
    if (!by_id) co_return json::parse<DecisionRecord>(CO_TRY(read_record(*invocation, file)));
    const DecisionId id = CO_TRY(DecisionId::parse(invocation->operand(0)));
    client::Client* client = CO_TRY(invocation->client());
    co_return co_await client->decision(to_string(id));
}

io::Task<Result<int>> replay_decision(Invocation* invocation) {
    const DecisionRecord record = CO_TRY(co_await fetch(invocation));
    const std::string save = invocation->arguments.value_or("save", "");
    if (!save.empty()) CO_TRY(write_sim_file(*invocation, save, json::print(record)));
    const dispatch::Replay again = dispatch::replay(record);
    json::Object answer{
        {"decision", to_string(record.decision.id)},
        {"outcome", json::encode(record.decision.outcome)},
        {"nodes", record.state.nodes.size()},
        {"picks", record.answer.picks.size()},
        {"identical", again.identical},
    };
    if (!again.identical) answer["difference"] = again.difference;
    CO_TRY(invocation->printer.document(
        answer, again.identical ? format(
                                      invocation->language, "sim.replay.identical",
                                      to_string(record.decision.id), record.state.nodes.size()
                                  ) + "\n"
                                : format(
                                      invocation->language, "sim.replay.differs",
                                      to_string(record.decision.id), again.difference
                                  ) + "\n"
    ));
    co_return again.identical ? kExitOk : 1;
}

}  // namespace

Command sim_replay_command() {
    return {
        .path = "sim replay-decision",
        .summary = "sim.replay.summary",
        .examples =
            {"penstock sim replay-decision dc_01kb4x2m9r7t6q8v0c1d2e3f4g",
             "penstock sim replay-decision --file decision.json -o json"},
        .operands = {{.name = "ID", .required = false}},
        .flags =
            {{.name = "file", .value = "FILE", .help = "flag.record_file"},
             {.name = "save", .value = "FILE", .help = "flag.record_save"}},
        .run = replay_decision,
    };
}

}  // namespace penstock::cli
