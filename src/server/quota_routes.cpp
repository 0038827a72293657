// SPDX-License-Identifier: Apache-2.0
#include "server/quota_routes.h"

#include "json/json.h"
#include "server/routes.h"

namespace penstock::server {
namespace {

std::expected<void, Failure> none_of(std::vector<Error> errors) {
    if (!errors.empty()) return std::unexpected(Failure(std::move(errors)));
    return {};
}

SetQuota set_by(const Call& call, const ComputeQuota& quota) {
    SetQuota set;
    static_cast<ComputeQuota&>(set) = quota;
    set.set_by = call.principal.actor();
    set.set_at = call.now;
    return set;
}

}  // namespace

std::expected<void, Failure> set_quota(
    const Call& call, Organisation& organisation, const ComputeQuota& quota
) {
    if (!call.principal.is_operator())
        return std::unexpected(Failure(Error{
            ErrorCode::permission_denied,
            "the quota of an organisation is set by an operator: ask for one", "quota"
        }));
    TRY(none_of(check(quota, "quota")));
    organisation.quota = set_by(call, quota);
    return {};
}

std::expected<void, Failure> set_quota(
    const Call& call, const Organisation& organisation, Project& project, const ComputeQuota& quota
) {
    TRY(none_of(check(quota, "quota")));
    const ComputeQuota whole = organisation.quota.value_or(SetQuota{});
    TRY(none_of(check_within(quota, whole, "quota")));
    project.quota = set_by(call, quota);
    return {};
}

void add_tenant_routes(Api& api) {
    Platform& platform = api.platform();
    api.query(
        "/v1/organisations/{id}",
        {.operation = "getOrganisation",
         .summary = "One organisation with its limits and its quota",
         .response = json::schema<Organisation>},
        [&platform](Call& call) -> Outcome {
            const Organisation* found =
                platform.directory.find_organisation(call.request.param("id"));
            const bool allowed = found != nullptr && (found->id == call.principal.organisation_id ||
                                                      call.principal.is_operator());
            if (!allowed)
                return std::unexpected(Failure(Error{
                    ErrorCode::not_found,
                    "no organisation '" + std::string(call.request.param("id")) + "'", "id"
                }));
            return answer(*found);
        }
    );
    api.query(
        "/v1/projects/{id}",
        {.operation = "getProject",
         .summary = "One project with its limits and its quota",
         .response = json::schema<Project>},
        [&platform](Call& call) -> Outcome {
            const Project* found = platform.directory.find_project(
                call.principal.organisation_id, call.request.param("id")
            );
            if (found == nullptr)
                return std::unexpected(Failure(Error{
                    ErrorCode::not_found,
                    "no project '" + std::string(call.request.param("id")) + "'", "id"
                }));
            return answer(*found);
        }
    );
}

}  // namespace penstock::server
