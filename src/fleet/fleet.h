// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/agent_protocol.h"
#include "model/device_kinds.h"
#include "model/outlook.h"
#include "model/plan.h"
#include "model/site.h"

namespace penstock::fleet {

constexpr std::size_t kSitesMax = 100'000;
constexpr std::size_t kNodesPerSiteMax = 100'000;
constexpr std::size_t kDevicesPerNodeMax = 256;
constexpr int kDeviceWattsMax = 100'000;

// What a node holds for one attempt.
struct CapacityHold {
    NodeId node_id;
    ResourceRequest request;
    std::vector<std::int64_t> devices;  // positions in Node::devices; empty: not told apart
};

// Told of each change where it happens, after it. Does not call back.
class Listener {
  public:
    virtual ~Listener() = default;
    virtual void site_put(const Site& site) = 0;
    virtual void outlook_put(const SiteOutlook& outlook) = 0;
    virtual void node_put(const Node& node) = 0;
    virtual void held(AttemptId attempt, const CapacityHold& hold) = 0;
    virtual void released(AttemptId attempt) = 0;
};

// Sites, nodes, their live state and what is held on them. Pure; one owner. Mutators return what is
// to be stored, or mark it in `touched_*`.
//   held + free == total for each resource of each node, and held never passes total.
class Fleet {
  public:
    // From now on; it outlives the fleet.
    void tell(Listener& listener) { listener_ = &listener; }

    // ---- sites
    Result<Site> add_site(Site site);  // the name must be free on the platform
    Result<Site> update_site(SiteId id, SiteSpec spec, Time now);
    const Site* find_site(SiteId id) const;
    const Site* find_site(std::string_view name_or_id) const;  // "centre", "site/centre" or the id
    std::vector<const Site*> sites() const;                    // by name
    // What a site states of its hours to come; what it stated before is gone.
    Result<SiteOutlook> state_outlook(SiteId id, OutlookSpec spec, Time now);
    const SiteOutlook* find_outlook(SiteId id) const;

    // ---- pools, one for each SKU that a site's nodes have
    void put_pool(Pool pool) { pools_[{pool.site_id, pool.sku}] = std::move(pool); }
    const Pool* find_pool(SiteId site, const std::string& sku) const;
    std::vector<const Pool*> pools() const;
    // SKUs of real (not simulated) hardware of a site that have no pool yet.
    std::vector<std::string> skus_without_pool(SiteId site) const;

    // ---- nodes
    // A session began: makes or renews the node of that name. `fresh_id` is used when it is new.
    Result<Node> hello(SiteId site, const AgentHello& hello, NodeId fresh_id, Time now);
    Result<void> heartbeat(NodeId id, const AgentHeartbeat& heartbeat, Time now);
    // The connection closed: the node stays online until kNodeLostAfter has passed without a word.
    // Nodes that fell silent since the last call; each is reported once.
    std::vector<NodeId> tick(Time now);
    Result<Node> set_cordoned(NodeId id, bool cordoned);
    const Node* find_node(NodeId id) const;
    const Node* find_node(std::string_view name_or_id
    ) const;                                 // "site/name", name where unique, or id
    std::vector<const Node*> nodes() const;  // by site, then name

    // ---- capacity
    // Whether hold() would be granted: refused where the node is not known, or it or one of the
    // devices that are named has no room left.
    Result<void> check(const CapacityHold& hold) const;
    Result<void> hold(
        AttemptId attempt, NodeId node, const ResourceRequest& request,
        std::vector<std::int64_t> devices = {}
    );
    void release(AttemptId attempt);  // of an attempt without a hold: nothing happens
    Capacity free_of(const Node& node) const;
    std::vector<Offer> offers(Time now) const;

    // ---- from the store; every node is unreachable until it says hello again
    void restore_site(Site site);
    void restore_outlook(SiteOutlook outlook);
    void restore_node(Node node);

  private:
    std::map<SiteId, Site> sites_;
    std::map<std::string, SiteId, std::less<>> site_by_name_;
    std::map<SiteId, SiteOutlook> outlooks_;
    std::map<std::pair<SiteId, std::string>, Pool> pools_;
    std::map<NodeId, Node> nodes_;
    DeviceKinds kinds_;  // of their devices
    std::map<std::pair<SiteId, std::string>, NodeId> node_by_name_;
    std::map<AttemptId, CapacityHold> holds_;
    // Thousandths in use of each device that holds name.
    std::map<NodeId, std::map<std::int64_t, std::int64_t>> device_use_;
    std::set<NodeId> online_;
    Listener* listener_ = nullptr;

    void tell_site(const Site& site) const;
    void tell_node(const Node& node) const;
    void tell_outlook(const SiteOutlook& outlook) const;
    Result<void> check_devices(const Node& node, const CapacityHold& hold) const;
};

constexpr std::int64_t kWholeDeviceMilli = 1000;
// What the request takes of each device it holds: all of it, or its fraction of one.
std::int64_t milli_of_each(const Accelerator& accelerator);
// What a node has less what is held of it: never below zero, although a node may have shrunk.
Capacity free_of(const Capacity& total, const Capacity& held);
// Whether `total` covers all of `held`.
bool holds_all(const Capacity& total, const Capacity& held);
// Whether `request` fits into `free`; adds and subtracts on a capacity.
bool fits(const ResourceRequest& request, const Capacity& free);
void take(Capacity& capacity, const ResourceRequest& request);
void give(Capacity& capacity, const ResourceRequest& request);

Result<void> validate(const SiteSpec& spec);

}  // namespace penstock::fleet
