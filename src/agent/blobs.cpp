// SPDX-License-Identifier: Apache-2.0
#include "agent/blobs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "agent/backoff.h"
#include "drivers/files.h"
#include "http/problem.h"

namespace penstock::agent {
namespace {

constexpr Duration kRetryFirst = 200ms;
constexpr Duration kRetryLongest = 15s;
constexpr std::size_t kProblemBytesMax = 64UL * 1024;

bool worth_another_try(const Error& error) {
    return error.code == ErrorCode::unavailable || error.code == ErrorCode::deadline_exceeded ||
           error.code == ErrorCode::internal;
}

// Too many requests is the one refusal that time heals.
Error error_of(int status, std::string_view body) {
    Error error = http::error_from_response(status, body);
    if (status == 429) error.code = ErrorCode::unavailable;
    return error;
}

Result<void> write_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t wrote = write(descriptor, bytes.data(), bytes.size());
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return drivers::fail_errno(errno, "writing a fetched file");
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return {};
}

Result<std::string> read_piece(int descriptor, std::uint64_t left) {
    std::string piece(
        static_cast<std::size_t>(std::min<std::uint64_t>(left, Blobs::kPieceBytes)), '\0'
    );
    std::size_t have = 0;
    while (have < piece.size()) {
        const ssize_t got = read(descriptor, piece.data() + have, piece.size() - have);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return drivers::fail_errno(errno, "reading a file to upload it");
        if (got == 0)
            return fail(ErrorCode::conflict, "a file became shorter while it was uploaded");
        have += static_cast<std::size_t>(got);
    }
    return piece;
}

// The body of an upload, read on the pool.
struct Upload {
    io::Pool& pool;
    int descriptor;
    std::uint64_t left;

    io::Task<Result<std::string>> next() {
        if (left == 0) co_return std::string();
        const int from = descriptor;
        const std::uint64_t want = left;
        Result<std::string> piece =
            co_await pool.run([from, want] { return read_piece(from, want); });
        if (piece) left -= piece->size();
        co_return piece;
    }
};

// A download's other end: hashes and writes on the pool.
struct Download {
    drivers::FileDescriptor file;
    ContentHash hash;
    std::string piece;

    Result<void> flush() {
        hash.update(piece);
        Result<void> wrote = write_all(file.get(), piece);
        piece.clear();
        return wrote;
    }
};

}  // namespace

Blobs::Blobs(http::Client& client, io::Pool& pool, std::string server_url, const std::string& key)
    : client_(client),
      pool_(pool),
      server_url_(std::move(server_url)),
      authorization_("Bearer " + key) {}

http::ClientRequest Blobs::request(std::string method, const std::string& sha256) const {
    http::ClientRequest made;
    made.method = std::move(method);
    made.url = server_url_ + "/v1/blobs/" + sha256;
    made.headers = {{"Authorization", authorization_}};
    return made;
}

io::Task<Result<void>> Blobs::fetch(std::string sha256, std::string file) {
    if (!is_content_hash(sha256))
        co_return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not a SHA-256", sha256));
    Backoff backoff(kRetryFirst, kRetryLongest);
    const io::Deadline last = io::Deadline::after(kFetchRetryMax);
    for (;;) {
        Result<void> fetched = co_await fetch_once(sha256, file);
        if (fetched || !worth_another_try(fetched.error()) || last.passed()) co_return fetched;
        co_await io::sleep_for(backoff.next(random_));
    }
}

io::Task<Result<void>> Blobs::fetch_once(std::string sha256, std::string file) {
    http::ResponseStream response =
        CO_TRY(co_await client_.open(request("GET", sha256), io::Deadline::after(kAnswerMax)));
    if (response.status() != 200) {
        const Result<std::string> body =
            co_await response.read_all(kProblemBytesMax, io::Deadline::after(kAnswerMax));
        co_return std::unexpected(error_of(response.status(), body.value_or("")));
    }
    Download download;
    Result<void> done = co_await pool_.run([&download, &file]() -> Result<void> {
        download.file = drivers::FileDescriptor(
            open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)
        );
        if (!download.file.is_open()) return drivers::fail_errno(errno, file);
        return {};
    });
    while (done) {
        const std::string_view bytes =
            CO_TRY(co_await response.read(io::Deadline::after(kAnswerMax)));
        download.piece += bytes;
        if (!bytes.empty() && download.piece.size() < kPieceBytes) continue;
        done = co_await pool_.run([&download] { return download.flush(); });
        if (bytes.empty()) break;
    }
    if (!done) co_return done;
    if (download.hash.finish() != sha256)
        co_return fail(
            ErrorCode::conflict, fmt::format("the blob {} came with other content", sha256)
        );
    co_return Result<void>{};
}

io::Task<Result<void>> Blobs::store(int descriptor, HashedFile file) {
    Backoff backoff(kRetryFirst, kRetryLongest);
    const io::Deadline last = io::Deadline::after(kStoreRetryMax);
    for (;;) {
        Result<void> stored = co_await store_once(descriptor, file);
        if (stored || !worth_another_try(stored.error()) || last.passed()) co_return stored;
        co_await io::sleep_for(backoff.next(random_));
    }
}

io::Task<Result<void>> Blobs::store_once(int descriptor, HashedFile file) {
    const http::ClientResponse present =
        CO_TRY(co_await client_.send(request("HEAD", file.sha256), io::Deadline::after(kAnswerMax))
        );
    if (present.ok()) co_return Result<void>{};
    if (present.status != 404) co_return std::unexpected(error_of(present.status, present.body));
    if (lseek(descriptor, 0, SEEK_SET) != 0)
        co_return drivers::fail_errno(errno, "rewinding a file");
    Upload upload{pool_, descriptor, static_cast<std::uint64_t>(file.bytes)};
    http::ClientRequest put = request("PUT", file.sha256);
    put.headers.set("Content-Type", "application/octet-stream");
    put.body = http::BodySource{
        [&upload] { return upload.next(); }, static_cast<std::uint64_t>(file.bytes)
    };
    const Duration at_most = kAnswerMax + std::chrono::seconds(file.bytes / kBytesPerSecondMin);
    const http::ClientResponse stored =
        CO_TRY(co_await client_.send(std::move(put), io::Deadline::after(at_most)));
    if (!stored.ok()) co_return std::unexpected(error_of(stored.status, stored.body));
    co_return Result<void>{};
}

}  // namespace penstock::agent
