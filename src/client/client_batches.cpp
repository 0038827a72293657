// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <ostream>
#include <sstream>

#include "client/client.h"

namespace penstock::client {
namespace {

constexpr std::uintmax_t kInputBytesMax = 200UL * 1024 * 1024;
constexpr std::size_t kBoundaryLength = 32;
constexpr Duration kUploadTimeout = 30min;
constexpr Duration kDownloadSilenceMax = 60s;

// A form with the file and its purpose. The boundary is random, so no file has it.
std::string form_of(const std::string& boundary, const std::string& name, std::string content) {
    const std::string begin = "--" + boundary + "\r\nContent-Disposition: form-data; name=";
    std::string safe = name;
    std::erase_if(safe, [](char c) { return c == '"' || c == '\\' || c == '\r' || c == '\n'; });
    return begin + "\"purpose\"\r\n\r\nbatch\r\n" + begin + "\"file\"; filename=\"" + safe +
           "\"\r\nContent-Type: application/octet-stream\r\n\r\n" + std::move(content) + "\r\n--" +
           boundary + "--\r\n";
}

}  // namespace

io::Task<Result<FileObject>> Client::upload_batch_input(std::filesystem::path file) {
    std::error_code failed;
    const std::uintmax_t bytes = std::filesystem::file_size(file, failed);
    if (failed)
        co_return fail(
            ErrorCode::not_found, "cannot read " + file.string() + ": " + failed.message()
        );
    if (bytes > kInputBytesMax)
        co_return fail(
            ErrorCode::invalid_argument, file.string() + " has more than 200 MiB: split it"
        );
    std::ostringstream content;
    content << std::ifstream(file, std::ios::binary).rdbuf();
    const std::string boundary = random_text(connection_.random(), kBoundaryLength);
    Call call{
        .method = "POST",
        .path = "/v1/files",
        .body = form_of(boundary, file.filename().string(), std::move(content).str())
    };
    call.content_type = "multipart/form-data; boundary=" + boundary;
    call.timeout = kUploadTimeout;
    co_return co_await connection_.call_for<FileObject>(std::move(call));
}

io::Task<Result<BatchObject>> Client::create_batch(CreateBatch batch) {
    co_return co_await connection_.call_for<BatchObject>(
        {.method = "POST", .path = "/v1/batches", .body = json::print(batch)}
    );
}

io::Task<Result<BatchObject>> Client::batch(std::string id) {
    co_return co_await connection_.call_for<BatchObject>(
        {.path = "/v1/batches/" + http::percent_encode(id)}
    );
}

io::Task<Result<BatchObject>> Client::cancel_batch(std::string id) {
    co_return co_await connection_.call_for<BatchObject>(
        {.method = "POST", .path = "/v1/batches/" + http::percent_encode(id) + "/cancel"}
    );
}

io::Task<Result<BatchExplanation>> Client::explain_batch(std::string id) {
    co_return co_await connection_.call_for<BatchExplanation>(
        {.path = "/v1/batches/" + http::percent_encode(id) + ":explain"}
    );
}

io::Task<Result<BatchList>> Client::batches(std::int64_t limit, std::string after) {
    http::Query query;
    query.add("limit", std::to_string(limit));
    if (!after.empty()) query.add("after", std::move(after));
    co_return co_await connection_.call_for<BatchList>(
        {.path = "/v1/batches", .query = std::move(query)}
    );
}

io::Task<Result<FileList>> Client::files(FileQuery wanted) {
    http::Query query;
    query.add("limit", std::to_string(wanted.limit));
    if (!wanted.after.empty()) query.add("after", std::move(wanted.after));
    if (!wanted.purpose.empty()) query.add("purpose", std::move(wanted.purpose));
    co_return co_await connection_.call_for<FileList>(
        {.path = "/v1/files", .query = std::move(query)}
    );
}

io::Task<Result<FileObject>> Client::file(std::string id) {
    co_return co_await connection_.call_for<FileObject>(
        {.path = "/v1/files/" + http::percent_encode(id)}
    );
}

io::Task<Done> Client::delete_file(std::string id) {
    CO_TRY(co_await connection_.call_for<DeletedObject>(
        {.method = "DELETE", .path = "/v1/files/" + http::percent_encode(id)}
    ));
    co_return Done();
}

io::Task<Done> Client::file_content(std::string id, std::ostream* to) {
    http::ResponseStream stream = CO_TRY(co_await connection_.open(
        {.path = "/v1/files/" + http::percent_encode(id) + "/content"}, {{"Accept", "*/*"}}
    ));
    while (true) {
        const std::string_view bytes =
            CO_TRY(co_await stream.read(io::Deadline::after(kDownloadSilenceMax)));
        if (bytes.empty()) co_return Done();
        to->write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        if (!*to)
            co_return fail(ErrorCode::internal, "writing what came failed: is the disk full?");
    }
}

}  // namespace penstock::client
