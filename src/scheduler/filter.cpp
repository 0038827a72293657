// SPDX-License-Identifier: Apache-2.0
#include "scheduler/filter.h"

#include <algorithm>
#include <map>

#include "identity/c_url.h"
#include "model/alternatives.h"
#include "scheduler/callers.h"
#include "scheduler/terms.h"

namespace penstock::scheduler {
namespace {

bool contains(const std::vector<std::string>& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

Result<Money> hourly_money(const Price& hourly) {
    return ceil_money(TRY(multiply(1, QuantityScale::one, hourly)));
}

}  // namespace

bool is_temporary(FilterReason reason) {
    const auto from = std::ranges::find(kFilterOrder, FilterReason::node_unreachable);
    return std::find(from, kFilterOrder.end(), reason) != kFilterOrder.end();
}

FilterReason ReasonSet::first() const {
    const auto found = std::ranges::find_if(kFilterOrder, [this](FilterReason reason) {
        return contains(reason);
    });
    return found == kFilterOrder.end() ? FilterReason::none : *found;
}

bool infra_matches(std::string_view infra, const Site& site) {
    const std::array<std::string_view, 3> wanted_of = {
        site.provider, site.spec.region, site.spec.zone
    };
    for (const std::string_view have : wanted_of) {
        const std::size_t slash = infra.find('/');
        const std::string_view part = infra.substr(0, slash);
        if (part != "*" && part != have) return false;
        if (slash == std::string_view::npos) return true;
        infra.remove_prefix(slash + 1);
    }
    return false;  // more than three parts name nothing
}

std::int64_t devices_milli(const Capacity& capacity, const Accelerator& accelerator) {
    const auto found = capacity.accelerator_milli.find(accelerator.model);
    return found == capacity.accelerator_milli.end() ? 0 : found->second;
}

std::int64_t linked_milli(const Node& node, const std::string& model) {
    constexpr std::int64_t kWholeDevice = 1000;
    std::map<std::int64_t, std::int64_t> of_domain;
    std::int64_t most = 0;
    for (std::size_t i = 0; i < node.devices.size(); ++i) {
        const Device& device = node.devices.kind(i);
        if (device.model != model || device.health == Health::failed) continue;
        most = std::max(most, kWholeDevice);
        if (device.link_domain)
            most = std::max(most, of_domain[*device.link_domain] += kWholeDevice);
    }
    return most;
}

Filters::Filters(const Input& input) : input_(input), callers_(callers_of(input)) {
    const TaskSpec& spec = input.spec;
    if (spec.placement && spec.placement->constraints) constraints_ = &*spec.placement->constraints;
    if (spec.resources.max_hourly_cost)
        if (const Result<Money> most = parse_money(spec.resources.max_hourly_cost->text))
            hourly_max_ = *most;
    if (!spec.placement || !spec.placement->identity) return;
    const auto identity = identity::parse_identity(*spec.placement->identity);
    if (identity)
        code_ = identity->code;
    else
        code_problem_ = identity.error().message;
}

ReasonSet Filters::failing(const Question& question) const {
    ReasonSet out;
    check_place(question, out);
    if (constraints_) check_constraints(*question.supply.site, out);
    check_money_and_time(question, out);
    check_node(question, out);
    if (std::ranges::find(input_.avoid, question.supply.node->id) != input_.avoid.end())
        out.add(FilterReason::excluded_after_failure);
    if (std::ranges::find(input_.leave, question.supply.node->id) != input_.leave.end())
        out.add(FilterReason::left_to_others);
    return out;
}

std::optional<std::size_t> alternative_met(
    const ResourcesSpec& resources, const Site& site, const std::optional<Accelerator>& asked
) {
    const std::vector<InfraChoice>& all = alternatives_of(resources);
    const auto met = std::ranges::find_if(all, [&](const InfraChoice& choice) {
        if (choice.infra && !infra_matches(*choice.infra, site)) return false;
        if (!choice.accelerators) return true;
        const std::vector<Accelerator>& named = choice.accelerators->choices;
        return asked && std::ranges::find(named, *asked) != named.end();
    });
    return met == all.end() ? std::nullopt : std::optional(std::size_t(met - all.begin()));
}

void Filters::check_place(const Question& question, ReasonSet& out) const {
    const Site& site = *question.supply.site;
    const ResourcesSpec& resources = input_.spec.resources;
    if ((resources.infra && !infra_matches(*resources.infra, site)) ||
        (!alternatives_of(resources).empty() &&
         !alternative_met(resources, site, question.request.accelerator)))
        out.add(FilterReason::region_not_allowed);
    if (!input_.spec.placement || !input_.spec.placement->identity) return;
    const auto here = identity::parse_identity(site.c_url);
    if (!code_ || !here || *code_ != here->code) out.add(FilterReason::identity_differs);
}

void Filters::check_constraints(const Site& site, ReasonSet& out) const {
    const PlacementConstraints& rules = *constraints_;
    const SiteSpec& spec = site.spec;
    if (!rules.sites.empty() && !contains(rules.sites, spec.name))
        out.add(FilterReason::site_not_allowed);
    if (rules.providers) {
        const bool denied = contains(rules.providers->deny, site.provider);
        const bool allowed =
            rules.providers->allow.empty() || contains(rules.providers->allow, site.provider);
        if (denied || !allowed) out.add(FilterReason::provider_not_allowed);
    }
    const bool resident = std::ranges::any_of(rules.data_residency, [&](const std::string& prefix) {
        return !spec.residency.empty() && spec.residency.starts_with(prefix);
    });
    if (!rules.data_residency.empty() && !resident) out.add(FilterReason::residency_not_allowed);
    if (rules.trust_min && spec.trust < *rules.trust_min) out.add(FilterReason::trust_too_low);
    if (rules.max_rtt_ms) {
        const std::optional<double> trip = round_trip_ms(spec, callers_);
        if (!trip)
            out.add(FilterReason::rtt_unknown);
        else if (*trip > *rules.max_rtt_ms)
            out.add(FilterReason::rtt_too_high);
    }
    if (rules.green_min_percent) {
        if (!spec.green_percent)
            out.add(FilterReason::green_unknown);
        else if (*spec.green_percent < *rules.green_min_percent)
            out.add(FilterReason::green_too_low);
    }
}

Time Filters::end_of(const Question& question) const {
    const std::optional<Duration> run_time = expected_run_time(input_.profile, question.request);
    if (!run_time) return input_.now;
    // Where staging cannot be foretold, the run alone is the least it takes.
    const double seconds = question.terms.duration_s.value_or(to_seconds(*run_time));
    return input_.now + std::chrono::ceil<Duration>(std::chrono::duration<double>(seconds));
}

void Filters::check_money_and_time(const Question& question, ReasonSet& out) const {
    if (!question.hourly) out.add(FilterReason::accelerator_absent);
    if (is_spot(input_.spec) && !question.supply.site->spec.prices.spot_percent)
        out.add(FilterReason::spot_not_sold);
    if (hourly_max_ && question.hourly)
        if (const Result<Money> money = hourly_money(*question.hourly);
            !money || *money > *hourly_max_)
            out.add(FilterReason::price_above_maximum);
    // One hour is no estimate: only a known run time may refuse a node for what it would cost in
    // all.
    if (input_.budget_left && run_time_known(input_.profile, question.request) &&
        charged_of(question.terms).value_or(Money()) > *input_.budget_left)
        out.add(FilterReason::over_budget);
    if (input_.budget_left && *input_.budget_left <= Money()) out.add(FilterReason::over_budget);
    if (input_.spec.deadline && end_of(question) > *input_.spec.deadline)
        out.add(FilterReason::deadline_too_near);
}

void Filters::check_node(const Question& question, ReasonSet& out) const {
    const ResourceRequest& asks = question.request;
    const Node& node = *question.supply.node;
    // With a calendar it starts when there is room, so nothing is short.
    const Capacity& free = question.supply.calendar ? node.total : question.supply.free;
    if (asks.cpu_milli > node.total.cpu_milli)
        out.add(FilterReason::cpu_too_large);
    else if (asks.cpu_milli > free.cpu_milli)
        out.add(FilterReason::insufficient_cpu);
    if (asks.memory_mib > node.total.memory_mib)
        out.add(FilterReason::memory_too_large);
    else if (asks.memory_mib > free.memory_mib)
        out.add(FilterReason::insufficient_memory);
    if (asks.accelerator) {
        if (devices_milli(node.total, *asks.accelerator) < asks.accelerator->count_milli ||
            (asks.linked &&
             linked_milli(node, asks.accelerator->model) < asks.accelerator->count_milli))
            out.add(FilterReason::accelerator_absent);
        else if (devices_milli(free, *asks.accelerator) < asks.accelerator->count_milli)
            out.add(FilterReason::insufficient_accelerator);
    }
    for (const std::string_view limit : {"cpu", "memory"})
        if (!question.supply.site->spec.advisory_limits && !contains(node.enforces, limit))
            out.add(FilterReason::limit_not_enforced);
    if (node.health == Health::failed) out.add(FilterReason::node_unhealthy);
    if (node.cordoned) out.add(FilterReason::node_cordoned);
    if (node.state == NodeState::online) {
        const bool short_of_room = out.contains(FilterReason::insufficient_cpu) ||
                                   out.contains(FilterReason::insufficient_memory) ||
                                   out.contains(FilterReason::insufficient_accelerator);
        const Kept* kept = input_.kept;
        if (kept != nullptr && !short_of_room &&
            kept->promises.disturbed_by(
                kept->work, {node.id, asks}, kept->at_most, input_.now, kept->book
            ))
            out.add(FilterReason::kept_for_others);
        return;
    }
    // What it has is known from its last word; what is free is not.
    out.add(FilterReason::node_unreachable);
    out.remove(FilterReason::insufficient_cpu);
    out.remove(FilterReason::insufficient_memory);
    out.remove(FilterReason::insufficient_accelerator);
}

double Filters::shortage(FilterReason reason, const Question& question) {
    const auto ratio = [](std::int64_t asks, std::int64_t has) {
        return static_cast<double>(asks) / static_cast<double>(std::max<std::int64_t>(has, 1));
    };
    const ResourceRequest& asks = question.request;
    const Capacity& total = question.supply.node->total;
    const Capacity& free = question.supply.free;
    if (reason == FilterReason::cpu_too_large) return ratio(asks.cpu_milli, total.cpu_milli);
    if (reason == FilterReason::memory_too_large) return ratio(asks.memory_mib, total.memory_mib);
    if (reason == FilterReason::insufficient_cpu) return ratio(asks.cpu_milli, free.cpu_milli);
    if (reason == FilterReason::insufficient_memory) return ratio(asks.memory_mib, free.memory_mib);
    if (!asks.accelerator) return 0;
    if (reason == FilterReason::accelerator_absent)
        return ratio(asks.accelerator->count_milli, devices_milli(total, *asks.accelerator));
    if (reason == FilterReason::insufficient_accelerator)
        return ratio(asks.accelerator->count_milli, devices_milli(free, *asks.accelerator));
    return 0;
}

}  // namespace penstock::scheduler
