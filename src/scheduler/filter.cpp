// SPDX-License-Identifier: Apache-2.0
#include "scheduler/filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "identity/c_url.h"

namespace penstock::scheduler {
namespace {

std::string cpus(std::int64_t milli) { return fmt::format("{:g}", static_cast<double>(milli) / 1000); }

bool allowed_by(const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
}

std::string_view name_of(TrustLevel level) {
    constexpr std::array kNames = {"none", "basic", "certified", "sovereign"};
    return kNames.at(static_cast<std::size_t>(level));
}

Verdict check_place(const Input& input, const Site& site) {
    const ResourcesSpec& resources = input.spec.resources;
    if (resources.infra && !infra_matches(*resources.infra, site))
        return {FilterReason::region_not_allowed, fmt::format("asks for {}, this is {}/{}", *resources.infra, site.provider, site.spec.region)};
    const bool any = std::ranges::any_of(resources.any_of, [&](const InfraChoice& choice) {
        return !choice.infra || infra_matches(*choice.infra, site);
    });
    if (!resources.any_of.empty() && !any)
        return {FilterReason::region_not_allowed, fmt::format("none of any_of names {}/{}", site.provider, site.spec.region)};
    if (!input.spec.placement) return {};
    if (input.spec.placement->identity) {
        const auto wanted = identity::parse_identity(*input.spec.placement->identity);
        const auto here = identity::parse_identity(site.c_url);
        if (!wanted || !here || wanted->code != here->code)
            return {FilterReason::identity_differs, fmt::format("is {}", site.c_url)};
    }
    return {};
}

Verdict check_constraints(const PlacementConstraints& rules, const Site& site) {
    const SiteSpec& spec = site.spec;
    if (!rules.sites.empty() && !allowed_by(rules.sites, spec.name))
        return {FilterReason::site_not_allowed, fmt::format("{} is not in constraints.sites", spec.name)};
    if (rules.providers && allowed_by(rules.providers->deny, site.provider))
        return {FilterReason::provider_not_allowed, fmt::format("{} is denied", site.provider)};
    if (rules.providers && !rules.providers->allow.empty() && !allowed_by(rules.providers->allow, site.provider))
        return {FilterReason::provider_not_allowed, fmt::format("{} is not allowed", site.provider)};
    const bool resident = std::ranges::any_of(rules.data_residency, [&](const std::string& prefix) {
        return !spec.residency.empty() && spec.residency.starts_with(prefix);
    });
    if (!rules.data_residency.empty() && !resident)
        return {FilterReason::residency_not_allowed, fmt::format("data would be in {}", spec.residency.empty() ? "an unknown place" : spec.residency)};
    if (rules.trust_min && spec.trust < *rules.trust_min)
        return {FilterReason::trust_too_low, fmt::format("asks for {}, has {}", name_of(*rules.trust_min), name_of(spec.trust))};
    if (rules.max_rtt_ms && !spec.rtt_ms) return {FilterReason::rtt_unknown, "its round trip is not known"};
    if (rules.max_rtt_ms && *spec.rtt_ms > *rules.max_rtt_ms)
        return {FilterReason::rtt_too_high, fmt::format("asks for {:g} ms at most, has {:g} ms", *rules.max_rtt_ms, *spec.rtt_ms)};
    if (rules.green_min_percent && !spec.green_percent) return {FilterReason::green_unknown, "its share of green power is not known"};
    if (rules.green_min_percent && *spec.green_percent < *rules.green_min_percent)
        return {FilterReason::green_too_low, fmt::format("asks for {:g} % at least, has {:g} %", *rules.green_min_percent, *spec.green_percent)};
    return {};
}

Verdict check_size(const ResourceRequest& request, const Node& node, const Capacity& free) {
    if (request.cpu_milli > node.total.cpu_milli)
        return {FilterReason::cpu_too_large, fmt::format("asks {} cpus, has {}", cpus(request.cpu_milli), cpus(node.total.cpu_milli))};
    if (request.memory_mib > node.total.memory_mib)
        return {FilterReason::memory_too_large, fmt::format("asks {} MiB, has {}", request.memory_mib, node.total.memory_mib)};
    const auto held = [&](const Capacity& capacity) {
        const auto found = capacity.accelerator_milli.find(request.accelerator->model);
        return found == capacity.accelerator_milli.end() ? 0 : found->second;
    };
    if (request.accelerator && held(node.total) < request.accelerator->count_milli)
        return {FilterReason::accelerator_absent, fmt::format("asks {}, has {}", to_string(*request.accelerator), cpus(held(node.total)))};
    for (const std::string_view limit : {"cpu", "memory"})
        if (std::ranges::find(node.enforces, limit) == node.enforces.end())
            return {FilterReason::limit_not_enforced, fmt::format("cannot enforce a {} limit", limit)};
    if (node.state != NodeState::online) return {FilterReason::node_unreachable, "not heard of"};
    if (node.health == Health::failed) return {FilterReason::node_unhealthy, node.health_reason};
    if (node.cordoned) return {FilterReason::node_cordoned, "takes no new work"};
    if (request.cpu_milli > free.cpu_milli)
        return {FilterReason::insufficient_cpu, fmt::format("asks {} cpus, {} of {} are free", cpus(request.cpu_milli), cpus(free.cpu_milli), cpus(node.total.cpu_milli))};
    if (request.memory_mib > free.memory_mib)
        return {FilterReason::insufficient_memory, fmt::format("asks {} MiB, {} of {} are free", request.memory_mib, free.memory_mib, node.total.memory_mib)};
    if (request.accelerator && held(free) < request.accelerator->count_milli)
        return {FilterReason::insufficient_accelerator, fmt::format("asks {}, {} are free", to_string(*request.accelerator), cpus(held(free)))};
    return {};
}

}  // namespace

bool infra_matches(std::string_view infra, const Site& site) {
    const std::size_t slash = infra.find('/');
    const std::string_view provider = infra.substr(0, slash);
    std::string_view region = slash == std::string_view::npos ? "*" : infra.substr(slash + 1);
    if (region.ends_with("/*")) region.remove_suffix(2);
    return (provider == "*" || provider == site.provider) && (region == "*" || region == site.spec.region);
}

Verdict filter(const Input& input, const Supply& supply, const ResourceRequest& request, const std::optional<Price>& hourly) {
    if (Verdict place = check_place(input, *supply.site); place.reason != FilterReason::none) return place;
    if (input.spec.placement && input.spec.placement->constraints)
        if (Verdict rule = check_constraints(*input.spec.placement->constraints, *supply.site); rule.reason != FilterReason::none) return rule;
    if (!hourly) return {FilterReason::accelerator_absent, "the site sells no " + (request.accelerator ? request.accelerator->model : std::string("such SKU"))};
    if (input.spec.resources.max_hourly_cost) {
        const Result<Money> most = parse_money(input.spec.resources.max_hourly_cost->text);
        const Result<ExactMoney> price = multiply(1, QuantityScale::one, *hourly);
        if (most && price && ceil_money(*price).value_or(Money()) > *most)
            return {FilterReason::price_above_maximum, fmt::format("costs {} an hour, at most {} is allowed", to_string(*hourly), to_string(*most))};
    }
    if (input.spec.deadline && input.profile.run_time && input.now + *input.profile.run_time > *input.spec.deadline)
        return {FilterReason::deadline_too_near, fmt::format("a run takes {}, the deadline is {}", to_string(*input.profile.run_time), to_rfc3339(*input.spec.deadline))};
    if (Verdict size = check_size(request, *supply.node, supply.free); size.reason != FilterReason::none) return size;
    if (std::ranges::find(input.avoid, supply.node->id) != input.avoid.end())
        return {FilterReason::excluded_after_failure, "failed here before; tried again only if nothing else is left"};
    return {};
}

}  // namespace penstock::scheduler
