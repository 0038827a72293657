// SPDX-License-Identifier: Apache-2.0
#include "server/routes.h"

// What sites state of their hours to come.
namespace penstock::server {
namespace {

std::unexpected<Failure> missing(const std::string& site) {
    return std::unexpected(Failure(Error{ErrorCode::not_found, "no site '" + site + "'", "id"}));
}

Outcome get_outlook(const Platform& platform, const Call& call) {
    const std::string& name = call.request.param("id");
    const Site* site = platform.fleet.find_site(std::string_view(name));
    if (site == nullptr) return missing(name);
    const SiteOutlook* outlook = platform.fleet.find_outlook(site->id);
    if (outlook == nullptr)
        return std::unexpected(Failure(Error{
            ErrorCode::not_found,
            "site " + site->spec.name +
                " states no outlook: its provider gives one with penstock site outlook " +
                site->spec.name + " --file FILE",
            "id"
        }));
    return answer(view_of(*outlook, site->spec.name, call.now));
}

Outcome put_outlook(Platform& platform, Call& call) {
    const std::string& name = call.request.param("id");
    const Site* site = platform.fleet.find_site(std::string_view(name));
    const bool allowed = site != nullptr && (site->provider_id == call.principal.organisation_id ||
                                             call.principal.is_operator());
    if (!allowed) return missing(name);
    const OutlookSpec spec = TRY(body_as<OutlookSpec>(call.request));
    const SiteOutlook outlook = TRY(platform.fleet.state_outlook(site->id, spec, call.now));
    platform.put(call.change, outlook);
    platform.add_event(
        call.change, "site/" + to_string(site->id), "outlook_stated", site->provider_id,
        call.principal.actor(),
        std::to_string(hours_of(spec)) + " hours from " + to_rfc3339(spec.from) + " on" +
            (spec.source.empty() ? "" : ", of " + spec.source)
    );
    call.change.after.emplace_back([&platform] { platform.on_work(); });
    return answer(view_of(outlook, site->spec.name, call.now));
}

}  // namespace

void add_outlook_routes(Api& api) {
    Platform& platform = api.platform();
    api.query(
        "/v1/sites/{id}/outlook",
        {.operation = "getSiteOutlook",
         .summary = "What a site states of its hours to come, and how old that is",
         .response = json::schema<OutlookView>},
        [&platform](Call& call) { return get_outlook(platform, call); }
    );
    api.command(
        "PUT", "/v1/sites/{id}/outlook",
        {.operation = "stateSiteOutlook",
         .summary = "State grid carbon, power price and percent of the list price by the hour",
         .scope = Scope::provider,
         .request = json::schema<OutlookSpec>,
         .response = json::schema<OutlookView>},
        [&platform](Call& call) { return put_outlook(platform, call); }
    );
}

}  // namespace penstock::server
