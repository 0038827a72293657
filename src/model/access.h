// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/time.h"
#include "model/call_settings.h"
#include "model/compute_quota.h"
#include "model/ids.h"
#include "model/limits.h"

namespace penstock {

enum class Role { consumer, provider, operator_ };
BOOST_DESCRIBE_ENUM(Role, consumer, provider, operator_)

// A legal entity: the tenant of everything below it.
struct Organisation {
    OrganisationId id;
    std::string name;
    std::string code;  // five characters, the org part of its registration codes
    std::vector<Role> roles;
    Time created_at;
    std::optional<Limits> limits;   // of its token calls
    std::optional<SetQuota> quota;  // of its tasks
    bool operator==(const Organisation&) const = default;
};
BOOST_DESCRIBE_STRUCT(Organisation, (), (id, name, code, roles, created_at, limits, quota))

struct Project {
    ProjectId id;
    OrganisationId organisation_id;
    std::string name;
    Time created_at;
    std::optional<Limits> limits;          // of its token calls
    std::optional<SetQuota> quota;         // of its tasks; within the organisation's
    std::optional<CallSettings> settings;  // of its token calls
    bool operator==(const Project&) const = default;
};
BOOST_DESCRIBE_STRUCT(Project, (), (id, organisation_id, name, created_at, limits, quota, settings))

struct User {
    UserId id;
    OrganisationId organisation_id;
    std::string name;
    std::vector<Role> roles;
    Time created_at;
    bool operator==(const User&) const = default;
};
BOOST_DESCRIBE_STRUCT(User, (), (id, organisation_id, name, roles, created_at))

// What a key may do. A key never does more than its user's roles allow.
enum class Scope {
    tasks_read,
    tasks_write,
    tokens,
    billing_read,
    keys_write,
    provider,
    agent,
    gateway,
    operator_
};
BOOST_DESCRIBE_ENUM(
    Scope, tasks_read, tasks_write, tokens, billing_read, keys_write, provider, agent, gateway,
    operator_
)

struct Key {
    KeyId id;
    OrganisationId organisation_id;
    ProjectId project_id;
    std::optional<UserId> user_id;
    std::string name;
    std::string prefix;  // the first characters, to recognise it by
    std::vector<Scope> scopes;
    std::optional<SiteId> site_id;  // of an agent's key: the only site it may report for
    Time created_at;
    std::optional<Time> expires_at;
    std::optional<Time> revoked_at;
    std::optional<Limits> limits;          // of its token calls
    std::optional<CallSettings> settings;  // likewise
    // In answers only: what holds for its calls, and who says so.
    std::optional<std::vector<SettingInForce>> settings_in_force;
    bool operator==(const Key&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Key, (),
    (id, organisation_id, project_id, user_id, name, prefix, scopes, site_id, created_at,
     expires_at, revoked_at, limits, settings, settings_in_force)
)

// The only answer that carries the secret.
struct CreatedKey {
    KeyId id;
    std::string name;
    std::string key;  // sk-…
    std::string prefix;
    std::vector<Scope> scopes;
    ProjectId project_id;
    Time created_at;
    std::optional<Time> expires_at;
    std::optional<Limits> limits;
    std::optional<CallSettings> settings;
    bool operator==(const CreatedKey&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    CreatedKey, (),
    (id, name, key, prefix, scopes, project_id, created_at, expires_at, limits, settings)
)

struct CreateKey {
    static constexpr bool kJsonDefaults = true;
    std::string name;
    std::vector<Scope> scopes;  // empty: tasks_read, tasks_write, tokens, billing_read
    std::optional<Duration> expires_in;
    std::optional<std::string> project;
    std::optional<std::string> site;  // with scope agent
    std::optional<std::string>
        user;  // id or name: the key then never does more than the user's roles allow
    std::optional<Limits> limits;
    std::optional<CallSettings> settings;
    std::optional<std::string> request_id;
    bool operator==(const CreateKey&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    CreateKey, (), (name, scopes, expires_in, project, site, user, limits, settings, request_id)
)

// What is absent stays as it is; limits and settings are replaced as a whole.
struct UpdateKey {
    static constexpr bool kJsonDefaults = true;
    std::optional<std::string> name;
    std::optional<Duration> expires_in;  // from now
    std::optional<Limits> limits;
    std::optional<CallSettings> settings;
    bool operator==(const UpdateKey&) const = default;
};
BOOST_DESCRIBE_STRUCT(UpdateKey, (), (name, expires_in, limits, settings))

// Of an organisation or a project. What is absent stays as it is; limits, quota and settings (of a
// project) are replaced as a whole, empty ones lift all of them.
struct UpdateLimits {
    static constexpr bool kJsonDefaults = true;
    std::optional<Limits> limits;
    std::optional<ComputeQuota> quota;
    std::optional<CallSettings> settings;
    bool operator==(const UpdateLimits&) const = default;
};
BOOST_DESCRIBE_STRUCT(UpdateLimits, (), (limits, quota, settings))

struct CreateOrganisation {
    static constexpr bool kJsonDefaults = true;
    std::string name;
    std::string code;
    std::vector<Role> roles;
    bool operator==(const CreateOrganisation&) const = default;
};
BOOST_DESCRIBE_STRUCT(CreateOrganisation, (), (name, code, roles))

struct CreateProject {
    static constexpr bool kJsonDefaults = true;
    std::string name;
    bool operator==(const CreateProject&) const = default;
};
BOOST_DESCRIBE_STRUCT(CreateProject, (), (name))

struct CreateUser {
    static constexpr bool kJsonDefaults = true;
    std::string name;
    std::vector<Role> roles;  // empty: consumer; never more than the organisation has
    bool operator==(const CreateUser&) const = default;
};
BOOST_DESCRIBE_STRUCT(CreateUser, (), (name, roles))

// Who the caller is, as GET /v1/whoami tells.
struct WhoAmI {
    OrganisationId organisation_id;
    std::string organisation;
    ProjectId project_id;
    std::string project;
    std::string key;  // name
    std::vector<Role> roles;
    std::vector<Scope> scopes;
    bool operator==(const WhoAmI&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    WhoAmI, (), (organisation_id, organisation, project_id, project, key, roles, scopes)
)

}  // namespace penstock
