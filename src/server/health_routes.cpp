// SPDX-License-Identifier: Apache-2.0
#include "server/routes.h"

namespace penstock::server {

void add_health_routes(Api& api, http::Router& router, const Version& version) {
    Platform& platform = api.platform();
    const auto text = [](std::string operation, std::string summary) {
        RouteDoc doc{.operation = std::move(operation), .summary = std::move(summary)};
        doc.content = "text/plain";
        return doc;
    };
    const auto ready = [&platform](const http::Request& request) {
        const Result<void> room = platform.check_room();
        const bool ok = !platform.failed() && room;
        std::string body = ok ? "ok\n" : "not ready\n";
        if (request.query.contains("verbose")) {
            body += platform.failed() ? "store: failed, restart\n"
                                      : "store: ok (" + platform.store().describe() + ")\n";
            body += room ? "disk: ok\n" : "disk: " + room.error().message + "\n";
        }
        return http::Response::text(ok ? 200 : 503, body);
    };
    api.open("/livez", text("livez", "The process answers"), [](const http::Request&) {
        return http::Response::text(200, "ok\n");
    });
    api.open("/readyz", text("readyz", "The platform can take commands"), ready);
    api.open("/healthz", text("healthz", "As readyz"), ready);
    RouteDoc
        doc{.operation = "version",
            .summary = "Versions of server and API",
            .response = json::schema<Version>};
    api.open("/version", doc, [version](const http::Request&) {
        return http::Response::json(200, json::print(version));
    });
    api.open("/metrics", text("metrics", "Prometheus text"), [&platform](const http::Request&) {
        http::Response response = http::Response::text(200, platform.metrics().render());
        response.headers.set("Content-Type", std::string(telemetry::kMetricsContentType));
        return response;
    });
    doc = {.operation = "openapi", .summary = "This description"};
    api.open("/openapi.json", doc, [&router, version](const http::Request&) {
        return http::Response::json(200, openapi_document(router, version));
    });
}

}  // namespace penstock::server
