// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/access.h"
#include "model/billing.h"
#include "model/decision.h"
#include "model/endpoint.h"
#include "model/gateway_status.h"
#include "model/site.h"
#include "model/task.h"

// Lists come in pages. `next_page_token` is absent on the last one; `total` counts the whole
// filtered list, so that "Shown 10 of 99" can be said.
namespace penstock {

#define PENSTOCK_PAGE(Name, Item, member)           \
    struct Name {                                   \
        std::vector<Item> member;                   \
        std::optional<std::string> next_page_token; \
        std::int64_t total = 0;                     \
    };                                              \
    BOOST_DESCRIBE_STRUCT(Name, (), (member, next_page_token, total))

PENSTOCK_PAGE(TaskPage, Task, tasks)
PENSTOCK_PAGE(AttemptPage, Attempt, attempts)
PENSTOCK_PAGE(ItemPage, TaskItem, items)
PENSTOCK_PAGE(EventPage, Event, events)
PENSTOCK_PAGE(LogPage, LogLine, lines)
PENSTOCK_PAGE(SitePage, Site, sites)
PENSTOCK_PAGE(NodePage, Node, nodes)
PENSTOCK_PAGE(OfferPage, Offer, offers)
PENSTOCK_PAGE(KeyPage, Key, keys)
PENSTOCK_PAGE(OrganisationPage, Organisation, organisations)
PENSTOCK_PAGE(ProjectPage, Project, projects)
PENSTOCK_PAGE(UserPage, User, users)
PENSTOCK_PAGE(EndpointPage, Endpoint, endpoints)
PENSTOCK_PAGE(ModelPage, ModelEntry, models)
PENSTOCK_PAGE(BillPage, BillLine, lines)
PENSTOCK_PAGE(GatewayPage, GatewayStatus, gateways)
PENSTOCK_PAGE(GatewayRoutePage, GatewayRoute, routes)
PENSTOCK_PAGE(GatewayLeasePage, GatewayLease, leases)
PENSTOCK_PAGE(DecisionPage, Decision, decisions)

#undef PENSTOCK_PAGE

// application/problem+json (RFC 9457).
struct ProblemDetail {
    std::string field;
    std::string message;
};
BOOST_DESCRIBE_STRUCT(ProblemDetail, (), (field, message))
struct Problem {
    static constexpr bool kJsonDefaults = true;
    std::string type;
    std::string title;
    std::int64_t status = 0;
    std::string detail;
    std::string instance;
    std::string code;
    std::vector<ProblemDetail> errors;
    std::string request_id;
    std::optional<std::int64_t> retry_after;
    std::string doc_url;
};
BOOST_DESCRIBE_STRUCT(
    Problem, (),
    (type, title, status, detail, instance, code, errors, request_id, retry_after, doc_url)
)

// GET /version.
struct Version {
    std::string version;
    std::string commit;
    std::string api = "v1";
};
BOOST_DESCRIBE_STRUCT(Version, (), (version, commit, api))

}  // namespace penstock
