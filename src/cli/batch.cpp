// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <fstream>

#include "cli/batch_explain.h"
#include "cli/invocation.h"
#include "cli/nouns.h"

namespace penstock::cli {
namespace {

constexpr std::int64_t kBatchesPageMax = 100;

const View& view() {
    static const View kView{
        .plural = "batches",
        .singular = "batch",
        .columns =
            {
                text_column("ID", "id"),
                text_column("STATUS", "status"),
                text_column("MODEL", "model"),
                number_column("LINES", "request_counts.total"),
                number_column("DONE", "request_counts.completed"),
                number_column("FAILED", "request_counts.failed"),
                text_column("OUTPUT", "output_file_id"),
                text_column("ERRORS", "error_file_id"),
                wide(text_column("ENDPOINT", "endpoint")),
                wide(text_column("WINDOW", "completion_window")),
                wide(text_column("INPUT", "input_file_id")),
            },
    };
    return kView;
}

std::string id_of(const Invocation& invocation) { return batch_id_of(invocation.operand(0)); }

// The endpoint that the first line names: all others must name the same.
Result<std::string> endpoint_of(const std::filesystem::path& file) {
    std::ifstream stream(file);
    std::string line;
    while (std::getline(stream, line))
        if (line.find_first_not_of(" \t\r") != std::string::npos) break;
    const Result<json::Value> value = json::parse_value(line);
    const json::Object* object = value ? value->if_object() : nullptr;
    const json::Value* url = object == nullptr ? nullptr : object->if_contains("url");
    if (url != nullptr && url->is_string()) return std::string(url->get_string());
    return fail_field(
        ErrorCode::invalid_argument, "FILE",
        file.string() +
            R"(: its first line must be a call: {"custom_id": "1", "method": "POST", "url": )"
            R"("/v1/chat/completions", "body": {"model": …}})"
    );
}

Result<std::optional<std::map<std::string, std::string>>> metadata(const Invocation& invocation) {
    std::map<std::string, std::string> pairs;
    for (const std::string& text : invocation.arguments.values("metadata")) {
        const std::size_t sign = text.find('=');
        if (sign == std::string::npos || sign == 0)
            return fail_field(
                ErrorCode::invalid_argument, "--metadata", "'" + text + "' is not NAME=VALUE"
            );
        pairs[text.substr(0, sign)] = text.substr(sign + 1);
    }
    if (pairs.empty()) return std::optional<std::map<std::string, std::string>>();
    return std::optional(std::move(pairs));
}

io::Task<Result<int>> create(Invocation* invocation) {
    const std::filesystem::path file =
        invocation->surroundings.working_folder / invocation->operand(0);
    CreateBatch wanted{
        .completion_window = invocation->arguments.value_or("window", "24h"),
        .metadata = CO_TRY(metadata(*invocation))
    };
    client::Client* client = CO_TRY(invocation->client());
    if (!std::filesystem::exists(file))
        co_return fail(ErrorCode::not_found, "there is no file " + file.string());
    wanted.endpoint = CO_TRY(endpoint_of(file));
    wanted.input_file_id = CO_TRY(co_await client->upload_batch_input(file)).id;
    const BatchObject batch = CO_TRY(co_await client->create_batch(wanted));
    CO_TRY(print_object(*invocation, view(), batch));
    if (invocation->printer.for_people()) invocation->say("batch.next", batch.id);
    co_return kExitOk;
}

io::Task<Result<int>> list(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::int64_t limit =
        CO_TRY(integer_flag(invocation->arguments, "limit")).value_or(kListLimitDefault);
    json::Array all;
    std::string after;
    for (bool more = true; more && (invocation->has("all") || std::ssize(all) < limit);) {
        const std::int64_t left =
            invocation->has("all") ? kBatchesPageMax : limit - std::ssize(all);
        const BatchList page =
            CO_TRY(co_await client->batches(std::min(left, kBatchesPageMax), after));
        for (const BatchObject& batch : page.data) all.push_back(json::encode(batch));
        more = page.has_more && page.last_id;
        after = page.last_id.value_or("");
    }
    const auto total = static_cast<std::int64_t>(all.size());
    CO_TRY(invocation->printer.list(
        view(), json::Object{{"batches", std::move(all)}, {"total", total}}
    ));
    co_return kExitOk;
}

io::Task<Result<int>> get(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const BatchObject batch = CO_TRY(co_await client->batch(id_of(*invocation)));
    CO_TRY(print_object(*invocation, view(), batch));
    if (!invocation->printer.for_people()) co_return kExitOk;
    if (batch.errors)
        for (const BatchFault& fault : batch.errors->data) invocation->terminal.say(fault.message);
    if (batch.status == BatchStatus::in_progress)
        invocation->terminal.print(
            "\n" +
            batch_lines(CO_TRY(co_await client->explain_batch(batch.id)), invocation->language)
        );
    co_return kExitOk;
}

io::Task<Result<int>> cancel(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    co_return print_object(
        *invocation, view(), CO_TRY(co_await client->cancel_batch(id_of(*invocation)))
    );
}

io::Task<Result<int>> download(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const BatchObject batch = CO_TRY(co_await client->batch(id_of(*invocation)));
    const bool errors = invocation->has("errors");
    const std::optional<std::string>& id = errors ? batch.error_file_id : batch.output_file_id;
    if (!id)
        co_return fail(
            ErrorCode::not_found,
            batch.id + " has no " + (errors ? "errors" : "output") +
                " file: it is made when the batch has ended, where there is anything to tell"
        );
    const std::optional<std::string> to = invocation->arguments.value("to");
    if (!to) {
        CO_TRY(co_await client->file_content(*id, &invocation->terminal.out));
        co_return kExitOk;
    }
    const std::filesystem::path path = invocation->surroundings.working_folder / *to;
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    if (!file) co_return fail(ErrorCode::internal, "cannot write " + path.string());
    CO_TRY(co_await client->file_content(*id, &file));
    invocation->say("batch.downloaded", *id, path.string());
    co_return kExitOk;
}

}  // namespace

std::vector<Command> batch_commands() {
    return {
        {.path = "batch create",
         .summary = "batch.create.summary",
         .examples =
             {"penstock batch create lines.jsonl",
              "penstock batch create lines.jsonl --window 2h --metadata run=7 -o json"},
         .operands = {{.name = "FILE"}},
         .flags =
             {{.name = "window", .value = "TIME", .help = "flag.window"},
              {.name = "metadata", .value = "NAME=VALUE", .help = "flag.metadata", .repeated = true}
             },
         .run = create},
        {.path = "batch list",
         .summary = "batch.list.summary",
         .examples = {"penstock batch list", "penstock batch list --all -o json"},
         .answer = Answer::list,
         .run = list},
        {.path = "batch get",
         .summary = "batch.get.summary",
         .examples = {"penstock batch get batch_01k…"},
         .operands = {{.name = "BATCH"}},
         .run = get},
        {.path = "batch cancel",
         .summary = "batch.cancel.summary",
         .examples = {"penstock batch cancel batch_01k…"},
         .operands = {{.name = "BATCH"}},
         .run = cancel},
        {.path = "batch download",
         .summary = "batch.download.summary",
         .examples =
             {"penstock batch download batch_01k… > answers.jsonl",
              "penstock batch download batch_01k… --errors --to errors.jsonl"},
         .operands = {{.name = "BATCH"}},
         .flags =
             {{.name = "errors", .help = "flag.errors"},
              {.name = "to", .value = "FILE", .help = "flag.to"}},
         .answer = Answer::none,
         .run = download},
    };
}

}  // namespace penstock::cli
