// SPDX-License-Identifier: Apache-2.0
#include "access/directory.h"

#include <gtest/gtest.h>

namespace penstock::access {
namespace {

const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");

struct DirectoryFixture {
    SeededRandom random{1};
    IdSource ids{random};
    Directory directory;
    OrganisationId organisation = ids.next<OrganisationId>(kStart);
    DirectoryFixture() {
        EXPECT_TRUE(directory.add_organisation(
            {.id = organisation, .name = "lab", .code = "00001", .roles = {Role::consumer}}
        ));
    }
    Result<NewKey> key(std::vector<Scope> scopes, std::optional<Time> expires = {}) {
        return directory.add_key(
            {.id = ids.next<KeyId>(kStart),
             .organisation_id = organisation,
             .name = "ci",
             .scopes = std::move(scopes),
             .expires_at = expires},
            make_secret(random)
        );
    }
};

TEST(Directory, KnowsAKeyByTheHashOfItsSecretOnly) {
    DirectoryFixture f;
    const NewKey made = *f.key({});
    EXPECT_EQ(made.secret.size(), 51U);
    EXPECT_EQ(f.directory.authenticate(sha256_hex(made.secret), kStart)->key_name, "ci");
    EXPECT_FALSE(f.directory.authenticate(made.secret, kStart));
}

TEST(Directory, RefusesExpiredAndDeletedKeysWithTheReason) {
    DirectoryFixture f;
    const NewKey short_lived = *f.key({}, kStart + 1h);
    EXPECT_TRUE(f.directory.authenticate(short_lived.stored.sha256, kStart));
    EXPECT_NE(
        f.directory.authenticate(short_lived.stored.sha256, kStart + 1h)
            .error()
            .message.find("expired"),
        std::string::npos
    );
    const NewKey deleted = *f.key({});
    EXPECT_TRUE(f.directory.revoke_key(deleted.stored.key.id, kStart));
    EXPECT_NE(
        f.directory.authenticate(deleted.stored.sha256, kStart).error().message.find("deleted"),
        std::string::npos
    );
    EXPECT_EQ(f.directory.revoked_since(kStart), std::vector{deleted.stored.sha256});
    EXPECT_TRUE(f.directory.revoked_since(kStart + 1us).empty());
}

TEST(Directory, AConsumerCannotMakeAnOperatorKey) {
    DirectoryFixture f;
    EXPECT_EQ(f.key({Scope::operator_}).error().code, ErrorCode::permission_denied);
    EXPECT_EQ(f.key({Scope::gateway}).error().field, "scopes");
}

TEST(Directory, TakesSoManyKeysOfAnOrganisationAndOneMoreForEachDeletedOne) {
    DirectoryFixture f;
    KeyId last;
    for (std::size_t i = 0; i < kKeysPerOrganisationMax; ++i) last = f.key({})->stored.key.id;
    EXPECT_EQ(f.key({}).error().code, ErrorCode::resource_exhausted);

    EXPECT_TRUE(f.directory.revoke_key(last, kStart));
    EXPECT_TRUE(f.directory.revoke_key(last, kStart));

    EXPECT_TRUE(f.key({}));
    EXPECT_EQ(f.key({}).error().code, ErrorCode::resource_exhausted);
}

TEST(Directory, CountsAKeyOnceHoweverOftenItIsRestored) {
    DirectoryFixture f;
    const StoredKey first = f.key({})->stored;
    for (std::size_t i = 1; i < kKeysPerOrganisationMax; ++i) f.directory.restore(first);
    EXPECT_TRUE(f.key({}));
}

TEST(Require, NamesTheMissingScope) {
    const Principal reader{.key_name = "r", .scopes = {Scope::tasks_read}};
    EXPECT_TRUE(require(reader, Scope::tasks_read));
    EXPECT_EQ(
        require(reader, Scope::tasks_write).error().message,
        "key 'r' lacks the scope tasks_write: create a key with it (penstock key create --scope "
        "tasks_write)"
    );
    const Principal chief{.key_name = "o", .scopes = {Scope::operator_}};
    EXPECT_TRUE(require(chief, Scope::tasks_write));
    EXPECT_FALSE(require(chief, Scope::agent));
}

TEST(Sha256, MatchesThePublishedVector) {
    EXPECT_EQ(
        sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

}  // namespace
}  // namespace penstock::access
