// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <chrono>

#include "http/problem.h"
#include "http/url.h"
#include "model/quantization.h"
#include "routing/class_prices.h"
#include "server/endpoint_prices.h"
#include "server/endpoint_tokenizer.h"
#include "server/lists.h"
#include "server/routes.h"

namespace penstock::server {
namespace {

constexpr Duration kProbeTimeout = 5s;
constexpr std::size_t kModelNameMax = 128;

struct Probe {
    std::string upstream_model;
    std::string text;
};

// How an engine of a protocol is asked which models it serves: {LIST: [{NAME: …}, …]}.
struct ProbeKind {
    std::string_view protocol;
    std::string_view path;
    std::string_view list;
    std::string_view name;
};
constexpr std::array<ProbeKind, 3> kProbes{{
    {"openai", "/v1/models", "data", "id"},
    {"anthropic", "/v1/models", "data", "id"},
    {"ollama", "/api/tags", "models", "name"},
}};

const ProbeKind* probe_of(std::string_view protocol) {
    const auto* found = std::ranges::find(kProbes, protocol, &ProbeKind::protocol);
    return found == kProbes.end() ? nullptr : found;
}

Result<void> check(const CreateEndpoint& wanted) {
    if (wanted.model.empty() || wanted.model.size() > kModelNameMax)
        return fail_field(
            ErrorCode::invalid_argument, "model",
            "must have 1 to 128 characters: the name users ask for"
        );
    if (probe_of(wanted.protocol) == nullptr)
        return fail_field(
            ErrorCode::invalid_argument, "protocol",
            "'" + wanted.protocol + "' is not one of openai, anthropic, ollama"
        );
    const Result<http::Url> url = http::parse_url(wanted.url);
    if (!url || (url->scheme != "http" && url->scheme != "https") || !url->user_info.empty())
        return fail_field(
            ErrorCode::invalid_argument, "url",
            "must be http://host:port or https://host, without user and password"
        );
    TRY(check_share(wanted.batch_percent, "batch_percent"));
    TRY(check_share(wanted.cached_percent, "cached_percent"));
    TRY(check_quantization(wanted.quantization, "quantization"));
    TRY(check_continuation(wanted.continuation, wanted.protocol));
    TRY(check_weight(wanted.weight));
    return routing::check(routing::prices_of(wanted));
}

std::string base_of(std::string url) {
    while (url.ends_with('/')) url.pop_back();
    for (const std::string_view ending : {"/v1", "/api"})
        if (url.ends_with(ending)) url.resize(url.size() - ending.size());
    return url;
}

std::vector<std::string> model_ids(const json::Value& body, const ProbeKind& kind) {
    std::vector<std::string> ids;
    const json::Object* object = body.if_object();
    const json::Value* data = object == nullptr ? nullptr : object->if_contains(kind.list);
    if (data == nullptr || !data->is_array()) return ids;
    for (const json::Value& entry : data->get_array())
        if (const json::Object* model = entry.if_object())
            if (const json::Value* id = model->if_contains(kind.name);
                id != nullptr && id->is_string())
                ids.emplace_back(id->get_string());
    return ids;
}

Result<Probe> judge(
    const CreateEndpoint& wanted, const http::ClientResponse& response, std::int64_t ms
) {
    const ProbeKind& kind = *probe_of(wanted.protocol);
    if (response.status != 200)
        return fail_field(
            ErrorCode::unavailable, "url",
            "the engine answered " + std::to_string(response.status) + " to GET " +
                std::string(kind.path) + ": check url, protocol and api_key"
        );
    const Result<json::Value> body = json::parse_value(response.body);
    const std::vector<std::string> ids = body ? model_ids(*body, kind) : std::vector<std::string>();
    if (ids.empty())
        return fail_field(
            ErrorCode::unavailable, "url",
            "GET " + std::string(kind.path) + " of the engine lists no model: does it speak '" +
                wanted.protocol + "'?"
        );
    std::string all;
    for (const std::string& id : ids) all += (all.empty() ? "" : ", ") + id;
    Probe probe{
        wanted.upstream_model.value_or(wanted.model),
        "200 in " + std::to_string(ms) + " ms, models: " + all
    };
    if (std::ranges::find(ids, probe.upstream_model) != ids.end()) return probe;
    if (wanted.upstream_model || ids.size() > 1)
        return fail_field(
            ErrorCode::invalid_argument, "upstream_model",
            "the engine does not serve '" + probe.upstream_model + "', but " + all +
                ": name one of them"
        );
    probe.upstream_model = ids.front();
    return probe;
}

io::Task<Result<Probe>> probe_engine(http::Client* client, CreateEndpoint wanted) {
    http::ClientRequest request{
        .url = base_of(wanted.url) + std::string(probe_of(wanted.protocol)->path)
    };
    if (wanted.protocol == "anthropic") {
        request.headers.set("anthropic-version", "2023-06-01");
        if (wanted.api_key) request.headers.set("x-api-key", *wanted.api_key);
    } else if (wanted.api_key) {
        request.headers.set("Authorization", "Bearer " + *wanted.api_key);
    }
    const auto start = std::chrono::steady_clock::now();
    const Result<http::ClientResponse> response =
        co_await client->send(std::move(request), io::Deadline::after(kProbeTimeout));
    if (!response)
        co_return fail_field(
            ErrorCode::unavailable, "url",
            "the engine does not answer: " + response.error().message +
                "; start it, or correct the address"
        );
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                        std::chrono::steady_clock::now() - start
    )
                        .count();
    co_return judge(wanted, *response, ms);
}

Outcome store_endpoint(
    Platform& platform, Change& change, const access::Principal& principal,
    const CreateEndpoint& wanted, const Probe& probe
) {
    const Organisation& provider = *platform.directory.find_organisation(principal.organisation_id);
    StoredEndpoint row;
    row.api_key = wanted.api_key;
    row.endpoint = {
        .id = platform.make_id<EndpointId>(),
        .provider_id = provider.id,
        .provider = provider.name,
        .model = wanted.model,
        .upstream_model = probe.upstream_model,
        .url = base_of(wanted.url),
        .protocol = wanted.protocol,
        .price_input = wanted.price_input,
        .price_output = wanted.price_output,
        .class_prices = wanted.class_prices,
        .batch_percent = wanted.batch_percent,
        .cached_percent = wanted.cached_percent,
        .tokenizer_sha256 = wanted.tokenizer_sha256,
        .quantization = wanted.quantization,
        .data_policy = wanted.data_policy,
        .continuation = stated(wanted.continuation),
        .on_disconnect = wanted.on_disconnect,
        .weight = wanted.weight,
        .phase = stated(wanted.phase),
        .probe = probe.text,
        .created_at = platform.now()
    };
    if (wanted.site) {
        const Site* site = platform.fleet.find_site(std::string_view(*wanted.site));
        if (site == nullptr || site->provider_id != provider.id)
            return std::unexpected(Failure(
                Error{ErrorCode::not_found, "no site '" + *wanted.site + "' of yours", "site"}
            ));
        row.endpoint.site = site->spec.name;
        row.endpoint.c_url = site->c_url;
    }
    platform.put(change, row);
    platform.endpoints[row.endpoint.id] = row;
    platform.touch_routes(change);
    platform.add_event(
        change, "endpoint/" + to_string(row.endpoint.id), "endpoint_created", provider.id,
        principal.actor(), wanted.model + " at " + row.endpoint.url
    );
    return answer(with_prices(row.endpoint), 201);
}

struct Parts {
    Api* api;
    http::Client* client;
    TokenizerCheck tokenizers;
};

io::Task<http::Response> create_endpoint(
    Parts parts, access::Principal principal, http::Request request
) {
    Api* api = parts.api;
    Change change;
    const auto wanted = body_as<CreateEndpoint>(request);
    if (!wanted)
        co_return co_await api->finish(
            std::unexpected(wanted.error()), std::move(change), std::move(request)
        );
    if (const Result<void> fine = check(*wanted); !fine)
        co_return co_await api->finish(
            std::unexpected(Failure(fine.error())), std::move(change), std::move(request)
        );
    if (wanted->tokenizer_sha256) {
        const Result<void> counts = co_await check_tokenizer(
            parts.tokenizers, principal.organisation_id, *wanted->tokenizer_sha256
        );
        if (!counts)
            co_return co_await api->finish(
                std::unexpected(Failure(counts.error())), std::move(change), std::move(request)
            );
    }
    const Result<Probe> probe = co_await probe_engine(parts.client, *wanted);
    if (!probe)
        co_return co_await api->finish(
            std::unexpected(Failure(probe.error())), std::move(change), std::move(request)
        );
    Outcome outcome = store_endpoint(api->platform(), change, principal, *wanted, *probe);
    co_return co_await api->finish(std::move(outcome), std::move(change), std::move(request));
}

std::vector<const Endpoint*> visible(const Platform& platform, const access::Principal& principal) {
    std::vector<const Endpoint*> all;
    for (const auto& [id, row] : platform.endpoints)
        if (row.endpoint.state != EndpointState::deleted &&
            (row.endpoint.provider_id == principal.organisation_id || principal.is_operator()))
            all.push_back(&row.endpoint);
    return all;
}

// Only what is shown, or looked at by a filter or an order, gets its prices.
Outcome list_endpoints(const Platform& platform, const Call& call) {
    const std::vector<const Endpoint*> all = visible(platform, call.principal);
    const Selection selection = TRY(select(
        call.request, all.size(), [&](std::size_t i) { return json::print(with_prices(*all[i])); },
        [&](std::size_t i) { return to_string(all[i]->id); }
    ));
    EndpointPage page;
    for (const std::size_t i : selection.indices) page.endpoints.push_back(with_prices(*all[i]));
    page.next_page_token = selection.next_page_token;
    page.total = selection.total;
    return answer(page);
}

std::unexpected<Failure> no_endpoint(const std::string& reference) {
    return std::unexpected(
        Failure(Error{ErrorCode::not_found, "no endpoint '" + reference + "' of yours", "id"})
    );
}

const Endpoint* find_endpoint(
    const Platform& platform, const access::Principal& principal, std::string_view reference
) {
    if (reference.starts_with("endpoint/")) reference.remove_prefix(9);
    for (const Endpoint* endpoint : visible(platform, principal))
        if (to_string(endpoint->id) == reference) return endpoint;
    return nullptr;
}
const Endpoint* find_endpoint(const Platform& platform, const Call& call) {
    return find_endpoint(platform, call.principal, call.request.param("id"));
}

struct WantedChange {
    Parts parts;
    const access::Principal* principal;
    const http::Request* request;
    const UpdateEndpoint* wanted;
    Change* change;
};
io::Task<Outcome> changed_endpoint(WantedChange to) {
    Platform& platform = to.parts.api->platform();
    const std::string& id = to.request->param("id");
    if (to.wanted->tokenizer_sha256 && !to.wanted->tokenizer_sha256->empty())
        CO_TRY(co_await check_tokenizer(
            to.parts.tokenizers, to.principal->organisation_id, *to.wanted->tokenizer_sha256
        ));
    // Only now, since it may have changed while the tokenizer was read.
    const Endpoint* endpoint = find_endpoint(platform, *to.principal, id);
    if (endpoint == nullptr) co_return no_endpoint(id);
    co_return update_endpoint(platform, *to.change, {*to.wanted, *to.principal}, *endpoint);
}

io::Task<http::Response> change_endpoint(
    Parts parts, access::Principal principal, http::Request request
) {
    Api* api = parts.api;
    Change change;
    const auto wanted = body_as<UpdateEndpoint>(request);
    Outcome outcome = std::unexpected(Failure(Error()));
    if (wanted)
        outcome = co_await changed_endpoint({parts, &principal, &request, &*wanted, &change});
    else
        outcome = std::unexpected(wanted.error());
    co_return co_await api->finish(std::move(outcome), std::move(change), std::move(request));
}

Outcome list_models(Platform& platform, Call& call) {
    std::map<std::string, ModelEntry> models;
    for (const auto& [id, row] : platform.endpoints) {
        const Endpoint& endpoint = row.endpoint;
        if (endpoint.state != EndpointState::ready) continue;
        ModelEntry& entry = models[endpoint.model];
        const bool first = entry.endpoints_ready++ == 0;
        entry.id = endpoint.model;
        if (std::ranges::find(entry.providers, endpoint.provider) == entry.providers.end())
            entry.providers.push_back(endpoint.provider);
        add_prices(entry, endpoint, first);
    }
    std::vector<ModelEntry> all;
    for (auto& [name, entry] : models) all.push_back(std::move(entry));
    return list_page(call.request, all, &ModelPage::models, [](const ModelEntry& entry) {
        return entry.id;
    });
}

}  // namespace

void add_endpoint_routes(Api& api, http::Client& client, BlobStore& blobs, io::Pool& pool) {
    Platform& platform = api.platform();
    const Parts parts{&api, &client, {&platform, &blobs, &pool}};
    RouteDoc doc{
        .operation = "createEndpoint",
        .summary = "Register an engine you run; it is probed first",
        .scope = Scope::provider,
        .request = json::schema<CreateEndpoint>,
        .response = json::schema<Endpoint>,
        .status = 201
    };
    api.raw("POST", "/v1/endpoints", doc, [parts](access::Principal p, http::Request r) {
        return create_endpoint(parts, std::move(p), std::move(r));
    });
    api.query(
        "/v1/endpoints",
        {.operation = "listEndpoints",
         .summary = "Your engines",
         .response = json::schema<EndpointPage>,
         .list = true},
        [&platform](Call& call) { return list_endpoints(platform, call); }
    );
    api.query(
        "/v1/endpoints/{id}",
        {.operation = "getEndpoint",
         .summary = "One of your engines",
         .response = json::schema<Endpoint>},
        [&platform](Call& call) -> Outcome {
            const Endpoint* endpoint = find_endpoint(platform, call);
            return endpoint == nullptr ? Outcome(no_endpoint(call.request.param("id")))
                                       : Outcome(answer(with_prices(*endpoint)));
        }
    );
    doc =
        {.operation = "updateEndpoint",
         .summary = "Change what an engine costs, from the next call on, or what is said of it",
         .scope = Scope::provider,
         .request = json::schema<UpdateEndpoint>,
         .response = json::schema<Endpoint>};
    api.raw("PATCH", "/v1/endpoints/{id}", doc, [parts](access::Principal p, http::Request r) {
        return change_endpoint(parts, std::move(p), std::move(r));
    });
    api.command(
        "DELETE", "/v1/endpoints/{id}",
        {.operation = "deleteEndpoint",
         .summary = "No new calls for an engine",
         .scope = Scope::provider,
         .status = 204},
        [&platform](Call& call) -> Outcome {
            const Endpoint* endpoint = find_endpoint(platform, call);
            if (endpoint == nullptr) return no_endpoint(call.request.param("id"));
            StoredEndpoint& row = platform.endpoints.at(endpoint->id);
            row.endpoint.state = EndpointState::deleted;
            platform.put(call.change, row);
            platform.touch_routes(call.change);
            return Answer{204, ""};
        }
    );
    api.query(
        "/v1/catalogue/models",
        {.operation = "listModels",
         .summary = "Models with their prices",
         .response = json::schema<ModelPage>,
         .list = true},
        [&platform](Call& call) { return list_models(platform, call); }
    );
}

}  // namespace penstock::server
