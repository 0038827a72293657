// SPDX-License-Identifier: Apache-2.0
#include "server/services.h"

#include <algorithm>

#include "identity/code_issuer.h"
#include "identity/resource_encoder.h"
#include "model/replica_policy.h"
#include "tasks/state.h"

namespace penstock::server {
namespace {

// Counts codes per prefix; the highest number is a counter in the store, written with what got the
// code.
Result<identity::RegistrationCode> issue(
    Platform& platform, Change& change, const identity::ZonePrefix& prefix
) {
    identity::CodeIssuer issuer;
    const std::string name = "seq/" + identity::to_string(prefix);
    if (const auto last = platform.counters.find(name); last != platform.counters.end())
        TRY(issuer.replay(
            {prefix.node, prefix.org, prefix.city, prefix.zone,
             static_cast<std::uint64_t>(last->second)}
        ));
    const identity::RegistrationCode code = TRY(issuer.issue(prefix));
    platform.put_counter(change, name, static_cast<std::int64_t>(code.seq));
    return code;
}

std::string bare_url(const Platform& platform, const identity::RegistrationCode& code) {
    identity::CUrl url;
    url.authority.assign(platform.options().authority);
    url.code = code;
    return identity::to_string(url);
}

// One that leaves gets no new calls.
bool is_ready(const Platform& platform, const Attempt& attempt) {
    return attempt.state == TaskState::running && attempt.service_url &&
           !platform.board.is_leaving(attempt);
}

EndpointState endpoint_state(const Platform& platform, const Attempt& attempt) {
    if (is_ready(platform, attempt)) return EndpointState::ready;
    return tasks::is_active(attempt.state) && platform.board.is_leaving(attempt)
               ? EndpointState::unready
               : EndpointState::deleted;
}

void add_endpoint(Platform& platform, Change& change, const Task& task, const Attempt& attempt) {
    const ServiceSpec& service = *task.spec.service;
    const Site& site = *platform.fleet.find_site(attempt.placement.site_id);
    StoredEndpoint row;
    row.endpoint = {
        .id = platform.make_id<EndpointId>(),
        .provider_id = site.provider_id,
        .provider = site.provider,
        .model = *service.model,
        .upstream_model = *service.model,
        .url = *attempt.service_url,
        .protocol = service.protocol,
        .site = site.spec.name,
        .c_url = instance_code(task.service->c_url, site.c_url, attempt.item + 1),
        .attempt_id = attempt.id,
        .task_id = task.id,
        .price_input = site.spec.prices.input_tokens,
        .price_output = site.spec.prices.output_tokens,
        .price_version = site.price_version,
        .probe = "readiness probe answered",
        .simulated = attempt.placement.simulated,
        .created_at = platform.now()
    };
    // What was stored before negative prices were refused costs what the site says.
    const auto take = [](const std::optional<Money>& wanted, Price& price) {
        if (wanted && !wanted->is_negative()) price = *parse_price(to_string(*wanted));
    };
    take(service.price_input, row.endpoint.price_input);
    take(service.price_output, row.endpoint.price_output);
    row.endpoint.class_prices = service.class_prices;
    row.endpoint.batch_percent = service.batch_percent;
    row.endpoint.cached_percent = service.cached_percent;
    row.endpoint.tokenizer_sha256 = service.tokenizer_sha256;
    row.endpoint.quantization = service.quantization;
    row.endpoint.data_policy = service.data_policy;
    platform.add_event(
        change, "endpoint/" + to_string(row.endpoint.id), "endpoint_ready", task.organisation_id,
        "platform", row.endpoint.model + " at " + row.endpoint.site
    );
    platform.put(change, row);
    platform.endpoints[row.endpoint.id] = std::move(row);
    platform.touch_routes(change);
}

}  // namespace

std::string instance_code(
    const std::string& service_c_url, const std::string& site_c_url, std::int64_t ordinal
) {
    const auto service = identity::parse(service_c_url);
    const auto site = identity::parse(site_c_url);
    if (!service || !site) return {};
    identity::CUrl url;
    url.authority = service->authority;
    url.code = service->code;
    url.instance = identity::InstancePart{site->code, static_cast<std::uint16_t>(ordinal)};
    return identity::to_string(url);
}

void refresh_service(Platform& platform, Change& change, TaskId id) {
    const Task& task = *platform.board.find(id);
    ServiceView view = task.service.value_or(ServiceView{});
    const std::vector<const Attempt*> attempts = platform.board.attempts_of(id);
    const bool elastic = is_elastic(*task.spec.service);
    if (view.c_url.empty()) {
        if (!elastic && std::ranges::none_of(attempts, [&](const Attempt* attempt) {
                return is_ready(platform, *attempt);
            }))
            return;
        const Organisation& owner = *platform.directory.find_organisation(task.organisation_id);
        const bool llm = task.spec.service->protocol == "openai";
        const Result<std::string> code = issue_service_code(
            platform, change, owner, llm ? "LLM" : "FN",
            task.spec.service->model.value_or(task.name)
        );
        if (!code) return platform.log().error("no code for a service", code.error());
        view.id = platform.make_id<ServiceId>();
        view.c_url = *code;
        view.protocol = task.spec.service->protocol;
        view.model = task.spec.service->model.value_or("");
    }
    view.replicas_wanted = elastic ? platform.board.replicas(id) : tasks::replicas_of(task.spec);
    view.replicas_ready = 0;
    view.instances.clear();
    for (const Attempt* attempt : attempts) {
        if (!is_ready(platform, *attempt)) continue;
        ++view.replicas_ready;
        view.instances.push_back(instance_code(
            view.c_url, platform.fleet.find_site(attempt->placement.site_id)->c_url,
            attempt->item + 1
        ));
    }
    platform.board.set_service(id, std::move(view), change.tasks);
    if (task.spec.service->protocol != "openai") return;
    for (const Attempt* attempt : attempts) {
        const auto known = std::ranges::find_if(platform.endpoints, [&](const auto& row) {
            return row.second.endpoint.attempt_id == attempt->id;
        });
        const EndpointState state = endpoint_state(platform, *attempt);
        if (known == platform.endpoints.end()) {
            if (state == EndpointState::ready) add_endpoint(platform, change, task, *attempt);
        } else if (known->second.endpoint.state != EndpointState::deleted &&
                   known->second.endpoint.state != state) {
            known->second.endpoint.state = state;
            platform.put(change, known->second);
            platform.touch_routes(change);
        }
    }
}

Result<std::string> issue_resource_code(
    Platform& platform, Change& change, const SiteSpec& spec, const Organisation& provider
) {
    const identity::ZonePrefix prefix{
        identity::NodeCode(platform.options().node_code), identity::OrgCode(provider.code),
        identity::CityCode(spec.division_code), identity::ZoneCode(spec.zone)
    };
    return bare_url(platform, TRY(issue(platform, change, prefix)));
}

Result<std::string> issue_service_code(
    Platform& platform, Change& change, const Organisation& provider, const std::string& kind,
    const std::string& name
) {
    const identity::ZonePrefix prefix{
        identity::NodeCode(platform.options().node_code), identity::OrgCode(provider.code),
        identity::CityCode(identity::kServiceCity), identity::ZoneCode(identity::kServiceZone)
    };
    identity::CUrl url;
    url.authority.assign(platform.options().authority);
    url.code = TRY(issue(platform, change, prefix));
    identity::ServicePart part;
    part.kind.assign(kind);
    if (name.size() <= identity::kServiceLabelLengthMax) part.name.assign(name);
    url.service = part;
    // A name that is no label stays out of the code; the code alone is the identity.
    if (!identity::validate(url)) url.service->name.assign("");
    return identity::to_string(url);
}

Result<void> issue_pool_codes(Platform& platform, Change& change, const Site& site) {
    const Organisation& provider = *platform.directory.find_organisation(site.provider_id);
    for (std::string& sku : platform.fleet.skus_without_pool(site.id)) {
        const std::string c_url = TRY(issue_resource_code(platform, change, site.spec, provider));
        Pool pool{
            .site_id = site.id, .sku = std::move(sku), .c_url = c_url, .created_at = platform.now()
        };
        platform.put(change, pool);
        platform.fleet.put_pool(std::move(pool));
    }
    return {};
}

bool describe_site(Platform& platform, Site& site) {
    std::int64_t cpu_milli = 0, memory_mib = 0;
    for (const Node* node : platform.fleet.nodes()) {
        if (node->site_id != site.id || node->simulated) continue;
        cpu_milli += node->total.cpu_milli;
        memory_mib += node->total.memory_mib;
    }
    const auto code = identity::parse_identity(site.c_url);
    if (!code || cpu_milli < 1000) return false;
    identity::ResourceDescription description = identity::general_purpose_site(
        identity::kChipAmd64, static_cast<std::uint64_t>(cpu_milli / 1000)
    );
    description.host_memory_bytes = static_cast<std::uint64_t>(memory_mib) << 20;
    const auto described =
        identity::describe_resource(platform.options().authority, code->code, description);
    if (!described) return false;
    const std::string text = identity::to_string(described->c_url);
    if (text == site.c_url) return false;
    site.c_url = text;
    return true;
}

}  // namespace penstock::server
