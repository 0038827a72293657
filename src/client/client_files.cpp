// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstring>
#include <fstream>

#include "client/client.h"
#include "client/content_hash.h"

namespace penstock::client {
namespace {

constexpr Duration kDownloadSilenceMax = 60s;

// What is half written is never found under the final name, and never left behind.
struct PartialFile {
    std::filesystem::path path;
    ~PartialFile() {
        std::error_code ignored;
        std::filesystem::remove(path, ignored);
    }
};

Error file_error(const std::filesystem::path& file, std::string_view what) {
    return {
        ErrorCode::internal,
        "cannot " + std::string(what) + " " + file.string() + ": " + std::strerror(errno),
        {}
    };
}

}  // namespace

io::Task<Done> Client::download(
    std::string path, http::Query query, std::string sha256, std::filesystem::path to
) {
    http::ResponseStream stream = CO_TRY(co_await connection_.open(
        {.path = std::move(path), .query = std::move(query)}, {{"Accept", "*/*"}}
    ));
    const PartialFile partial{to.string() + ".partial"};
    ContentHash hash;
    {
        std::ofstream file(partial.path, std::ios::binary | std::ios::trunc);
        if (!file) co_return std::unexpected(file_error(partial.path, "write"));
        while (true) {
            const std::string_view bytes =
                CO_TRY(co_await stream.read(io::Deadline::after(kDownloadSilenceMax)));
            if (bytes.empty()) break;
            hash.feed(bytes);
            file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
            if (!file) co_return std::unexpected(file_error(partial.path, "write"));
        }
        file.close();
        if (!file) co_return std::unexpected(file_error(partial.path, "write"));
    }
    const std::string found = hash.finish();
    if (found != sha256)
        co_return fail(
            ErrorCode::internal, to.string() + ": what came has SHA-256 " + found + ", " + sha256 +
                                     " was expected; nothing was kept"
        );
    std::error_code failed;
    std::filesystem::rename(partial.path, to, failed);
    if (failed)
        co_return fail(
            ErrorCode::internal, "cannot write " + to.string() + ": " + failed.message()
        );
    co_return Done();
}

io::Task<Done> Client::download_output(
    std::string task, OutputFile output, std::filesystem::path to
) {
    http::Query query;
    query.add("path", output.path);
    query.add("item", std::to_string(output.item));
    co_return co_await download(
        "/v1/tasks/" + http::percent_encode(task) + "/outputs:download", std::move(query),
        output.sha256, std::move(to)
    );
}

io::Task<Result<bool>> Client::upload_blob(std::string sha256, std::filesystem::path file) {
    const std::string path = "/v1/blobs/" + sha256;
    if (CO_TRY(co_await connection_.exists(path))) co_return false;
    CO_TRY(co_await connection_.put_file(path, std::move(file)));
    co_return true;
}

io::Task<Done> Client::download_blob(std::string sha256, std::filesystem::path to) {
    co_return co_await download("/v1/blobs/" + sha256, {}, sha256, std::move(to));
}

}  // namespace penstock::client
