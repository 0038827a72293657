// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>

#include "storage/sql_store.h"

namespace penstock::storage {
namespace {

constexpr std::string_view kScheme = "sqlite://";
constexpr mode_t kOwnerOnly = 0600;
constexpr std::int64_t kSynchronousFull = 2;
constexpr int kBusySeconds = 10;  // a reader of ours or a backup; owners are kept apart by the lock

std::unexpected<Error> cannot(std::string_view what, const std::string& path) {
    const int error = errno;
    return fail(
        ErrorCode::unavailable,
        fmt::format(
            "cannot {} {}: {}; check that the directory exists and that this user may write there",
            what, path, std::strerror(error)
        )
    );
}

// SQLite gives its -wal and -shm files the mode of the database: only we may read what is in them.
Result<void> create_private(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kOwnerOnly);
    if (descriptor < 0) return cannot("open", path);
    ::close(descriptor);
    return {};
}

Result<std::unique_ptr<Connection>> connect(
    const Place& place, const std::string& path, const OpenOptions& options
) {
    auto connection =
        TRY(Connection::open(place, fmt::format("dbname=\"{}\" timeout={}", path, kBusySeconds)));
    const std::string mode = TRY(connection->text("PRAGMA journal_mode = WAL"));
    if (mode != "wal")
        return fail(
            ErrorCode::unavailable,
            fmt::format(
                "{} cannot use a write-ahead log ({}): put it on a local disk", place.url, mode
            )
        );
    // FULL: a commit that was acknowledged survives a loss of power, not only the death of the
    // process.
    for (const std::string_view pragma :
         {"synchronous = FULL", "temp_store = MEMORY", "cache_size = -65536"})
        TRY(connection->execute(fmt::format("PRAGMA {}", pragma)));
    if (const std::int64_t level = TRY(connection->integer("PRAGMA synchronous"));
        level != kSynchronousFull)
        return fail(
            ErrorCode::internal,
            fmt::format(
                "{} stays at PRAGMA synchronous = {}: commits would not be durable", place.url,
                level
            )
        );
    TRY(connection->integer(fmt::format("PRAGMA journal_size_limit = {}", 64 << 20)));
    if (options.pages_max > 0)
        TRY(connection->integer(fmt::format("PRAGMA max_page_count = {}", options.pages_max)));
    return connection;
}

}  // namespace

Result<std::unique_ptr<OwnerLock>> OwnerLock::take(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kOwnerOnly);
    if (descriptor < 0) return cannot("open", path);
    std::unique_ptr<OwnerLock> lock(new OwnerLock(descriptor));
    std::array<char, 32> owner{};
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        const ssize_t size = ::pread(descriptor, owner.data(), owner.size() - 1, 0);
        return fail(
            ErrorCode::unavailable,
            fmt::format(
                "another server (process {}) owns this state and holds {}: stop it first",
                size > 0 ? owner.data() : "unknown", path
            )
        );
    }
    const std::string self = std::to_string(::getpid());
    if (::ftruncate(descriptor, 0) != 0 ||
        ::pwrite(descriptor, self.data(), self.size(), 0) != static_cast<ssize_t>(self.size()))
        return cannot("write", path);
    return lock;
}

OwnerLock::~OwnerLock() { ::close(descriptor_); }

Result<std::unique_ptr<Store>> open_sqlite(std::string_view url, const OpenOptions& options) {
    const std::string path(url.substr(kScheme.size()));
    if (!path.starts_with('/') || path.ends_with('/') || path.find('"') != std::string::npos)
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("'{}' names no file: write sqlite:///absolute/path/penstock.db", url)
        );
    const Place place{
        Engine::sqlite, std::string(url), std::filesystem::path(path).parent_path().string()
    };
    std::unique_ptr<OwnerLock> lock = TRY(OwnerLock::take(path + ".lock"));
    TRY(create_private(path));
    auto writer = TRY(connect(place, path, options));
    auto reader = TRY(connect(place, path, options));
    auto store =
        std::make_unique<SqlStore>(place, std::move(lock), std::move(writer), std::move(reader));
    TRY(store->take_over());
    return std::unique_ptr<Store>(std::move(store));
}

}  // namespace penstock::storage
