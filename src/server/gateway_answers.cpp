// SPDX-License-Identifier: Apache-2.0
#include "server/gateway_answers.h"

namespace penstock::server {

ResolvedKey resolved_key(const Platform& platform, const access::Principal& principal) {
    const access::StoredKey& stored = *platform.directory.find_key(principal.key_id);
    const Project& project = *platform.directory.find_project(principal.project_id);
    ResolvedKey resolved{
        .key_id = principal.key_id,
        .organisation_id = principal.organisation_id,
        .project_id = principal.project_id,
        .may_use_tokens = access::require(principal, Scope::tokens).has_value(),
        .expires_at = stored.key.expires_at,
        .cache_for = kKeyCacheSpan,
        .organisation_limits =
            platform.directory.find_organisation(principal.organisation_id)->limits,
        .project_limits = project.limits,
        .key_limits = stored.key.limits
    };
    if (project.settings || stored.key.settings)
        resolved.settings = settings_of(project.settings, stored.key.settings);
    return resolved;
}

io::Task<Result<std::set<std::string>>> settled_before(
    Platform* platform, io::Pool* pool, std::vector<std::string> ids
) {
    for (;;) {
        const std::uint64_t added = platform->recent_usage.added();
        storage::Store* store = &platform->store();
        Result<std::set<std::string>> known =
            co_await pool->run([store, &ids] { return store->known_usage(ids); });
        if (!known || platform->recent_usage.added() - added <= platform->recent_usage.kept())
            co_return known;
    }
}

}  // namespace penstock::server
