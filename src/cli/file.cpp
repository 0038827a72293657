// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <fstream>

#include "cli/invocation.h"
#include "cli/nouns.h"

// Inputs and results of batches.
namespace penstock::cli {
namespace {

constexpr std::int64_t kFilesPageMax = 1'000;

const View& view() {
    static const View kView{
        .plural = "files",
        .singular = "file",
        .columns =
            {
                text_column("ID", "id"),
                text_column("NAME", "filename"),
                text_column("PURPOSE", "purpose"),
                number_column("BYTES", "bytes"),
                wide(text_column("STATUS", "status")),
                wide(number_column("CREATED", "created_at")),
                wide(number_column("EXPIRES", "expires_at")),
            },
    };
    return kView;
}

std::string id_of(const std::string& operand) {
    constexpr std::string_view kNoun = "file/";
    return operand.starts_with(kNoun) ? operand.substr(kNoun.size()) : operand;
}

io::Task<Result<int>> upload(Invocation* invocation) {
    const std::filesystem::path file =
        invocation->surroundings.working_folder / invocation->operand(0);
    client::Client* client = CO_TRY(invocation->client());
    const FileObject made = CO_TRY(co_await client->upload_batch_input(file));
    co_return print_object(*invocation, view(), made);
}

io::Task<Result<int>> list(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::string purpose = invocation->arguments.value_or("purpose", "");
    const std::int64_t limit =
        CO_TRY(integer_flag(invocation->arguments, "limit")).value_or(kListLimitDefault);
    json::Array all;
    std::string after;
    for (bool more = true; more && (invocation->has("all") || std::ssize(all) < limit);) {
        const std::int64_t left = invocation->has("all") ? kFilesPageMax : limit - std::ssize(all);
        const FileList page = CO_TRY(co_await client->files(
            {.limit = std::min(left, kFilesPageMax), .after = after, .purpose = purpose}
        ));
        for (const FileObject& file : page.data) all.push_back(json::encode(file));
        more = page.has_more && page.last_id;
        after = page.last_id.value_or("");
    }
    const auto total = static_cast<std::int64_t>(all.size());
    CO_TRY(
        invocation->printer.list(view(), json::Object{{"files", std::move(all)}, {"total", total}})
    );
    co_return kExitOk;
}

io::Task<Result<int>> get(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    co_return print_object(
        *invocation, view(), CO_TRY(co_await client->file(id_of(invocation->operand(0))))
    );
}

io::Task<Result<int>> download(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::string id = id_of(invocation->operand(0));
    const std::optional<std::string> to = invocation->arguments.value("to");
    if (!to) {
        CO_TRY(co_await client->file_content(id, &invocation->terminal.out));
        co_return kExitOk;
    }
    // Asked first, so that a file that is there is not emptied for one that is not.
    CO_TRY(co_await client->file(id));
    const std::filesystem::path path = invocation->surroundings.working_folder / *to;
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    if (!file) co_return fail(ErrorCode::internal, "cannot write " + path.string());
    CO_TRY(co_await client->file_content(id, &file));
    file.close();
    if (!file) co_return fail(ErrorCode::internal, "writing " + path.string() + " failed");
    invocation->say("batch.downloaded", id, path.string());
    co_return kExitOk;
}

io::Task<Result<int>> remove(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    for (const std::string& operand : invocation->arguments.operands) {
        const std::string id = id_of(operand);
        CO_TRY(co_await client->delete_file(id));
        invocation->say("file.deleted", id);
    }
    co_return kExitOk;
}

}  // namespace

std::vector<Command> file_commands() {
    return {
        {.path = "file upload",
         .summary = "file.upload.summary",
         .examples =
             {"penstock file upload lines.jsonl", "penstock file upload lines.jsonl -o json"},
         .operands = {{.name = "FILE"}},
         .run = upload},
        {.path = "file list",
         .summary = "file.list.summary",
         .examples = {"penstock file list", "penstock file list --purpose batch_output --all"},
         .flags =
             {{.name = "purpose",
               .value = "PURPOSE",
               .help = "flag.purpose",
               .choices = "batch|batch_output"}},
         .answer = Answer::list,
         .run = list},
        {.path = "file get",
         .summary = "file.get.summary",
         .examples = {"penstock file get file_01k…"},
         .operands = {{.name = "FILE"}},
         .run = get},
        {.path = "file download",
         .summary = "file.download.summary",
         .examples =
             {"penstock file download file_01k… > lines.jsonl",
              "penstock file download file_01k… --to lines.jsonl"},
         .operands = {{.name = "FILE"}},
         .flags = {{.name = "to", .value = "FILE", .help = "flag.to"}},
         .answer = Answer::none,
         .run = download},
        {.path = "file delete",
         .summary = "file.delete.summary",
         .examples = {"penstock file delete file_01k…"},
         .operands = {{.name = "FILE", .repeated = true}},
         .answer = Answer::none,
         .run = remove},
    };
}

}  // namespace penstock::cli
