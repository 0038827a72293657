// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/money.h"
#include "base/time.h"
#include "model/device_list.h"
#include "model/ids.h"
#include "model/task_spec.h"

namespace penstock {

// What a site asks, in yuan per unit, for what it reserves to a task while that is RUNNING.
struct PriceList {
    static constexpr bool kJsonDefaults = true;
    Price core_second;
    Price gib_second;
    std::map<std::string, Price> card_second;  // accelerator model → price
    Price input_tokens;                        // per million tokens
    Price output_tokens;                       // per million tokens
    // What spot work pays of the prices of CPU, memory and cards, 1…100; absent: none is sold.
    std::optional<std::int64_t> spot_percent;
    bool operator==(const PriceList&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    PriceList, (), (core_second, gib_second, card_second, input_tokens, output_tokens, spot_percent)
)

// How bytes come from one site to another.
struct SiteRoute {
    static constexpr bool kJsonDefaults = true;
    double rtt_ms = 0;
    double bandwidth_mbps = 0;
    std::optional<Price> egress_per_gb;  // absent: the site's own
    bool operator==(const SiteRoute&) const = default;
};
BOOST_DESCRIBE_STRUCT(SiteRoute, (), (rtt_ms, bandwidth_mbps, egress_per_gb))

// What a provider states of a site when creating it.
struct SiteSpec {
    static constexpr bool kJsonDefaults = true;
    std::string name;
    std::string region;         // "cn-hubei"
    std::string residency;      // "CN-42": what data_residency constraints match by prefix
    std::string division_code;  // six digits of GB/T 2260, for the registration code
    std::string zone = "A1";    // two characters: the failure domain, named by the provider
    TrustLevel trust = TrustLevel::basic;
    std::vector<std::string> controls;  // of: attestation, dedicated_tenancy, encryption, audit
    std::optional<double> carbon_g_per_kwh;
    std::optional<double> green_percent;
    double pue = 1.3;
    std::optional<double> rtt_ms;          // from where the platform's users are
    std::map<std::string, double> rtt_to;  // from places by name, where it is known: "cn-hubei"
    std::optional<double> bandwidth_mbps;  // to the platform's store, for staging
    std::optional<double> watts_per_core;  // for the carbon of a task; absent: unknown
    // Accelerator model → watts of one device under load, as this site measured it; wins over what
    // its maker publishes (accelerator_facts.h).
    std::map<std::string, double> watts_per_device;
    std::map<std::string, double> idle_watts_per_device;  // the same without load; for policy pwr
    std::optional<Price> egress_per_gb;  // of bytes that leave it; absent: it asks nothing
    bool advisory_limits =
        false;  // sells CPU and memory that its nodes cannot enforce, and says so
    PriceList prices;
    // SKU ("cpu" or an accelerator model) → placement policy of that pool; absent: composite.
    std::map<std::string, std::string> placement;
    std::map<std::string, SiteRoute> routes;  // to other sites by name, where they are known
    bool operator==(const SiteSpec&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    SiteSpec, (),
    (name, region, residency, division_code, zone, trust, controls, carbon_g_per_kwh, green_percent,
     pue, rtt_ms, rtt_to, bandwidth_mbps, watts_per_core, watts_per_device, idle_watts_per_device,
     egress_per_gb, advisory_limits, prices, placement, routes)
)

struct Site {
    SiteId id;
    OrganisationId provider_id;
    std::string provider;  // the organisation's name
    std::string c_url;
    SiteSpec spec;
    std::int64_t price_version = 1;
    Time created_at;
    Time updated_at;
    bool operator==(const Site&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Site, (), (id, provider_id, provider, c_url, spec, price_version, created_at, updated_at)
)

// What a site has of one kind: its processors, or its cards of one model. It carries a code of its
// own.
struct Pool {
    SiteId site_id;
    std::string sku;  // "cpu", or the model of an accelerator
    std::string c_url;
    Time created_at;
    bool operator==(const Pool&) const = default;
};
BOOST_DESCRIBE_STRUCT(Pool, (), (site_id, sku, c_url, created_at))

struct Capacity {
    static constexpr bool kJsonDefaults = true;
    std::int64_t cpu_milli = 0;
    std::int64_t memory_mib = 0;
    std::map<std::string, std::int64_t> accelerator_milli;  // model → thousandths of devices
    bool operator==(const Capacity&) const = default;
};
BOOST_DESCRIBE_STRUCT(Capacity, (), (cpu_milli, memory_mib, accelerator_milli))

// What a node measured of itself at `at`.
struct NodeLoad {
    static constexpr bool kJsonDefaults = true;
    Time at;
    double cpu_percent = 0;
    double memory_percent = 0;
    double load_average = 0;
    std::int64_t attempts_running = 0;
    bool operator==(const NodeLoad&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    NodeLoad, (), (at, cpu_percent, memory_percent, load_average, attempts_running)
)

enum class NodeState { online, unreachable };
BOOST_DESCRIBE_ENUM(NodeState, online, unreachable)

struct Node {
    NodeId id;
    SiteId site_id;
    std::string site;
    OrganisationId provider_id;
    std::string name;
    NodeState state = NodeState::unreachable;
    Health health = Health::unknown;
    std::string health_reason;
    bool cordoned = false;  // no new work; what runs goes on
    bool simulated = false;
    std::string cpu_model;
    std::string address;  // where its services listen, as seen by the gateway
    Capacity total;
    Capacity held;  // by attempts; total − held is free
    DeviceList devices;
    std::vector<std::string> enforces;  // "cpu", "memory", "pids" …: limits the driver can keep
    std::map<std::string, std::string> labels;
    std::optional<NodeLoad> load;
    std::string version;  // of the agent
    std::optional<Time> last_seen_at;
    Time created_at;
    bool operator==(const Node&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Node, (),
    (id, site_id, site, provider_id, name, state, health, health_reason, cordoned, simulated,
     cpu_model, address, total, held, devices, enforces, labels, load, version, last_seen_at,
     created_at)
)

// One line of the catalogue: what a site sells of one kind now.
struct Offer {
    std::string id;  // site name and SKU: "centre/cpu", "centre/H100"
    SiteId site_id;
    std::string site;
    std::string provider;
    std::string c_url;
    std::string region;
    std::string sku;
    std::string unit;  // core-second, card-second, million tokens
    Price price;       // yuan a unit
    std::string price_per_hour;
    std::optional<std::string> spot_price_per_hour;  // absent: not sold as spot
    Capacity total;
    Capacity free;
    std::optional<std::int64_t> age_seconds;  // of the freshest report; absent: never reported
    std::optional<double> rtt_ms;
    std::optional<double> green_percent;
    TrustLevel trust = TrustLevel::none;
    bool simulated = false;
    bool operator==(const Offer&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    Offer, (),
    (id, site_id, site, provider, c_url, region, sku, unit, price, price_per_hour,
     spot_price_per_hour, total, free, age_seconds, rtt_ms, green_percent, trust, simulated)
)

}  // namespace penstock
