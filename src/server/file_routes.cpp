// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "http/problem.h"
#include "server/endpoint_tokenizer.h"
#include "server/lists.h"
#include "server/routes.h"

namespace penstock::server {
namespace {

constexpr std::string_view kBytes = "application/octet-stream";

// An agent fetches and stores for the tenants whose attempts it runs: it names blobs by hashes that
// only their attempts' messages tell. Everybody else sees what their own organisation stored.
bool may_read(
    const Platform& platform, const access::Principal& principal, const std::string& sha256
) {
    return principal.has(Scope::agent) ||
           (principal.has(Scope::gateway) && is_tokenizer(platform, sha256)) ||
           platform.blob_owners.contains({sha256, principal.organisation_id});
}

Result<std::string> hash_of(const http::Request& request) {
    const std::string& sha256 = request.param("sha256");
    if (is_sha256(sha256)) return sha256;
    return fail_field(
        ErrorCode::invalid_argument, "sha256", "must be 64 lower-case hexadecimal digits"
    );
}

io::Task<http::Response> put_blob(
    Platform* platform, BlobStore* blobs, access::Principal principal, http::Request request
) {
    const Result<std::string> sha256 = hash_of(request);
    if (!sha256) co_return http::problem_response(sha256.error(), request);
    if (const Result<void> room = platform->check_room(); !room)
        co_return http::problem_response(room.error(), request, 507);
    if (const Result<void> stored = co_await blobs->receive(*sha256, request.reader); !stored)
        co_return http::problem_response(stored.error(), request);
    Change change;
    platform->put_blob_owner(change, *sha256, principal.organisation_id);
    const Ticket ticket =
        change.empty() ? platform->last_ticket() : platform->commit(std::move(change));
    if (const Result<void> durable = co_await platform->committed(ticket); !durable)
        co_return http::problem_response(durable.error(), request, 503);
    co_return http::Response::empty(204);
}

io::Task<http::Response> get_blob(
    Platform* platform, BlobStore* blobs, access::Principal principal, http::Request request
) {
    const Result<std::string> sha256 = hash_of(request);
    if (!sha256) co_return http::problem_response(sha256.error(), request);
    if (!may_read(*platform, principal, *sha256) || !blobs->contains(*sha256))
        co_return http::problem_response(
            Error{ErrorCode::not_found, "no blob " + *sha256, "sha256"}, request
        );
    co_return http::Response::file(blobs->path_of(*sha256), std::string(kBytes));
}

io::Task<http::Response> get_output(
    Platform* platform, BlobStore* blobs, access::Principal principal, http::Request request
) {
    const Result<const Task*> task = find_task(*platform, principal, request.param("id"));
    if (!task) co_return http::problem_response(task.error(), request);
    const Result<std::int64_t> item = query_integer(request, "item", 0, 0, kArrayItemsMax);
    if (!item) co_return http::problem_response(item.error(), request);
    const std::string_view path = request.query.get("path");
    const auto found = std::ranges::find_if((*task)->outputs, [&](const OutputFile& output) {
        return output.path == path && output.item == *item;
    });
    if (found == (*task)->outputs.end() || !blobs->contains(found->sha256))
        co_return http::problem_response(
            Error{
                ErrorCode::not_found,
                "the task has no output '" + std::string(path) + "' of item " +
                    std::to_string(*item),
                "path"
            },
            request
        );
    http::Response response =
        http::Response::file(blobs->path_of(found->sha256), std::string(kBytes));
    response.headers.set("ETag", '"' + found->sha256 + '"');
    co_return response;
}

}  // namespace

void add_file_routes(Api& api, BlobStore& blobs, LogStore&) {
    Platform* platform = &api.platform();
    http::RouteOptions upload;
    upload.body_max = kBlobBytesMax;
    upload.stream_body = true;
    RouteDoc doc{
        .operation = "putBlob", .summary = "Store bytes under their SHA-256", .status = 204
    };
    api.raw(
        "PUT", "/v1/blobs/{sha256}", doc,
        [platform, blobs = &blobs](access::Principal p, http::Request r) {
            return put_blob(platform, blobs, std::move(p), std::move(r));
        },
        upload
    );
    doc = {
        .operation = "getBlob", .summary = "Bytes by their SHA-256", .content = std::string(kBytes)
    };
    api.raw(
        "GET", "/v1/blobs/{sha256}", doc,
        [platform, blobs = &blobs](access::Principal p, http::Request r) {
            return get_blob(platform, blobs, std::move(p), std::move(r));
        }
    );
    doc = {
        .operation = "downloadOutput",
        .summary = "An output file",
        .scope = Scope::tasks_read,
        .query = {"path", "item"},
        .content = std::string(kBytes)
    };
    api.raw(
        "GET", "/v1/tasks/{id}/outputs:download", doc,
        [platform, blobs = &blobs](access::Principal p, http::Request r) {
            return get_output(platform, blobs, std::move(p), std::move(r));
        }
    );
}

}  // namespace penstock::server
