// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/client.h"
#include "model/page.h"
#include "server/agent_hub.h"
#include "server/api.h"
#include "server/billing.h"
#include "server/dispatcher.h"
#include "server/files.h"
#include "server/gateway_book.h"

// The routes of src/server/README.md, one function per noun. What they register lives as long as
// the services they are given.
namespace penstock::server {

void add_access_routes(Api& api, Billing& billing);
void add_limit_routes(Api& api, Billing& billing, io::Pool& pool);
void add_fleet_routes(Api& api);
void add_outlook_routes(Api& api);
void add_decision_routes(Api& api);
void add_task_routes(Api& api, Dispatcher& dispatcher);
void add_file_routes(Api& api, BlobStore& blobs, LogStore& logs);
void add_watch_routes(Api& api, LogStore& logs, io::Pool& pool);
void add_billing_routes(Api& api, Billing& billing, io::Pool& pool);
void add_event_routes(Api& api, io::Pool& pool);
void add_endpoint_routes(Api& api, http::Client& client, BlobStore& blobs, io::Pool& pool);
void add_gateway_routes(Api& api, Billing& billing, GatewayBook& gateways, io::Pool& pool);
void add_gateway_views(Api& api, GatewayBook& book);
void add_identity_routes(Api& api);
void add_health_routes(Api& api, http::Router& router, const Version& version);

// The caller's task by id, "task/ID" or name; not_found for a foreign one as for a missing one.
Result<const Task*> find_task(
    const Platform& platform, const access::Principal& principal, std::string_view reference
);

// OpenAPI 3.1 of all registered routes.
std::string openapi_document(const http::Router& router, const Version& version);

}  // namespace penstock::server
