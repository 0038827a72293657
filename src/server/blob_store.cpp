// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"
#include "server/durable_file.h"
#include "server/files.h"

namespace penstock::server {
bool is_sha256(std::string_view text) {
    return text.size() == 64 &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<void> BlobStore::open() {
    std::error_code error;
    std::filesystem::create_directories(directory_ / "incoming", error);
    if (error) return disk_error(directory_, error.value());
    for (const auto& left : std::filesystem::directory_iterator(directory_ / "incoming", error))
        std::filesystem::remove(left.path(), error);  // of an upload that a crash cut short
    return {};
}

std::filesystem::path BlobStore::path_of(std::string_view sha256) const {
    CHECK(is_sha256(sha256), "callers check names before they become paths");
    return directory_ / std::string(sha256.substr(0, 2)) / std::string(sha256);
}

bool BlobStore::contains(std::string_view sha256) const {
    std::error_code error;
    return std::filesystem::exists(path_of(sha256), error);
}

io::Task<Result<void>> BlobStore::receive(std::string sha256, http::BodyReader reader) {
    const std::filesystem::path target = path_of(sha256);
    std::error_code error;
    std::filesystem::create_directories(target.parent_path(), error);
    if (error) co_return disk_error(target, error.value());
    IncomingFile file(directory_ / "incoming" / std::to_string(++next_temporary_));
    while (true) {
        const std::string_view piece = CO_TRY(co_await reader.read());
        if (piece.empty()) break;
        CO_TRY(co_await pool_.run([&file, piece] { return file.write(piece); }));
    }
    const std::string hash = file.hash();
    if (hash != sha256)
        co_return fail_field(
            ErrorCode::invalid_argument, "sha256",
            "the body hashes to " + hash + ": it was cut or changed, send it again"
        );
    co_return co_await pool_.run([&file, &target] { return file.finish(target); });
}

}  // namespace penstock::server
