// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "batches/life.h"
#include "server/batch_owner.h"
#include "server/openai_routes.h"

// /v1/files
namespace penstock::server {
namespace {

constexpr std::size_t kPageFiles = 1'000;
constexpr std::size_t kPageFilesMax = 10'000;
constexpr std::size_t kFormBytesMax = kFileBytesMax + 64UL * 1024;  // the form around the file
constexpr std::string_view kBytes = "application/octet-stream";

io::Task<http::Response> upload(
    StatefulParts parts, access::Principal principal, http::Request request
) {
    const Result<FileId> id =
        co_await parts.files->receive(std::move(principal), std::move(request));
    if (!id) co_return openai_error(id.error());
    co_return http::Response::json(200, json::print(batches::shown(parts.platform->files.at(*id))));
}

Result<FileList> files_of(
    const Platform& platform, const access::Principal& principal, const http::Request& request
) {
    const OpenAiPage page = TRY(openai_page(request, kPageFiles, kPageFilesMax));
    const std::string_view purpose = request.query.get("purpose");
    std::vector<FileId> ids;
    for (const auto& [id, file] : platform.files)
        if (file.organisation_id == principal.organisation_id &&
            file.project_id == principal.project_id && (purpose.empty() || file.purpose == purpose))
            ids.push_back(id);
    return openai_list<FileList>(std::move(ids), page, [&](FileId id) {
        return batches::shown(platform.files.at(id));
    });
}

io::Task<http::Response> list(
    StatefulParts parts, access::Principal principal, http::Request request
) {
    const Result<FileList> page = files_of(*parts.platform, principal, request);
    if (!page) co_return openai_error(page.error());
    co_return co_await openai_answer(parts.platform, json::print(*page));
}

io::Task<http::Response> get(
    StatefulParts parts, access::Principal principal, http::Request request
) {
    const Result<const StoredFile*> file = parts.files->find(principal, request.param("file_id"));
    if (!file) co_return openai_error(file.error());
    co_return co_await openai_answer(parts.platform, json::print(batches::shown(**file)));
}

io::Task<http::Response> content(
    StatefulParts parts, access::Principal principal, http::Request request
) {
    const Result<const StoredFile*> file = parts.files->find(principal, request.param("file_id"));
    if (!file) co_return openai_error(file.error());
    co_return http::Response::file(parts.files->path_of((*file)->id), std::string(kBytes));
}

io::Task<http::Response> remove(
    StatefulParts parts, access::Principal principal, http::Request request
) {
    const Result<const StoredFile*> file = parts.files->find(principal, request.param("file_id"));
    if (!file) co_return openai_error(file.error());
    const FileId id = (*file)->id;
    for (const auto& [batch_id, batch] : parts.platform->batches)
        if (batch.input_file_id == id && !batches::has_ended(batch))
            co_return openai_error(Error{
                ErrorCode::conflict,
                "is the input of " + to_string(batch_id) +
                    ", which has not ended: cancel that first, or wait",
                "file_id"
            });
    Change change;
    parts.files->remove(change, id);
    parts.platform->commit(std::move(change));
    co_return co_await openai_answer(
        parts.platform, json::print(DeletedObject{.id = to_string(id), .object = "file"})
    );
}

}  // namespace

void add_openai_file_routes(OpenAiRoutes& routes, StatefulParts parts) {
    const auto bound = [parts](auto* handler) {
        return [parts, handler](access::Principal p, http::Request r) {
            return handler(parts, std::move(p), std::move(r));
        };
    };
    http::RouteOptions form;
    form.body_max = kFormBytesMax;
    form.stream_body = true;
    routes.add(
        "POST", "/v1/files",
        {.operation = "createFile",
         .summary =
             "Upload the input of a batch: a form with purpose=batch and file (OpenAI's API)",
         .response = json::schema<FileObject>},
        bound(&upload), std::move(form)
    );
    routes.add(
        "GET", "/v1/files",
        {.operation = "listFiles",
         .summary = "Files of the project (OpenAI's API)",
         .response = json::schema<FileList>,
         .query = {"after", "limit", "order", "purpose"}},
        bound(&list)
    );
    routes.add(
        "GET", "/v1/files/{file_id}",
        {.operation = "getFile",
         .summary = "One file (OpenAI's API)",
         .response = json::schema<FileObject>},
        bound(&get)
    );
    routes.add(
        "GET", "/v1/files/{file_id}/content",
        {.operation = "downloadFile",
         .summary = "The bytes of a file (OpenAI's API)",
         .content = std::string(kBytes)},
        bound(&content)
    );
    routes.add(
        "DELETE", "/v1/files/{file_id}",
        {.operation = "deleteFile",
         .summary = "Delete a file that no running batch reads (OpenAI's API)",
         .response = json::schema<DeletedObject>},
        bound(&remove)
    );
}

}  // namespace penstock::server
