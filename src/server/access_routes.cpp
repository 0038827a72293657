// SPDX-License-Identifier: Apache-2.0
#include "server/key_settings.h"
#include "server/lists.h"
#include "server/routes.h"

namespace penstock::server {
namespace {

Outcome create_key(Platform& platform, Call& call) {
    const CreateKey wanted = TRY(body_as<CreateKey>(call.request));
    Key key{
        .id = platform.make_id<KeyId>(),
        .organisation_id = call.principal.organisation_id,
        .project_id = call.principal.project_id,
        .name = wanted.name,
        .scopes = wanted.scopes,
        .created_at = call.now
    };
    if (wanted.expires_in) key.expires_at = call.now + *wanted.expires_in;
    if (wanted.limits) {
        std::vector<Error> errors = check(*wanted.limits, "limits");
        if (!errors.empty()) return std::unexpected(Failure(std::move(errors)));
        key.limits = wanted.limits;
    }
    if (wanted.project) {
        const Project* project =
            platform.directory.find_project(key.organisation_id, *wanted.project);
        if (project == nullptr)
            return std::unexpected(Failure(Error{
                ErrorCode::not_found, "no project '" + *wanted.project + "': create it first",
                "project"
            }));
        key.project_id = project->id;
    }
    if (wanted.settings) {
        TRY(check_key_settings(*platform.directory.find_project(key.project_id), *wanted.settings));
        key.settings = stored_settings(*wanted.settings);
    }
    if (wanted.user) {
        const User* user = platform.directory.find_user(key.organisation_id, *wanted.user);
        if (user == nullptr)
            return std::unexpected(Failure(Error{
                ErrorCode::not_found, "no user '" + *wanted.user + "': create it first", "user"
            }));
        key.user_id = user->id;
    }
    if (wanted.site) {
        const Site* site = platform.fleet.find_site(*wanted.site);
        if (site == nullptr || site->provider_id != key.organisation_id)
            return std::unexpected(Failure(Error{
                ErrorCode::not_found, "no site '" + *wanted.site + "' of yours: create it first",
                "site"
            }));
        key.site_id = site->id;
    }
    // A key hands on no more than it has itself.
    for (const Scope scope : wanted.scopes)
        if (!call.principal.has(Scope::operator_))
            TRY(access::require(call.principal, scope == Scope::agent ? Scope::provider : scope));
    const access::NewKey made =
        TRY(platform.directory.add_key(std::move(key), access::make_secret(platform.random())));
    platform.put(call.change, made.stored);
    const Key& stored = made.stored.key;
    return answer(
        CreatedKey{
            stored.id, stored.name, made.secret, stored.prefix, stored.scopes, stored.project_id,
            stored.created_at, stored.expires_at, stored.limits, stored.settings
        },
        201
    );
}

Outcome list_keys(Platform& platform, Call& call) {
    std::vector<Key> keys;
    for (const access::StoredKey* stored :
         platform.directory.keys_of(call.principal.organisation_id))
        if (!stored->key.revoked_at) keys.push_back(with_settings(platform, stored->key));
    return list_page(call.request, keys, &KeyPage::keys, [](const Key& key) {
        return to_string(key.id);
    });
}

Outcome delete_key(Platform& platform, Call& call) {
    const std::string& reference = call.request.param("id");
    const std::string_view id_text =
        std::string_view(reference).substr(reference.starts_with("key/") ? 4 : 0);
    for (const access::StoredKey* stored :
         platform.directory.keys_of(call.principal.organisation_id)) {
        if (stored->key.revoked_at ||
            (to_string(stored->key.id) != id_text && stored->key.name != id_text))
            continue;
        const access::StoredKey revoked =
            TRY(platform.directory.revoke_key(stored->key.id, call.now));
        platform.put(call.change, revoked);
        platform.touch_routes(call.change);
        return Answer{204, ""};
    }
    return std::unexpected(Failure(Error{ErrorCode::not_found, "no key '" + reference + "'", "id"})
    );
}

Outcome create_organisation(Platform& platform, Billing& billing, Call& call) {
    CreateOrganisation wanted = TRY(body_as<CreateOrganisation>(call.request));
    if (wanted.roles.empty()) wanted.roles = {Role::consumer};
    const Organisation organisation = TRY(platform.directory.add_organisation(
        {.id = platform.make_id<OrganisationId>(),
         .name = wanted.name,
         .code = wanted.code,
         .roles = wanted.roles,
         .created_at = call.now}
    ));
    const Project project = TRY(platform.directory.add_project(
        {.id = platform.make_id<ProjectId>(),
         .organisation_id = organisation.id,
         .name = "default",
         .created_at = call.now}
    ));
    platform.put(call.change, organisation);
    platform.put(call.change, project);
    TRY(billing.open_accounts(call.change, organisation));
    return answer(organisation, 201);
}

// The first key of another organisation can only be made by the operator.
Outcome create_organisation_key(Platform& platform, Call& call) {
    const Organisation* organisation =
        platform.directory.find_organisation(call.request.param("id"));
    if (organisation == nullptr)
        return std::unexpected(Failure(
            Error{ErrorCode::not_found, "no organisation '" + call.request.param("id") + "'", "id"}
        ));
    const CreateKey wanted = TRY(body_as<CreateKey>(call.request));
    if (wanted.limits)
        if (std::vector<Error> errors = check(*wanted.limits, "limits"); !errors.empty())
            return std::unexpected(Failure(std::move(errors)));
    const Project& project = *platform.directory.projects_of(organisation->id).front();
    if (wanted.settings) TRY(check_key_settings(project, *wanted.settings));
    std::vector<Scope> scopes = wanted.scopes;
    for (const Role role : organisation->roles)
        for (const Scope scope : access::scopes_of(role))
            if (wanted.scopes.empty() && scope != Scope::agent && scope != Scope::gateway)
                scopes.push_back(scope);
    const access::NewKey made = TRY(platform.directory.add_key(
        {.id = platform.make_id<KeyId>(),
         .organisation_id = organisation->id,
         .project_id = project.id,
         .name = wanted.name,
         .scopes = scopes,
         .created_at = call.now,
         .limits = wanted.limits,
         .settings = wanted.settings ? stored_settings(*wanted.settings) : std::nullopt},
        access::make_secret(platform.random())
    ));
    platform.put(call.change, made.stored);
    const Key& stored = made.stored.key;
    return answer(
        CreatedKey{
            stored.id, stored.name, made.secret, stored.prefix, stored.scopes, stored.project_id,
            stored.created_at, stored.expires_at, stored.limits, stored.settings
        },
        201
    );
}

Outcome list_organisations(Platform& platform, Call& call) {
    std::vector<const Organisation*> all;
    for (const Organisation* organisation : platform.directory.organisations())
        if (call.principal.is_operator() || organisation->id == call.principal.organisation_id)
            all.push_back(organisation);
    return list_page(
        call.request, all, &OrganisationPage::organisations,
        [](const Organisation& o) { return to_string(o.id); }
    );
}

Outcome create_project(Platform& platform, Call& call) {
    const CreateProject wanted = TRY(body_as<CreateProject>(call.request));
    const Project project = TRY(platform.directory.add_project(
        {.id = platform.make_id<ProjectId>(),
         .organisation_id = call.principal.organisation_id,
         .name = wanted.name,
         .created_at = call.now}
    ));
    platform.put(call.change, project);
    return answer(project, 201);
}

Outcome create_user(Platform& platform, Call& call) {
    const CreateUser wanted = TRY(body_as<CreateUser>(call.request));
    const User user = TRY(platform.directory.add_user(
        {.id = platform.make_id<UserId>(),
         .organisation_id = call.principal.organisation_id,
         .name = wanted.name,
         .roles = wanted.roles,
         .created_at = call.now}
    ));
    platform.put(call.change, user);
    return answer(user, 201);
}

Outcome who_am_i(Platform& platform, Call& call) {
    const Organisation& organisation =
        *platform.directory.find_organisation(call.principal.organisation_id);
    const Project* project = platform.directory.find_project(call.principal.project_id);
    return answer(WhoAmI{
        organisation.id, organisation.name, call.principal.project_id,
        project == nullptr ? "" : project->name, call.principal.key_name, call.principal.roles,
        call.principal.scopes
    });
}

void add_key_routes(Api& api) {
    Platform& platform = api.platform();
    api.command(
        "POST", "/v1/keys",
        {.operation = "createKey",
         .summary = "Make an API key; its secret is shown once",
         .scope = Scope::keys_write,
         .request = json::schema<CreateKey>,
         .response = json::schema<CreatedKey>,
         .status = 201},
        [&platform](Call& call) { return create_key(platform, call); }
    );
    api.query(
        "/v1/keys",
        {.operation = "listKeys",
         .summary = "Keys of your organisation",
         .response = json::schema<KeyPage>,
         .list = true},
        [&platform](Call& call) { return list_keys(platform, call); }
    );
    api.command(
        "DELETE", "/v1/keys/{id}",
        {.operation = "deleteKey",
         .summary = "Revoke a key",
         .scope = Scope::keys_write,
         .status = 204},
        [&platform](Call& call) { return delete_key(platform, call); }
    );
}

void add_organisation_routes(Api& api, Billing& billing) {
    Platform& platform = api.platform();
    api.command(
        "POST", "/v1/organisations",
        {.operation = "createOrganisation",
         .summary = "Admit an organisation",
         .scope = Scope::operator_,
         .request = json::schema<CreateOrganisation>,
         .response = json::schema<Organisation>,
         .status = 201},
        [&platform, &billing](Call& call) { return create_organisation(platform, billing, call); }
    );
    api.command(
        "POST", "/v1/organisations/{id}/keys",
        {.operation = "createOrganisationKey",
         .summary = "Make a key for an organisation",
         .scope = Scope::operator_,
         .request = json::schema<CreateKey>,
         .response = json::schema<CreatedKey>,
         .status = 201},
        [&platform](Call& call) { return create_organisation_key(platform, call); }
    );
    api.query(
        "/v1/organisations",
        {.operation = "listOrganisations",
         .summary = "Organisations you may see",
         .response = json::schema<OrganisationPage>,
         .list = true},
        [&platform](Call& call) { return list_organisations(platform, call); }
    );
}

void add_member_routes(Api& api) {
    Platform& platform = api.platform();
    api.command(
        "POST", "/v1/projects",
        {.operation = "createProject",
         .summary = "Make a project",
         .scope = Scope::keys_write,
         .request = json::schema<CreateProject>,
         .response = json::schema<Project>,
         .status = 201},
        [&platform](Call& call) { return create_project(platform, call); }
    );
    api.query(
        "/v1/projects",
        {.operation = "listProjects",
         .summary = "Your projects",
         .response = json::schema<ProjectPage>,
         .list = true},
        [&platform](Call& call) {
            return list_page(
                call.request, platform.directory.projects_of(call.principal.organisation_id),
                &ProjectPage::projects, [](const Project& project) { return to_string(project.id); }
            );
        }
    );
    api.command(
        "POST", "/v1/users",
        {.operation = "createUser",
         .summary = "Add a person to your organisation",
         .scope = Scope::keys_write,
         .request = json::schema<CreateUser>,
         .response = json::schema<User>,
         .status = 201},
        [&platform](Call& call) { return create_user(platform, call); }
    );
    api.query(
        "/v1/users",
        {.operation = "listUsers",
         .summary = "People of your organisation",
         .response = json::schema<UserPage>,
         .list = true},
        [&platform](Call& call) {
            return list_page(
                call.request, platform.directory.users_of(call.principal.organisation_id),
                &UserPage::users, [](const User& user) { return to_string(user.id); }
            );
        }
    );
    api.query(
        "/v1/whoami",
        {.operation = "whoAmI", .summary = "Who this key is", .response = json::schema<WhoAmI>},
        [&platform](Call& call) { return who_am_i(platform, call); }
    );
}

}  // namespace

void add_access_routes(Api& api, Billing& billing) {
    add_key_routes(api);
    add_organisation_routes(api, billing);
    add_member_routes(api);
}

}  // namespace penstock::server
