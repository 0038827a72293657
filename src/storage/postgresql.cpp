// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "storage/sql_store.h"

namespace penstock::storage {
namespace {

constexpr std::int64_t kOwnerLockKey = 0x50'45'4E'53'54'4F'43'4B;  // "PENSTOCK"
constexpr std::chrono::milliseconds kOwnerRetryDelay{50};

// The URL without a password and without options.
std::string without_secrets(std::string_view url) {
    url = url.substr(0, url.find_first_of("?#"));
    const std::size_t authority = url.find("://") + 3;
    const std::size_t at = url.substr(0, url.find('/', authority)).rfind('@');
    if (at == std::string_view::npos || at < authority) return std::string(url);
    const std::size_t colon = url.find(':', authority);
    if (colon == std::string_view::npos || colon > at) return std::string(url);
    return std::string(url.substr(0, colon)) + std::string(url.substr(at));
}

Result<std::unique_ptr<Connection>> connect(const Place& place, std::string_view url) {
    auto connection = TRY(Connection::open(place, std::string(url)));
    const std::string encoding = TRY(connection->text("SHOW server_encoding"));
    if (encoding != "UTF8")
        return fail(
            ErrorCode::conflict,
            fmt::format(
                "{} has the encoding {}: create the database with ENCODING 'UTF8'", place.url,
                encoding
            )
        );
    for (const std::string& setting : {
             std::string("client_encoding = 'UTF8'"),
             std::string("standard_conforming_strings = on"),
             fmt::format("statement_timeout = '{}s'", kStatementTimeMax.count()),
             fmt::format("idle_in_transaction_session_timeout = '{}s'", kStatementTimeMax.count()),
         })
        TRY(connection->execute("SET " + setting));
    // An administrator may ask for more (remote_apply); less would lose acknowledged commits.
    const std::string durable = TRY(connection->text("SHOW synchronous_commit"));
    if (durable == "off" || durable == "local")
        TRY(connection->execute("SET synchronous_commit = on"));
    return connection;
}

// A killed owner's session lives on until PostgreSQL notices, so this asks for a while.
Result<void> lock_ownership(Connection& writer, const Place& place) {
    const std::string sql =
        fmt::format("SELECT CASE WHEN pg_try_advisory_lock({}) THEN 1 ELSE 0 END", kOwnerLockKey);
    const auto deadline = std::chrono::steady_clock::now() + kOwnerWaitMax;
    while (TRY(writer.integer(sql)) != 1) {
        if (std::chrono::steady_clock::now() >= deadline)
            return fail(
                ErrorCode::unavailable,
                "another server owns the state in " + place.url + ": stop it first"
            );
        std::this_thread::sleep_for(kOwnerRetryDelay);
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<Store>> open_postgresql(std::string_view url) {
    const Place place{Engine::postgresql, without_secrets(url), {}};
    auto writer = TRY(connect(place, url));
    TRY(lock_ownership(*writer, place));
    auto reader = TRY(connect(place, url));
    auto store = std::make_unique<SqlStore>(place, nullptr, std::move(writer), std::move(reader));
    TRY(store->take_over());
    return std::unique_ptr<Store>(std::move(store));
}

}  // namespace penstock::storage
