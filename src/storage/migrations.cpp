// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/check.h"
#include "storage/schema.h"

namespace penstock::storage {
namespace {

// {int}, {text} and {strict} are what the two engines call the same thing. PostgreSQL must order
// text by bytes as SQLite does, whatever the locale of its cluster.
std::string in_words_of(Engine engine, std::string statement) {
    const bool sqlite = engine == Engine::sqlite;
    const std::array<std::pair<std::string_view, std::string_view>, 3> words = {{
        {"{int}", sqlite ? "INTEGER" : "BIGINT"},
        {"{text}", sqlite ? "TEXT" : "TEXT COLLATE \"C\""},
        {"{strict}", sqlite ? " STRICT" : ""},
    }};
    for (const auto& [word, meaning] : words)
        for (std::size_t at = 0; (at = statement.find(word, at)) != std::string::npos;
             at += meaning.size())
            statement.replace(at, word.size(), meaning);
    return statement;
}

// A row of these tables, once written, is neither changed nor removed, by us or by hand.
std::vector<std::string> append_only_guards(Engine engine, std::string_view table) {
    if (engine == Engine::postgresql)
        return {fmt::format(
            "CREATE TRIGGER {0}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {0} "
            "FOR EACH STATEMENT EXECUTE FUNCTION penstock_append_only()",
            table
        )};
    std::vector<std::string> statements;
    for (const std::string_view change : {"UPDATE", "DELETE"})
        statements.push_back(fmt::format(
            "CREATE TRIGGER {0}_no_{1} BEFORE {1} ON {0} "
            "BEGIN SELECT RAISE(ABORT, '{0} is append-only'); END",
            table, change
        ));
    return statements;
}

const std::vector<std::string>& first_tables() {
    static const std::vector<std::string> statements = {
        R"(CREATE TABLE entity (
            kind {text} NOT NULL, id {text} NOT NULL, version {int} NOT NULL, body {text} NOT NULL,
            PRIMARY KEY (kind, id)){strict})",
        R"(CREATE TABLE account (
            id {text} NOT NULL PRIMARY KEY, asset {text} NOT NULL, kind {text} NOT NULL,
            owner {text} NOT NULL, flags {int} NOT NULL,
            dr_pend {int} NOT NULL CHECK (dr_pend >= 0), dr_post {int} NOT NULL CHECK (dr_post >= 0),
            cr_pend {int} NOT NULL CHECK (cr_pend >= 0), cr_post {int} NOT NULL CHECK (cr_post >= 0),
            version {int} NOT NULL){strict})",
        R"(CREATE TABLE transfer (
            seq {int} NOT NULL PRIMARY KEY, id {text} NOT NULL UNIQUE, hash_high {int} NOT NULL, hash_low {int} NOT NULL,
            debit {text} NOT NULL, credit {text} NOT NULL, amount {int} NOT NULL CHECK (amount > 0),
            kind {int} NOT NULL, pending_id {text} NOT NULL, chain_offset {int} NOT NULL, deadline {int},
            code {int} NOT NULL, ref_type {text} NOT NULL, ref_id {text} NOT NULL,
            ts {int} NOT NULL){strict})",
        R"(CREATE TABLE hold (
            pending_id {text} NOT NULL PRIMARY KEY, debit {text} NOT NULL, credit {text} NOT NULL,
            amount {int} NOT NULL CHECK (amount > 0), deadline {int}, state {text} NOT NULL){strict})",
        R"(CREATE TABLE accumulator (
            contract {text} NOT NULL, party {text} NOT NULL, posted {int} NOT NULL,
            rem {int} NOT NULL CHECK (rem >= 0 AND rem < 1000000000),
            PRIMARY KEY (contract, party)){strict})",
        R"(CREATE TABLE burnt_id (
            id {text} NOT NULL PRIMARY KEY, hash_high {int} NOT NULL, hash_low {int} NOT NULL, reason {text} NOT NULL,
            ts {int} NOT NULL){strict})",
        R"(CREATE TABLE idempotency (
            tenant {text} NOT NULL, idempotency_key {text} NOT NULL, request_hash {text} NOT NULL,
            status {int} NOT NULL, body {text} NOT NULL, expires_at {int} NOT NULL,
            PRIMARY KEY (tenant, idempotency_key)){strict})",
        R"(CREATE TABLE usage_record (
            id {text} NOT NULL PRIMARY KEY, ts {int} NOT NULL, tenant {text} NOT NULL,
            subject {text} NOT NULL, body {text} NOT NULL){strict})",
        "CREATE INDEX usage_record_by_tenant ON usage_record (tenant, id)",
        R"(CREATE TABLE event (
            seq {int} NOT NULL PRIMARY KEY, ts {int} NOT NULL, subject {text} NOT NULL,
            type {text} NOT NULL, tenant {text} NOT NULL, body {text} NOT NULL){strict})",
        "CREATE INDEX event_by_subject ON event (subject, seq)",
        "CREATE INDEX event_by_tenant ON event (tenant, seq)",
        // One row. Each owner counts `epoch` up; a commit of an earlier epoch changes nothing.
        R"(CREATE TABLE owner (
            one {int} NOT NULL PRIMARY KEY CHECK (one = 1), epoch {int} NOT NULL,
            commits {int} NOT NULL){strict})",
        "INSERT INTO owner (one, epoch, commits) VALUES (1, 0, 0)",
    };
    return statements;
}

Migration first(Engine engine) {
    Migration migration{1, "first tables", {}};
    for (const std::string& statement : first_tables())
        migration.statements.push_back(in_words_of(engine, statement));
    if (engine == Engine::postgresql)
        migration.statements.emplace_back(
            "CREATE FUNCTION penstock_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        );
    for (const std::string_view table : {"transfer", "event", "burnt_id", "usage_record"})
        for (std::string& statement : append_only_guards(engine, table))
            migration.statements.push_back(std::move(statement));
    return migration;
}

// Bill lines are read by who earns as well; the rows from before say so in their body.
Migration provider_of_usage(Engine engine) {
    const bool sqlite = engine == Engine::sqlite;
    Migration migration{2, "provider of a usage record", {}};
    const auto add = [&](std::string statement) {
        migration.statements.push_back(in_words_of(engine, std::move(statement)));
    };
    add(sqlite ? "DROP TRIGGER usage_record_no_UPDATE"
               : "DROP TRIGGER usage_record_append_only ON usage_record");
    add("ALTER TABLE usage_record ADD COLUMN provider {text} NOT NULL DEFAULT ''");
    add(sqlite ? "UPDATE usage_record SET provider = "
                 "COALESCE(json_extract(body, '$.provider_id'), '')"
               : "UPDATE usage_record SET provider = COALESCE(body::json ->> 'provider_id', '')");
    add("CREATE INDEX usage_record_by_provider ON usage_record (provider, id)");
    add(append_only_guards(engine, "usage_record").front());
    return migration;
}

}  // namespace

std::vector<Migration> migrations(Engine engine) {
    return {first(engine), provider_of_usage(engine)};
}

std::string checksum(const Migration& migration) {
    std::string text;
    for (const std::string& statement : migration.statements) text += statement + ";\n";
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    const int done =
        EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
    CHECK(done == 1, "hashing bytes in memory cannot fail");
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest.at(i));
    return hex;
}

}  // namespace penstock::storage
