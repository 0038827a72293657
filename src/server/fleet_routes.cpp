// SPDX-License-Identifier: Apache-2.0
#include "dispatch/pool_policy.h"
#include "server/lists.h"
#include "server/routes.h"
#include "server/services.h"

namespace penstock::server {
namespace {

std::unexpected<Failure> missing(std::string_view noun, const std::string& reference) {
    return std::unexpected(Failure(
        Error{ErrorCode::not_found, "no " + std::string(noun) + " '" + reference + "'", "id"}
    ));
}

Outcome create_site(Platform& platform, Call& call) {
    const SiteSpec spec = TRY(body_as<SiteSpec>(call.request));
    TRY(fleet::validate(spec));
    TRY(dispatch::validate_policies(spec));
    if (platform.fleet.find_site(std::string_view(spec.name)) != nullptr)
        return std::unexpected(Failure(Error{
            ErrorCode::conflict, "a site named '" + spec.name + "' exists: choose another name",
            "name"
        }));
    const Organisation& provider =
        *platform.directory.find_organisation(call.principal.organisation_id);
    Site site{
        .id = platform.make_id<SiteId>(),
        .provider_id = provider.id,
        .provider = provider.name,
        .spec = spec,
        .created_at = call.now,
        .updated_at = call.now
    };
    site.c_url = TRY(issue_resource_code(platform, call.change, spec, provider));
    site = TRY(platform.fleet.add_site(std::move(site)));
    platform.put(call.change, site);
    platform.add_event(
        call.change, "site/" + to_string(site.id), "site_created", provider.id,
        call.principal.actor(), site.spec.name
    );
    return answer(site, 201);
}

Outcome update_site(Platform& platform, Call& call) {
    const Site* site = platform.fleet.find_site(std::string_view(call.request.param("id")));
    const bool allowed = site != nullptr && (site->provider_id == call.principal.organisation_id ||
                                             call.principal.is_operator());
    if (!allowed) return missing("site", call.request.param("id"));
    const std::string_view wanted = call.request.headers.get("If-Match");
    if (!wanted.empty() && wanted != answer(*site).etag)
        return std::unexpected(Failure(Error{
            ErrorCode::conflict, "the site has changed since you read it: read it again", "If-Match"
        }));
    const SiteSpec spec = TRY(body_as<SiteSpec>(call.request));
    TRY(dispatch::validate_policies(spec));
    const bool moved = spec.region != site->spec.region || spec.rtt_ms != site->spec.rtt_ms;
    const Site updated = TRY(platform.fleet.update_site(site->id, spec, call.now));
    platform.put(call.change, updated);
    if (moved) platform.touch_routes(call.change);  // gateways choose by it
    return answer(updated);
}

Outcome set_cordoned(Platform& platform, Call& call, bool cordoned) {
    const Node* node = platform.fleet.find_node(std::string_view(call.request.param("id")));
    const bool allowed = node != nullptr && (node->provider_id == call.principal.organisation_id ||
                                             call.principal.is_operator());
    if (!allowed) return missing("node", call.request.param("id"));
    const Node changed = TRY(platform.fleet.set_cordoned(node->id, cordoned));
    platform.put(call.change, changed);
    platform.add_event(
        call.change, "node/" + to_string(node->id), cordoned ? "node_cordoned" : "node_uncordoned",
        node->provider_id, call.principal.actor(), node->site + "/" + node->name
    );
    call.change.after.emplace_back([&platform] { platform.on_work(); });
    return answer(changed);
}

// Nodes with what is held of them filled in.
template <class T>
std::string id_text(const T& row) {
    return to_string(row.id);
}

void add_site_routes(Api& api) {
    Platform& platform = api.platform();
    api.command(
        "POST", "/v1/sites",
        {.operation = "createSite",
         .summary = "Register a site; it gets its C-URL",
         .scope = Scope::provider,
         .request = json::schema<SiteSpec>,
         .response = json::schema<Site>,
         .status = 201},
        [&platform](Call& call) { return create_site(platform, call); }
    );
    api.query(
        "/v1/sites",
        {.operation = "listSites",
         .summary = "All sites",
         .response = json::schema<SitePage>,
         .list = true},
        [&platform](Call& call) {
            return list_page(call.request, platform.fleet.sites(), &SitePage::sites, id_text<Site>);
        }
    );
    api.query(
        "/v1/sites/{id}",
        {.operation = "getSite", .summary = "A site by id or name", .response = json::schema<Site>},
        [&platform](Call& call) -> Outcome {
            const Site* site = platform.fleet.find_site(std::string_view(call.request.param("id")));
            if (site == nullptr) return missing("site", call.request.param("id"));
            return answer(*site);
        }
    );
    api.command(
        "PUT", "/v1/sites/{id}",
        {.operation = "updateSite",
         .summary = "Change a site; new prices count from now on",
         .scope = Scope::provider,
         .request = json::schema<SiteSpec>,
         .response = json::schema<Site>},
        [&platform](Call& call) { return update_site(platform, call); }
    );
}

}  // namespace

void add_fleet_routes(Api& api) {
    Platform& platform = api.platform();
    add_site_routes(api);
    api.query(
        "/v1/nodes",
        {.operation = "listNodes",
         .summary = "Nodes with capacity, holds and health",
         .response = json::schema<NodePage>,
         .list = true},
        [&platform](Call& call) {
            return list_page(call.request, platform.fleet.nodes(), &NodePage::nodes, id_text<Node>);
        }
    );
    api.query(
        "/v1/nodes/{id}",
        {.operation = "getNode",
         .summary = "A node by id or site/name",
         .response = json::schema<Node>},
        [&platform](Call& call) -> Outcome {
            const Node* node = platform.fleet.find_node(std::string_view(call.request.param("id")));
            if (node == nullptr) return missing("node", call.request.param("id"));
            return answer(*node);
        }
    );
    api.command(
        "POST", "/v1/nodes/{id}:cordon",
        {.operation = "cordonNode",
         .summary = "No new work for a node",
         .scope = Scope::provider,
         .response = json::schema<Node>},
        [&platform](Call& call) { return set_cordoned(platform, call, true); }
    );
    api.command(
        "POST", "/v1/nodes/{id}:uncordon",
        {.operation = "uncordonNode",
         .summary = "Open a node for new work",
         .scope = Scope::provider,
         .response = json::schema<Node>},
        [&platform](Call& call) { return set_cordoned(platform, call, false); }
    );
    api.query(
        "/v1/offers",
        {.operation = "listOffers",
         .summary = "What can be had now, and how fresh that is",
         .response = json::schema<OfferPage>,
         .list = true},
        [&platform](Call& call) {
            return list_page(
                call.request, platform.fleet.offers(call.now), &OfferPage::offers,
                [](const Offer& offer) { return offer.id; }
            );
        }
    );
}

}  // namespace penstock::server
