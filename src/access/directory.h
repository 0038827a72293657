// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/access.h"

namespace penstock::access {

constexpr std::size_t kKeyLength = 48;  // characters after "sk-": 285 bits
constexpr std::size_t kKeyPrefixLength = 9;
constexpr std::size_t kKeysPerOrganisationMax = 10'000;  // in use: deleted ones do not count

// Who calls: the key, and what it may do. Made by authenticate() only.
struct Principal {
    KeyId key_id;
    std::string key_name;
    OrganisationId organisation_id;
    ProjectId project_id;
    std::vector<Scope> scopes;
    std::vector<Role> roles;
    std::optional<SiteId> site_id;

    bool has(Scope scope) const;
    bool is_operator() const { return has(Scope::operator_); }
    std::string actor() const { return "key/" + key_name; }
};

// A stored key: all of it but the secret, of which only the hash is kept.
struct StoredKey {
    Key key;
    std::string sha256;  // hex, of the whole "sk-…"
    bool operator==(const StoredKey&) const = default;
};
BOOST_DESCRIBE_STRUCT(StoredKey, (), (key, sha256))

struct NewKey {
    StoredKey stored;
    std::string secret;  // shown once
};

// Tenants and their keys. Pure; one owner.
class Directory {
  public:
    Result<Organisation> add_organisation(Organisation organisation);
    Result<Project> add_project(Project project);
    Result<User> add_user(User user);
    // `secret` is "sk-" and kKeyLength random characters, made by the shell.
    Result<NewKey> add_key(Key key, std::string secret);
    Result<StoredKey> revoke_key(KeyId id, Time now);
    // The hashes of keys that were revoked at `since` or later, by id.
    std::vector<std::string> revoked_since(Time since) const;

    // `unauthenticated` says why for expired and revoked keys, and the same for all others.
    Result<Principal> authenticate(std::string_view sha256_hex, Time now) const;

    const Organisation* find_organisation(OrganisationId id) const;
    const Organisation* find_organisation(std::string_view name_or_id) const;
    const Project* find_project(ProjectId id) const;
    const Project* find_project(OrganisationId organisation, std::string_view name_or_id) const;
    const User* find_user(UserId id) const;
    const User* find_user(OrganisationId organisation, std::string_view name_or_id) const;
    std::vector<const User*> users_of(OrganisationId id) const;
    const StoredKey* find_key(KeyId id) const;
    const StoredKey* find_key_by_hash(std::string_view sha256_hex) const;
    std::vector<const Organisation*> organisations() const;
    std::vector<const Project*> projects_of(OrganisationId id) const;
    std::vector<const StoredKey*> keys_of(OrganisationId id) const;
    bool empty() const { return organisations_.empty(); }

    void restore(Organisation organisation) {
        organisations_[organisation.id] = std::move(organisation);
    }
    void restore(Project project) { projects_[project.id] = std::move(project); }
    void restore(User user) { users_[user.id] = std::move(user); }
    void restore(StoredKey key);

  private:
    std::map<OrganisationId, Organisation> organisations_;
    std::map<ProjectId, Project> projects_;
    std::map<UserId, User> users_;
    std::map<KeyId, StoredKey> keys_;
    std::map<std::string, KeyId, std::less<>> by_hash_;
    std::map<OrganisationId, std::size_t> keys_in_use_;
};

// `permission_denied` naming the scope that is missing. The operator scope implies all others but
// agent and gateway, which are for machines.
Result<void> require(const Principal& principal, Scope scope);
// The scopes a role may hand out, and those a key gets when none are asked for.
std::vector<Scope> scopes_of(Role role);
std::vector<Scope> default_scopes();
std::string name_of(Scope scope);

// A name has 1 to 128 characters, without / and control characters.
Result<void> check_name(std::string_view field, std::string_view name);

std::string sha256_hex(std::string_view text);
// "sk-…" from a source fit for secrets.
std::string make_secret(Random& random);

}  // namespace penstock::access
