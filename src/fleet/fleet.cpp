// SPDX-License-Identifier: Apache-2.0
#include "fleet/fleet.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "model/site_prices.h"

namespace penstock::fleet {
namespace {

constexpr std::int64_t kSecondsPerHour = 3600;
constexpr double kRttMsMax = 60'000;
constexpr double kBandwidthMbpsMax = 100'000'000;
constexpr std::size_t kPlacesMax = 1000;  // of a site's rtt_to, and of its routes

void add_scaled(Capacity& capacity, const ResourceRequest& request, std::int64_t sign) {
    capacity.cpu_milli += sign * request.cpu_milli;
    capacity.memory_mib += sign * request.memory_mib;
    if (request.accelerator)
        capacity.accelerator_milli[request.accelerator->model] +=
            sign * request.accelerator->count_milli;
}

void accumulate(Capacity& sum, const Capacity& part) {
    sum.cpu_milli += part.cpu_milli;
    sum.memory_mib += part.memory_mib;
    for (const auto& [model, milli] : part.accelerator_milli) sum.accelerator_milli[model] += milli;
}

std::unexpected<Error> bad(std::string field, std::string message) {
    return fail_field(ErrorCode::invalid_argument, std::move(field), std::move(message));
}

Result<void> check_routes(const SiteSpec& spec) {
    if (spec.routes.size() > kPlacesMax) return bad("routes", "names at most 1000 sites");
    for (const auto& [site, route] : spec.routes) {
        const std::string field = "routes." + site.substr(0, kNameLengthMax);
        if (site.empty() || site.size() > kNameLengthMax || site == spec.name)
            return bad(field, "must name another site");
        // So written that no number passes that is none.
        if (!(route.rtt_ms >= 0 && route.rtt_ms <= kRttMsMax))
            return bad(field + ".rtt_ms", "must be from 0 to 60000");
        if (!(route.bandwidth_mbps > 0 && route.bandwidth_mbps <= kBandwidthMbpsMax))
            return bad(field + ".bandwidth_mbps", "must be above 0, at most 100000000");
    }
    return {};
}

}  // namespace

Capacity free_of(const Capacity& total, const Capacity& held) {
    Capacity free{
        .cpu_milli = std::max<std::int64_t>(0, total.cpu_milli - held.cpu_milli),
        .memory_mib = std::max<std::int64_t>(0, total.memory_mib - held.memory_mib)
    };
    for (const auto& [model, milli] : total.accelerator_milli) {
        const auto taken = held.accelerator_milli.find(model);
        free.accelerator_milli[model] = std::max<std::int64_t>(
            0, milli - (taken == held.accelerator_milli.end() ? 0 : taken->second)
        );
    }
    return free;
}

std::int64_t milli_of_each(const Accelerator& accelerator) {
    return std::min(accelerator.count_milli, kWholeDeviceMilli);
}

bool holds_all(const Capacity& total, const Capacity& held) {
    return held.cpu_milli <= total.cpu_milli && held.memory_mib <= total.memory_mib &&
           std::ranges::all_of(held.accelerator_milli, [&](const auto& taken) {
               const auto has = total.accelerator_milli.find(taken.first);
               return taken.second <= (has == total.accelerator_milli.end() ? 0 : has->second);
           });
}

bool fits(const ResourceRequest& request, const Capacity& free) {
    if (request.cpu_milli > free.cpu_milli || request.memory_mib > free.memory_mib) return false;
    if (!request.accelerator) return true;
    const auto found = free.accelerator_milli.find(request.accelerator->model);
    return found != free.accelerator_milli.end() &&
           found->second >= request.accelerator->count_milli;
}

void take(Capacity& capacity, const ResourceRequest& request) { add_scaled(capacity, request, -1); }
void give(Capacity& capacity, const ResourceRequest& request) { add_scaled(capacity, request, 1); }

Result<void> validate(const SiteSpec& spec) {
    const bool plain =
        !spec.name.empty() && spec.name.size() <= kNameLengthMax &&
        spec.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
    if (!plain) return bad("name", "use 1 to 63 of a-z 0-9 -");
    if (spec.region.empty()) return bad("region", "is missing: for instance cn-hubei");
    const bool digits = spec.division_code.size() == 6 &&
                        spec.division_code.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || spec.division_code == "000000")
        return bad(
            "division_code", "must be the six digits of a division (GB/T 2260), for instance 420100"
        );
    const bool zone =
        spec.zone.size() == 2 && spec.zone != "SV" &&
        spec.zone.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == std::string::npos;
    if (!zone) return bad("zone", "must be two of A-Z 0-9, other than SV");
    const std::optional<std::int64_t>& spot = spec.prices.spot_percent;
    if (spot && (*spot < 1 || *spot > 100))
        return bad("prices.spot_percent", "must be from 1 to 100: leave it out to sell no spot");
    if (spec.pue < 1 || spec.pue > 5) return bad("pue", "must be from 1 to 5");
    if (spec.carbon_g_per_kwh && (*spec.carbon_g_per_kwh < 0 || *spec.carbon_g_per_kwh > 5000))
        return bad("carbon_g_per_kwh", "must be from 0 to 5000");
    if (spec.green_percent && (*spec.green_percent < 0 || *spec.green_percent > 100))
        return bad("green_percent", "must be from 0 to 100");
    if (spec.rtt_ms && (*spec.rtt_ms < 0 || *spec.rtt_ms > kRttMsMax))
        return bad("rtt_ms", "must be from 0 to 60000");
    if (spec.rtt_to.size() > kPlacesMax) return bad("rtt_to", "names at most 1000 places");
    for (const auto& [place, rtt] : spec.rtt_to)
        if (place.empty() || place.size() > kNameLengthMax || rtt < 0 || rtt > kRttMsMax)
            return bad(
                "rtt_to." + place.substr(0, kNameLengthMax),
                "must be from 0 to 60000, for a place of 1 to 63 characters: {cn-hubei: 8}"
            );
    TRY(check_routes(spec));
    if (spec.bandwidth_mbps && *spec.bandwidth_mbps <= 0)
        return bad("bandwidth_mbps", "must be above zero");
    if (spec.watts_per_core && *spec.watts_per_core < 0)
        return bad("watts_per_core", "must be zero or more");
    for (const auto& [name, stated] :
         {std::pair("watts_per_device.", &spec.watts_per_device),
          std::pair("idle_watts_per_device.", &spec.idle_watts_per_device)})
        for (const auto& [model, watts] : *stated)
            if (watts < 0 || watts > kDeviceWattsMax)
                return bad(
                    name + model,
                    "must be from 0 to " + std::to_string(kDeviceWattsMax) + ", watts of one device"
                );
    for (const std::string& control : spec.controls)
        if (control != "attestation" && control != "dedicated_tenancy" && control != "encryption" &&
            control != "audit")
            return bad(
                "controls",
                "'" + control + "' is not one of attestation, dedicated_tenancy, encryption, audit"
            );
    return {};
}

Result<Site> Fleet::add_site(Site site) {
    TRY(validate(site.spec));
    if (site_by_name_.contains(site.spec.name))
        return fail_field(
            ErrorCode::conflict, "name",
            "a site named '" + site.spec.name + "' exists: choose another name"
        );
    if (sites_.size() >= kSitesMax)
        return fail(ErrorCode::resource_exhausted, "the platform holds at most 100000 sites");
    site_by_name_[site.spec.name] = site.id;
    const Site& added = sites_[site.id] = std::move(site);
    tell_site(added);
    return added;
}

Result<Site> Fleet::update_site(SiteId id, SiteSpec spec, Time now) {
    TRY(validate(spec));
    Site& site = sites_.at(id);
    if (spec.name != site.spec.name) return bad("name", "cannot be changed: add a new site");
    if (!(spec.prices == site.spec.prices)) ++site.price_version;
    site.spec = std::move(spec);
    site.updated_at = now;
    tell_site(site);
    return site;
}

Result<SiteOutlook> Fleet::state_outlook(SiteId id, OutlookSpec spec, Time now) {
    TRY(penstock::validate(spec, now));
    SiteOutlook& outlook = outlooks_[sites_.at(id).id];
    outlook = {.site_id = id, .spec = std::move(spec), .stated_at = now};
    tell_outlook(outlook);
    return outlook;
}

const SiteOutlook* Fleet::find_outlook(SiteId id) const {
    const auto found = outlooks_.find(id);
    return found == outlooks_.end() ? nullptr : &found->second;
}

const Site* Fleet::find_site(SiteId id) const {
    const auto found = sites_.find(id);
    return found == sites_.end() ? nullptr : &found->second;
}

const Site* Fleet::find_site(std::string_view reference) const {
    if (reference.starts_with("site/")) reference.remove_prefix(5);
    if (const Result<SiteId> id = SiteId::parse(reference)) return find_site(*id);
    const auto found = site_by_name_.find(reference);
    return found == site_by_name_.end() ? nullptr : find_site(found->second);
}

std::vector<const Site*> Fleet::sites() const {
    std::vector<const Site*> all;
    for (const auto& [name, id] : site_by_name_) all.push_back(&sites_.at(id));
    return all;
}

const Pool* Fleet::find_pool(SiteId site, const std::string& sku) const {
    const auto found = pools_.find({site, sku});
    return found == pools_.end() ? nullptr : &found->second;
}

std::vector<const Pool*> Fleet::pools() const {
    std::vector<const Pool*> all;
    for (const auto& [key, pool] : pools_) all.push_back(&pool);
    return all;
}

std::vector<std::string> Fleet::skus_without_pool(SiteId site) const {
    std::set<std::string> skus;
    for (const auto& [id, node] : nodes_) {
        if (node.site_id != site) continue;
        skus.insert("cpu");
        for (std::size_t i = 0; i < node.devices.size(); ++i)
            if (!node.devices.kind(i).simulated) skus.insert(node.devices.kind(i).model);
    }
    std::erase_if(skus, [&](const std::string& sku) { return find_pool(site, sku) != nullptr; });
    return {skus.begin(), skus.end()};
}

Result<Node> Fleet::hello(SiteId site_id, const AgentHello& hello, NodeId fresh_id, Time now) {
    const Site& site = sites_.at(site_id);
    if (hello.protocol != kAgentProtocolVersion)
        return fail_field(
            ErrorCode::invalid_argument, "protocol",
            "the agent speaks version " + std::to_string(hello.protocol) + ", the server " +
                std::to_string(kAgentProtocolVersion) + ": install matching versions"
        );
    if (hello.node.empty() || hello.node.size() > kNameLengthMax)
        return bad("node", "a node's name has 1 to 63 characters");
    if (hello.devices.size() > kDevicesPerNodeMax)
        return bad("devices", "a node has at most 256 devices");
    const bool known = node_by_name_.contains({site_id, hello.node});
    if (!known && nodes_.size() >= kNodesPerSiteMax)
        return fail(ErrorCode::resource_exhausted, "too many nodes");
    const NodeId id = known ? node_by_name_.at({site_id, hello.node}) : fresh_id;
    Node& node = nodes_[id];
    if (!known) {
        node_by_name_[{site_id, hello.node}] = id;
        node.id = id;
        node.created_at = now;
    }
    node.site_id = site_id;
    node.site = site.spec.name;
    node.provider_id = site.provider_id;
    node.name = hello.node;
    node.state = NodeState::online;
    node.health = hello.health;
    node.health_reason = hello.health_reason;
    node.simulated = hello.simulated;
    node.cpu_model = hello.cpu_model;
    node.address = hello.address;
    node.total = hello.total;
    node.devices = kinds_.shared(hello.devices);
    node.enforces = hello.enforces;
    node.labels = hello.labels;
    node.version = hello.version;
    node.last_seen_at = now;
    online_.insert(id);
    tell_node(node);
    return node;
}

Result<void> Fleet::heartbeat(NodeId id, const AgentHeartbeat& heartbeat, Time now) {
    const auto found = nodes_.find(id);
    if (found == nodes_.end())
        return fail(ErrorCode::not_found, "the node is not known: say hello first");
    Node& node = found->second;
    const bool same = node.state == NodeState::online && node.health == heartbeat.health &&
                      node.health_reason == heartbeat.health_reason;
    node.state = NodeState::online;
    node.load = heartbeat.load;
    node.health = heartbeat.health;
    node.health_reason = heartbeat.health_reason;
    node.last_seen_at = now;
    online_.insert(id);
    if (!same) tell_node(node);
    return {};
}

std::vector<NodeId> Fleet::tick(Time now) {
    std::vector<NodeId> lost;
    for (const NodeId id : online_)
        if (now - *nodes_.at(id).last_seen_at >= kNodeLostAfter) lost.push_back(id);
    for (const NodeId id : lost) {
        online_.erase(id);
        nodes_.at(id).state = NodeState::unreachable;
        tell_node(nodes_.at(id));
    }
    return lost;
}

Result<Node> Fleet::set_cordoned(NodeId id, bool cordoned) {
    Node& node = nodes_.at(id);
    node.cordoned = cordoned;
    tell_node(node);
    return node;
}

const Node* Fleet::find_node(NodeId id) const {
    const auto found = nodes_.find(id);
    return found == nodes_.end() ? nullptr : &found->second;
}

const Node* Fleet::find_node(std::string_view reference) const {
    if (reference.starts_with("node/")) reference.remove_prefix(5);
    if (const Result<NodeId> id = NodeId::parse(reference)) return find_node(*id);
    const Node* only = nullptr;
    for (const auto& [id, node] : nodes_) {
        if (node.site + "/" + node.name == reference) return &node;
        if (node.name != reference) continue;
        if (only != nullptr) return nullptr;  // ambiguous: the site must be named
        only = &node;
    }
    return only;
}

std::vector<const Node*> Fleet::nodes() const {
    std::vector<const Node*> all;
    for (const auto& [id, node] : nodes_) all.push_back(&node);
    std::ranges::sort(all, [](const Node* left, const Node* right) {
        return std::tie(left->site, left->name) < std::tie(right->site, right->name);
    });
    return all;
}

void Fleet::tell_site(const Site& site) const {
    if (listener_) listener_->site_put(site);
}

void Fleet::tell_outlook(const SiteOutlook& outlook) const {
    if (listener_) listener_->outlook_put(outlook);
}

void Fleet::tell_node(const Node& node) const {
    if (listener_) listener_->node_put(node);
}

Result<void> Fleet::check_devices(const Node& node, const CapacityHold& hold) const {
    if (hold.devices.empty()) return {};
    const auto refuse = [&](std::int64_t device, const char* why) {
        return fail(
            ErrorCode::resource_exhausted, "device " + std::to_string(device) + " of node " +
                                               node.site + "/" + node.name + " " + why
        );
    };
    const std::int64_t each =
        hold.request.accelerator ? milli_of_each(*hold.request.accelerator) : 0;
    const std::set<std::int64_t> distinct(hold.devices.begin(), hold.devices.end());
    if (std::ssize(distinct) * each !=
        (hold.request.accelerator ? hold.request.accelerator->count_milli : 0))
        return fail(
            ErrorCode::invalid_argument,
            "a hold names " + std::to_string(distinct.size()) + " devices, not what it asks for"
        );
    const auto use = device_use_.find(node.id);
    for (const std::int64_t position : hold.devices) {
        if (position < 0 || position >= std::ssize(node.devices))
            return refuse(position, "is not there");
        if (node.devices.kind(static_cast<std::size_t>(position)).health == Health::failed)
            return refuse(position, "has failed");
        if (use == device_use_.end()) continue;
        const auto used = use->second.find(position);
        if (used != use->second.end() && used->second + each > kWholeDeviceMilli)
            return refuse(position, "has no room left");
    }
    return {};
}

Result<void> Fleet::check(const CapacityHold& hold) const {
    const Node* node = find_node(hold.node_id);
    if (node == nullptr)
        return fail(ErrorCode::not_found, "there is no node " + to_string(hold.node_id));
    if (!fits(hold.request, free_of(*node)))
        return fail(
            ErrorCode::resource_exhausted,
            "node " + node->site + "/" + node->name + " has no room left"
        );
    return check_devices(*node, hold);
}

Result<void> Fleet::hold(
    AttemptId attempt, NodeId id, const ResourceRequest& request, std::vector<std::int64_t> devices
) {
    CHECK(!holds_.contains(attempt), "an attempt is placed once");
    CapacityHold hold{id, request, std::move(devices)};
    TRY(check(hold));
    give(nodes_.at(id).held, request);
    for (const std::int64_t position : hold.devices)
        device_use_[id][position] += milli_of_each(*request.accelerator);
    const CapacityHold& kept = holds_[attempt] = std::move(hold);
    if (listener_) listener_->held(attempt, kept);
    return {};
}

void Fleet::release(AttemptId attempt) {
    const auto found = holds_.find(attempt);
    if (found == holds_.end()) return;
    const CapacityHold& hold = found->second;
    take(nodes_.at(hold.node_id).held, hold.request);
    for (const std::int64_t position : hold.devices)
        device_use_[hold.node_id][position] -= milli_of_each(*hold.request.accelerator);
    holds_.erase(found);
    if (listener_) listener_->released(attempt);
}

Capacity Fleet::free_of(const Node& node) const { return fleet::free_of(node.total, node.held); }

std::vector<Offer> Fleet::offers(Time now) const {
    std::vector<Offer> all;
    for (const Site* site : sites()) {
        Offer base{
            .site_id = site->id,
            .site = site->spec.name,
            .provider = site->provider,
            .c_url = site->c_url,
            .region = site->spec.region,
            .rtt_ms = site->spec.rtt_ms,
            .green_percent = site->spec.green_percent,
            .trust = site->spec.trust
        };
        for (const auto& [id, node] : nodes_) {
            if (node.site_id != site->id) continue;
            if (node.last_seen_at) {
                const auto age =
                    std::chrono::duration_cast<std::chrono::seconds>(now - *node.last_seen_at)
                        .count();
                base.age_seconds = std::min(base.age_seconds.value_or(age), age);
            }
            accumulate(base.total, node.total);
            base.simulated = base.simulated || node.simulated;
            if (node.state == NodeState::online && !node.cordoned)
                accumulate(base.free, free_of(node));
        }
        const auto add = [&](std::string sku, std::string unit, Price price) {
            Offer offer = base;
            offer.id = offer.site + "/" + sku;
            offer.sku = std::move(sku);
            offer.unit = std::move(unit);
            offer.price = price;
            if (const Pool* pool = find_pool(site->id, offer.sku)) offer.c_url = pool->c_url;
            const Price hourly{price.num * kSecondsPerHour, price.scale};
            offer.price_per_hour = to_string(hourly);
            if (site->spec.prices.spot_percent)
                if (const auto spot = percent_of(hourly, *site->spec.prices.spot_percent))
                    offer.spot_price_per_hour = to_string(*spot);
            all.push_back(std::move(offer));
        };
        add("cpu", "core-second", site->spec.prices.core_second);
        add("memory", "GiB-second", site->spec.prices.gib_second);
        for (const auto& [model, price] : site->spec.prices.card_second)
            add(model, "card-second", price);
    }
    return all;
}

void Fleet::restore_site(Site site) {
    site_by_name_[site.spec.name] = site.id;
    tell_site(sites_[site.id] = std::move(site));
}

void Fleet::restore_outlook(SiteOutlook outlook) {
    SiteOutlook& kept = outlooks_[outlook.site_id];
    kept = std::move(outlook);
    tell_outlook(kept);
}

void Fleet::restore_node(Node node) {
    node.state = NodeState::unreachable;
    node.held = {};
    node.devices = kinds_.shared(node.devices);
    node_by_name_[{node.site_id, node.name}] = node.id;
    tell_node(nodes_[node.id] = std::move(node));
}

}  // namespace penstock::fleet
