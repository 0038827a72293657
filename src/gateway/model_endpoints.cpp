// SPDX-License-Identifier: Apache-2.0
#include "gateway/model_endpoints.h"

#include <fmt/format.h>

#include <boost/describe/enum_to_string.hpp>
#include <map>

#include "gateway/model_prices.h"
#include "routing/json_scanner.h"

namespace penstock::gateway {
namespace {

// What the endpoints of one entry have in common, but for the supplier itself.
struct Entry {
    std::shared_ptr<const Route> example;
    std::int64_t ready = 0;
    std::int64_t all = 0;
};

// Endpoints with the same text are one entry.
std::string kind_of(const Route& route) {
    const Endpoint& endpoint = route.endpoint;
    std::string out = R"({"provider_name":)";
    routing::append_json_string(out, endpoint.provider);
    out += R"(,"site":)";
    routing::append_json_string(out, endpoint.site);
    out += R"(,"region":)";
    routing::append_json_string(out, route.region);
    out += R"(,"protocol":)";
    routing::append_json_string(out, endpoint.protocol);
    out += R"(,"quantization":)";
    routing::append_json_string(out, endpoint.quantization.value_or("unknown"));
    const auto policy = endpoint.data_policy.value_or(DataPolicy::collects);
    out += R"(,"data_policy":")";
    out += boost::describe::enum_to_string(policy, "collects");
    out += '"';
    append_pricing(out, routing::prices_of(endpoint));
    return out;
}

void append_figure(std::string& out, std::string_view name, const routing::Measured& figure) {
    const std::string value = figure.value ? fmt::format("{:.6g}", *figure.value) : "null";
    out += fmt::format(R"("{}":{{"value":{},"samples":{}}},)", name, value, figure.samples);
}

void append_measured(std::string& out, const routing::SupplierFigures& figures) {
    out += R"(,"measured":{)";
    append_figure(out, "first_token_ms_p50", figures.first_token_ms_p50);
    append_figure(out, "first_token_ms_p95", figures.first_token_ms_p95);
    append_figure(out, "tokens_per_second_p50", figures.tokens_per_second_p50);
    append_figure(out, "success_share", figures.success_share);
    const std::string price =
        figures.price_per_million_tokens ? to_string(*figures.price_per_million_tokens) : "";
    out += fmt::format(
        R"("price_per_million_tokens":{{"value":{},"tokens":{}}},"window_seconds":{}}})",
        price.empty() ? "null" : '"' + price + '"', figures.tokens_priced,
        std::chrono::duration_cast<std::chrono::seconds>(routing::SupplierWindow::kSpan).count()
    );
}

}  // namespace

void append_endpoints(
    std::string& out, const routing::EndpointPool& endpoints, std::string_view model, Time now
) {
    std::map<std::string, Entry> entries;
    for (const std::shared_ptr<const Route>& route : endpoints.routes(model)) {
        Entry& entry = entries[kind_of(*route)];
        entry.example = route;
        ++entry.all;
        if (route->endpoint.state == EndpointState::ready) ++entry.ready;
    }
    out += R"(,"endpoints":[)";
    bool first = true;
    for (const auto& [kind, entry] : entries) {
        if (!std::exchange(first, false)) out += ',';
        out += kind;
        out += fmt::format(R"(,"replicas":{},"replicas_ready":{})", entry.all, entry.ready);
        append_measured(out, endpoints.figures(entry.example->endpoint.provider, model, now));
        out += '}';
    }
    out += ']';
}

}  // namespace penstock::gateway
