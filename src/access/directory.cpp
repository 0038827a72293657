// SPDX-License-Identifier: Apache-2.0
#include "access/directory.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "json/codec.h"

JSON_INSTANTIATE(penstock::access::StoredKey);

namespace penstock::access {
namespace {

bool is_plain_name(std::string_view name) {
    constexpr std::size_t kLengthMax = 128;
    return !name.empty() && name.size() <= kLengthMax &&
           std::ranges::none_of(name, [](unsigned char c) {
               return c < 0x20 || c == 0x7F || c == '/';
           });
}

std::unexpected<Error> bad_name(std::string_view field) {
    return fail_field(
        ErrorCode::invalid_argument, std::string(field),
        "must have 1 to 128 characters, without / and control characters"
    );
}

}  // namespace

bool Principal::has(Scope scope) const { return std::ranges::find(scopes, scope) != scopes.end(); }

std::string name_of(Scope scope) { return json::Codec<Scope>::name(scope); }

Result<void> require(const Principal& principal, Scope scope) {
    const bool machine_only = scope == Scope::agent || scope == Scope::gateway;
    if (principal.has(scope) || (principal.is_operator() && !machine_only)) return {};
    return fail(
        ErrorCode::permission_denied,
        "key '" + principal.key_name + "' lacks the scope " + name_of(scope) +
            ": create a key with it (penstock key create --scope " + name_of(scope) + ")"
    );
}

std::vector<Scope> default_scopes() {
    return {Scope::tasks_read, Scope::tasks_write, Scope::tokens, Scope::billing_read};
}

std::vector<Scope> scopes_of(Role role) {
    switch (role) {
        case Role::consumer:
            return {
                Scope::tasks_read, Scope::tasks_write, Scope::tokens, Scope::billing_read,
                Scope::keys_write
            };
        case Role::provider:
            return {Scope::provider, Scope::agent, Scope::billing_read, Scope::keys_write};
        case Role::operator_:
            return {Scope::operator_, Scope::gateway};
    }
    return {};
}

Result<Organisation> Directory::add_organisation(Organisation organisation) {
    if (!is_plain_name(organisation.name)) return bad_name("name");
    const bool code = organisation.code.size() == 5 &&
                      organisation.code.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") ==
                          std::string::npos;
    if (!code) return fail_field(ErrorCode::invalid_argument, "code", "must be five of A-Z 0-9");
    for (const auto& [id, other] : organisations_) {
        if (other.name == organisation.name)
            return fail_field(ErrorCode::conflict, "name", "is taken: choose another");
        if (other.code == organisation.code)
            return fail_field(ErrorCode::conflict, "code", "is taken: choose another");
    }
    return organisations_[organisation.id] = std::move(organisation);
}

Result<Project> Directory::add_project(Project project) {
    if (!is_plain_name(project.name)) return bad_name("name");
    if (find_project(project.organisation_id, project.name) != nullptr)
        return fail_field(ErrorCode::conflict, "name", "is taken: choose another");
    return projects_[project.id] = std::move(project);
}

Result<User> Directory::add_user(User user) {
    if (!is_plain_name(user.name)) return bad_name("name");
    if (find_user(user.organisation_id, user.name) != nullptr)
        return fail_field(ErrorCode::conflict, "name", "is taken: choose another");
    if (user.roles.empty()) user.roles = {Role::consumer};
    const std::vector<Role>& allowed = organisations_.at(user.organisation_id).roles;
    for (const Role role : user.roles)
        if (std::ranges::find(allowed, role) == allowed.end())
            return fail_field(
                ErrorCode::permission_denied, "roles",
                "the organisation does not have the role " + json::Codec<Role>::name(role)
            );
    return users_[user.id] = std::move(user);
}

Result<NewKey> Directory::add_key(Key key, std::string secret) {
    CHECK(
        secret.size() == 3 + kKeyLength && secret.starts_with("sk-"),
        "the shell makes secrets of this form"
    );
    if (!is_plain_name(key.name)) return bad_name("name");
    if (keys_in_use_[key.organisation_id] >= kKeysPerOrganisationMax)
        return fail(
            ErrorCode::resource_exhausted,
            "an organisation has at most 10000 keys: delete some first"
        );
    const Organisation* organisation = find_organisation(key.organisation_id);
    CHECK(organisation != nullptr, "the caller belongs to an organisation");
    if (key.scopes.empty()) key.scopes = default_scopes();
    const User* user = key.user_id ? find_user(*key.user_id) : nullptr;
    for (const Scope scope : key.scopes) {
        const bool allowed = std::ranges::any_of(
            user != nullptr ? user->roles : organisation->roles,
            [&](Role role) {
                const std::vector<Scope> scopes = scopes_of(role);
                return std::ranges::find(scopes, scope) != scopes.end();
            }
        );
        if (!allowed)
            return fail_field(
                ErrorCode::permission_denied, "scopes",
                (user != nullptr ? "user '" + user->name : "organisation '" + organisation->name) +
                    "' has no role that gives " + name_of(scope)
            );
        if (scope == Scope::agent && !key.site_id)
            return fail_field(
                ErrorCode::invalid_argument, "site", "an agent's key belongs to one site: name it"
            );
    }
    key.prefix = secret.substr(0, kKeyPrefixLength);
    StoredKey stored{std::move(key), sha256_hex(secret)};
    restore(stored);
    return NewKey{std::move(stored), std::move(secret)};
}

Result<StoredKey> Directory::revoke_key(KeyId id, Time now) {
    StoredKey stored = keys_.at(id);
    if (stored.key.revoked_at) return stored;
    stored.key.revoked_at = now;
    restore(stored);
    return stored;
}

std::vector<std::string> Directory::revoked_since(Time since) const {
    std::vector<std::string> hashes;
    for (const auto& [id, stored] : keys_)
        if (stored.key.revoked_at && *stored.key.revoked_at >= since)
            hashes.push_back(stored.sha256);
    return hashes;
}

Result<Principal> Directory::authenticate(std::string_view hash, Time now) const {
    const StoredKey* stored = find_key_by_hash(hash);
    if (stored == nullptr)
        return fail(
            ErrorCode::unauthenticated,
            "the API key is not known here: check it, or create one with penstock key create"
        );
    const Key& key = stored->key;
    if (key.revoked_at)
        return fail(
            ErrorCode::unauthenticated,
            "the API key '" + key.name + "' was deleted: create a new one"
        );
    if (key.expires_at && now >= *key.expires_at)
        return fail(
            ErrorCode::unauthenticated, "the API key '" + key.name + "' expired at " +
                                            to_rfc3339(*key.expires_at) + ": create a new one"
        );
    return Principal{
        .key_id = key.id,
        .key_name = key.name,
        .organisation_id = key.organisation_id,
        .project_id = key.project_id,
        .scopes = key.scopes,
        .roles = organisations_.at(key.organisation_id).roles,
        .site_id = key.site_id
    };
}

const Organisation* Directory::find_organisation(OrganisationId id) const {
    const auto found = organisations_.find(id);
    return found == organisations_.end() ? nullptr : &found->second;
}

const Organisation* Directory::find_organisation(std::string_view reference) const {
    if (const Result<OrganisationId> id = OrganisationId::parse(reference))
        return find_organisation(*id);
    for (const auto& [id, organisation] : organisations_)
        if (organisation.name == reference) return &organisation;
    return nullptr;
}

const Project* Directory::find_project(ProjectId id) const {
    const auto found = projects_.find(id);
    return found == projects_.end() ? nullptr : &found->second;
}

const Project* Directory::find_project(OrganisationId organisation, std::string_view reference)
    const {
    for (const auto& [id, project] : projects_)
        if (project.organisation_id == organisation &&
            (project.name == reference || to_string(id) == reference))
            return &project;
    return nullptr;
}

const User* Directory::find_user(UserId id) const {
    const auto found = users_.find(id);
    return found == users_.end() ? nullptr : &found->second;
}

const User* Directory::find_user(OrganisationId organisation, std::string_view reference) const {
    for (const auto& [id, user] : users_)
        if (user.organisation_id == organisation &&
            (user.name == reference || to_string(id) == reference))
            return &user;
    return nullptr;
}

std::vector<const User*> Directory::users_of(OrganisationId id) const {
    std::vector<const User*> all;
    for (const auto& [user_id, user] : users_)
        if (user.organisation_id == id) all.push_back(&user);
    return all;
}

const StoredKey* Directory::find_key(KeyId id) const {
    const auto found = keys_.find(id);
    return found == keys_.end() ? nullptr : &found->second;
}

const StoredKey* Directory::find_key_by_hash(std::string_view hash) const {
    const auto found = by_hash_.find(hash);
    return found == by_hash_.end() ? nullptr : find_key(found->second);
}

std::vector<const Organisation*> Directory::organisations() const {
    std::vector<const Organisation*> all;
    for (const auto& [id, organisation] : organisations_) all.push_back(&organisation);
    return all;
}

std::vector<const Project*> Directory::projects_of(OrganisationId id) const {
    std::vector<const Project*> all;
    for (const auto& [project_id, project] : projects_)
        if (project.organisation_id == id) all.push_back(&project);
    return all;
}

std::vector<const StoredKey*> Directory::keys_of(OrganisationId id) const {
    std::vector<const StoredKey*> all;
    for (const auto& [key_id, stored] : keys_)
        if (stored.key.organisation_id == id) all.push_back(&stored);
    return all;
}

void Directory::restore(StoredKey key) {
    by_hash_[key.sha256] = key.key.id;
    if (const StoredKey* before = find_key(key.key.id); before && !before->key.revoked_at)
        --keys_in_use_[before->key.organisation_id];
    if (!key.key.revoked_at) ++keys_in_use_[key.key.organisation_id];
    keys_[key.key.id] = std::move(key);
}

Result<void> check_name(std::string_view field, std::string_view name) {
    if (!is_plain_name(name)) return bad_name(field);
    return {};
}

std::string sha256_hex(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    const int ok =
        EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr);
    CHECK(ok == 1, "SHA-256 is built in");
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string hex;
    for (unsigned int i = 0; i < length; ++i) {
        hex += kHex[digest.at(i) >> 4];
        hex += kHex[digest.at(i) & 15];
    }
    return hex;
}

std::string make_secret(Random& random) { return "sk-" + random_text(random, kKeyLength); }

}  // namespace penstock::access
