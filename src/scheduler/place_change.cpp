// SPDX-License-Identifier: Apache-2.0
#include "scheduler/place_change.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace penstock::scheduler {
namespace {

using Reason = FilterReason;
constexpr const char* kNone = "none";

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

double part_of(std::size_t names) { return 1 / static_cast<double>(names + 1); }

PlacementConstraints& constraints(TaskSpec& spec) { return *spec.placement->constraints; }

// A list of names that a site's has to be among: dropped, or with one name more.
struct NameList {
    const char* field;
    Reason lifts;
    std::vector<std::string>& (*of)(TaskSpec&);
    std::string (*name_of)(const Site&);
};

void add_list(std::vector<SpecChange>& all, const TaskSpec& spec, const NameList& list) {
    TaskSpec copy = spec;
    const std::vector<std::string> names = list.of(copy);
    if (names.empty()) return;
    SpecChange change = changed(list.field, joined(names), kNone, 1);
    change.apply = [list](TaskSpec& with) { list.of(with).clear(); };
    change.lifts = {list.lifts};
    change.least = [list, names](const FoundPlace& found) -> std::optional<SpecChange> {
        const std::string name = list.name_of(found.site);
        if (name.empty() || std::ranges::find(names, name) != names.end()) return std::nullopt;
        std::vector<std::string> more = names;
        more.push_back(name);
        SpecChange least = changed(list.field, joined(names), joined(more), part_of(names.size()));
        least.apply = [list, more](TaskSpec& with) { list.of(with) = more; };
        return least;
    };
    all.push_back(std::move(change));
}

void add_denied(std::vector<SpecChange>& all, const TaskSpec& spec) {
    constexpr const char* kField = "placement.constraints.providers.deny";
    const std::optional<ProviderRules>& rules = spec.placement->constraints->providers;
    if (!rules || rules->deny.empty()) return;
    const std::vector<std::string> names = rules->deny;
    SpecChange change = changed(kField, joined(names), kNone, 1);
    change.apply = [](TaskSpec& with) { constraints(with).providers->deny.clear(); };
    change.lifts = {Reason::provider_not_allowed};
    change.least = [names](const FoundPlace& found) -> std::optional<SpecChange> {
        std::vector<std::string> fewer = names;
        std::erase(fewer, found.site.provider);
        if (fewer.empty() || fewer.size() == names.size()) return std::nullopt;
        SpecChange least = changed(kField, joined(names), joined(fewer), part_of(names.size()));
        least.apply = [fewer](TaskSpec& with) { constraints(with).providers->deny = fewer; };
        return least;
    };
    all.push_back(std::move(change));
}

void add_allowed(std::vector<SpecChange>& all, const TaskSpec& spec) {
    const PlacementConstraints& rules = *spec.placement->constraints;
    add_list(
        all, spec,
        {.field = "placement.constraints.sites",
         .lifts = Reason::site_not_allowed,
         .of = [](TaskSpec& with) -> std::vector<std::string>& { return constraints(with).sites; },
         .name_of = [](const Site& site) { return site.spec.name; }}
    );
    add_list(
        all, spec,
        {.field = "placement.constraints.data_residency",
         .lifts = Reason::residency_not_allowed,
         .of = [](TaskSpec& with) -> std::vector<std::string>& {
             return constraints(with).data_residency;
         },
         .name_of = [](const Site& site) { return site.spec.residency; }}
    );
    if (!rules.providers) return;
    add_list(
        all, spec,
        {.field = "placement.constraints.providers.allow",
         .lifts = Reason::provider_not_allowed,
         .of = [](TaskSpec& with) -> std::vector<std::string>& {
             return constraints(with).providers->allow;
         },
         .name_of = [](const Site& site) { return site.provider; }}
    );
    add_denied(all, spec);
}

std::string_view name_of(TrustLevel level) {
    switch (level) {
        case TrustLevel::none:
            return "none";
        case TrustLevel::basic:
            return "basic";
        case TrustLevel::certified:
            return "certified";
        case TrustLevel::sovereign:
            return "sovereign";
    }
    return "";
}

// The next lower level first.
void add_trust(std::vector<SpecChange>& all, const TaskSpec& spec) {
    constexpr const char* kField = "placement.constraints.trust_min";
    const std::optional<TrustLevel>& asked = spec.placement->constraints->trust_min;
    if (!asked) return;
    constexpr double kLevels = 3;
    const int from = static_cast<int>(*asked);
    for (int to = from - 1; to >= 0; --to) {
        const auto level = static_cast<TrustLevel>(to);
        SpecChange change = changed(
            kField, std::string(name_of(*asked)), std::string(name_of(level)), (from - to) / kLevels
        );
        change.apply = [level](TaskSpec& with) { constraints(with).trust_min = level; };
        change.lifts = {Reason::trust_too_low};
        all.push_back(std::move(change));
    }
}

void add_round_trip(std::vector<SpecChange>& all, const TaskSpec& spec) {
    constexpr const char* kField = "placement.constraints.max_rtt_ms";
    const std::optional<double>& asked = spec.placement->constraints->max_rtt_ms;
    if (!asked) return;
    SpecChange change = changed(kField, fmt::format("{:g}", *asked), kNone, 1);
    change.apply = [](TaskSpec& with) { constraints(with).max_rtt_ms.reset(); };
    change.lifts = {Reason::rtt_too_high, Reason::rtt_unknown};
    change.least = [from = *asked](const FoundPlace& found) -> std::optional<SpecChange> {
        const std::optional<double>& there = found.candidate.terms.latency_ms;
        if (!there || *there <= from) return std::nullopt;
        const double to = std::ceil(*there);
        SpecChange least = changed(
            kField, fmt::format("{:g}", from), fmt::format("{:g}", to), 1 - std::max(from, 0.0) / to
        );
        least.apply = [to](TaskSpec& with) { constraints(with).max_rtt_ms = to; };
        return least;
    };
    all.push_back(std::move(change));
}

void add_green(std::vector<SpecChange>& all, const TaskSpec& spec) {
    constexpr const char* kField = "placement.constraints.green_min_percent";
    const std::optional<double>& asked = spec.placement->constraints->green_min_percent;
    if (!asked) return;
    SpecChange change = changed(kField, fmt::format("{:g}", *asked), kNone, 1);
    change.apply = [](TaskSpec& with) { constraints(with).green_min_percent.reset(); };
    change.lifts = {Reason::green_too_low, Reason::green_unknown};
    change.least = [from = *asked](const FoundPlace& found) -> std::optional<SpecChange> {
        const std::optional<double>& there = found.site.spec.green_percent;
        if (!there || *there >= from || from <= 0) return std::nullopt;
        const double to = std::floor(*there);
        SpecChange least =
            changed(kField, fmt::format("{:g}", from), fmt::format("{:g}", to), 1 - to / from);
        least.apply = [to](TaskSpec& with) { constraints(with).green_min_percent = to; };
        return least;
    };
    all.push_back(std::move(change));
}

// ---- where it is said in resources

void add_infra(std::vector<SpecChange>& all, const TaskSpec& spec) {
    constexpr const char* kField = "resources.infra";
    constexpr double kOtherPlace = 0.5;
    if (!spec.resources.infra) return;
    const std::string from = *spec.resources.infra;
    SpecChange change = changed(kField, from, kNone, 1);
    change.apply = [](TaskSpec& with) { with.resources.infra.reset(); };
    change.lifts = {Reason::region_not_allowed};
    change.least = [from](const FoundPlace& found) -> std::optional<SpecChange> {
        const std::string to = found.site.provider + "/" + found.site.spec.region;
        SpecChange least = changed(kField, from, to, kOtherPlace);
        least.apply = [to](TaskSpec& with) { with.resources.infra = to; };
        return least;
    };
    all.push_back(std::move(change));
}

// Alternatives go on saying which accelerators may be used.
void add_alternatives(std::vector<SpecChange>& all, const TaskSpec& spec) {
    const bool ordered = !spec.resources.ordered.empty();
    const std::vector<InfraChoice>& stated =
        ordered ? spec.resources.ordered : spec.resources.any_of;
    std::vector<std::string> places;
    for (const InfraChoice& each : stated)
        if (each.infra) places.push_back(*each.infra);
    if (places.empty()) return;
    SpecChange change = changed(
        ordered ? "resources.ordered[].infra" : "resources.any_of[].infra", joined(places), kNone, 1
    );
    change.apply = [](TaskSpec& with) {
        with.resources.any_of.clear();
        with.resources.ordered.clear();
    };
    change.lifts = {Reason::region_not_allowed};
    all.push_back(std::move(change));
}

void add_identity(std::vector<SpecChange>& all, const TaskSpec& spec) {
    if (!spec.placement->identity) return;
    SpecChange change = changed("placement.identity", *spec.placement->identity, kNone, 1);
    change.apply = [](TaskSpec& with) { with.placement->identity.reset(); };
    change.lifts = {Reason::identity_differs};
    all.push_back(std::move(change));
}

// ---- how a gang lies

const std::vector<Reason>& any_shortage() {
    static const std::vector<Reason> kAll = {
        Reason::insufficient_cpu, Reason::insufficient_memory, Reason::insufficient_accelerator,
        Reason::accelerator_absent, Reason::kept_for_others
    };
    return kAll;
}

// The next wider cell first; devices of one node need links only where it is "domain".
void add_pack(std::vector<SpecChange>& all, const TaskSpec& spec) {
    constexpr std::array kCells = {"domain", "rack", "site", "metro", "any"};
    const std::string& asked = spec.placement->topology->pack;
    const auto from = std::ranges::find_if(kCells, [&](const char* cell) { return asked == cell; });
    if (from == kCells.end()) return;
    const bool one_node = spec.num_nodes <= 1;
    for (auto to = one_node ? kCells.end() - 1 : from + 1; to < kCells.end(); ++to) {
        if (to == from) return;
        SpecChange change = changed(
            "placement.topology.pack", asked, *to,
            static_cast<double>(to - from) / static_cast<double>(kCells.size())
        );
        change.apply = [cell = std::string(*to)](TaskSpec& with) {
            with.placement->topology->pack = cell;
        };
        change.lifts = any_shortage();
        all.push_back(std::move(change));
    }
}

void add_topology(std::vector<SpecChange>& all, const TaskSpec& spec) {
    if (!spec.placement->topology) return;
    add_pack(all, spec);
    if (const std::optional<std::string>& spread = spec.placement->topology->spread) {
        SpecChange change = changed("placement.topology.spread", *spread, kNone, 1);
        change.apply = [](TaskSpec& with) { with.placement->topology->spread.reset(); };
        change.lifts = any_shortage();
        all.push_back(std::move(change));
    }
    const std::optional<std::int64_t>& sites = spec.placement->topology->max_sites;
    if (!sites) return;
    for (std::int64_t to = *sites + 1; to < spec.num_nodes; to = to * 2) {
        SpecChange change = changed(
            "placement.topology.max_sites", std::to_string(*sites), std::to_string(to),
            1 - static_cast<double>(*sites) / static_cast<double>(to)
        );
        change.apply = [to](TaskSpec& with) { with.placement->topology->max_sites = to; };
        change.lifts = any_shortage();
        all.push_back(std::move(change));
    }
    SpecChange change = changed("placement.topology.max_sites", std::to_string(*sites), kNone, 1);
    change.apply = [](TaskSpec& with) { with.placement->topology->max_sites.reset(); };
    change.lifts = any_shortage();
    all.push_back(std::move(change));
}

}  // namespace

void add_place_changes(std::vector<SpecChange>& all, const TaskSpec& spec) {
    add_infra(all, spec);
    add_alternatives(all, spec);
    if (!spec.placement) return;
    add_identity(all, spec);
    if (spec.placement->constraints) {
        add_allowed(all, spec);
        add_trust(all, spec);
        add_round_trip(all, spec);
        add_green(all, spec);
    }
    add_topology(all, spec);
}

}  // namespace penstock::scheduler
