// SPDX-License-Identifier: Apache-2.0
#include "dispatch/host.h"

#include <algorithm>
#include <ranges>
#include <tuple>

#include "base/check.h"

namespace penstock::dispatch {

using fleet::kWholeDeviceMilli;

std::int64_t device_count(const Accelerator& asked) {
    return std::max<std::int64_t>(1, asked.count_milli / kWholeDeviceMilli);
}

Node bare(Node node) {
    node.load.reset();
    node.held = {};
    std::erase_if(node.labels, [](const auto& label) {
        return label.first != kRackLabel && label.first != kDomainLabel;
    });
    node.address.clear();
    node.cpu_model.clear();
    node.version.clear();
    std::vector<Device> devices = node.devices.to_vector();
    for (Device& device : devices)
        device = {
            .index = device.index,
            .model = std::move(device.model),
            .numa_node = device.numa_node,
            .link_domain = device.link_domain,
            .health = device.health,
            .simulated = device.simulated
        };
    node.devices = devices;
    return node;
}

namespace {

// The devices that are well share the stated amount, first come first served; an amount beyond them
// lies in devices that the node did not list.
void add_slots(
    const DeviceList& devices, const std::string& model, std::int64_t milli, DeviceLayout& layout
) {
    const auto part_of = [](std::int64_t rest) {
        return static_cast<std::int32_t>(std::clamp<std::int64_t>(rest, 0, kWholeDeviceMilli));
    };
    DevicePositions& positions = layout.positions[model];
    for (const std::int64_t position : positions) {
        const auto at = static_cast<std::size_t>(position);
        if (devices.kind(at).health == Health::failed) continue;
        layout.sizes[at] = part_of(milli);
        milli -= layout.sizes[at];
    }
    for (; milli > 0 && layout.sizes.size() < fleet::kDevicesPerNodeMax;
         milli -= layout.sizes.back()) {
        positions.push_back(std::ssize(layout.sizes));
        layout.sizes.push_back(part_of(milli));
    }
}

DeviceLayout layout_of(const Node& node) {
    DeviceLayout layout;
    layout.sizes.resize(node.devices.size());
    for (std::size_t i = 0; i < node.devices.size(); ++i)
        layout.positions[node.devices.kind(i).model].push_back(static_cast<std::int64_t>(i));
    for (const auto& [model, milli] : node.total.accelerator_milli)
        add_slots(node.devices, model, milli, layout);
    return layout;
}

}  // namespace

std::pair<Node, std::shared_ptr<const DeviceLayout>> HostKinds::of(const Node& node) {
    Node known = bare(node);
    known.devices = devices_.shared(known.devices);
    std::vector<Known>& same = layouts_[known.total.accelerator_milli];
    // A layout that no host has any more makes room.
    std::erase_if(same, [](const Known& each) { return each.layout.use_count() == 1; });
    auto found = std::ranges::find_if(same, [&](const Known& each) {
        return each.devices.same_as(known.devices);
    });
    if (found == same.end())
        found = same.insert(
            same.end(), {known.devices, std::make_shared<const DeviceLayout>(layout_of(known))}
        );
    return {std::move(known), found->layout};
}

void Host::renew(const Node& node, HostKinds& kinds) {
    std::tie(node_, layout_) = kinds.of(node);
    slots_.assign(layout_->sizes.size(), {});
    for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i].size = layout_->sizes[i];
    for (const auto& [attempt, hold] : holds_) use_devices(slots_, hold, 1);
}

bool Host::resized_by(const Node& node) const {
    const Node next = bare(node);
    return next.total != node_.total || next.devices != node_.devices ||
           next.labels != node_.labels;
}

const DevicePositions& Host::positions(const std::string& model) const {
    static const DevicePositions kNone;
    const auto found = layout_->positions.find(model);
    return found == layout_->positions.end() ? kNone : found->second;
}

DevicePositions Host::in_one_group(
    const std::string& model, std::size_t count, GroupOf group_of, const DeviceSlots& slots
) const {
    std::map<std::int64_t, DevicePositions> groups;
    for (const std::int64_t position : whole_ones(model, false, slots))
        if (const std::optional<std::int64_t> group = (this->*group_of)(position))
            groups[*group].push_back(position);
    DevicePositions tightest;
    for (DevicePositions& group : std::views::values(groups))
        if (group.size() >= count && (tightest.empty() || group.size() < tightest.size()))
            tightest = std::move(group);
    tightest.resize(std::min(tightest.size(), count));
    return tightest;
}

DevicePositions Host::choose(const Accelerator& asked, const DeviceSlots& slots) const {
    const auto count = static_cast<std::size_t>(device_count(asked));
    if (count > 1)
        for (const GroupOf group_of : {&Host::link_domain, &Host::numa_node}) {
            DevicePositions together = in_one_group(asked.model, count, group_of, slots);
            if (!together.empty()) return together;
        }
    const std::int64_t each = fleet::milli_of_each(asked);
    DevicePositions all = positions(asked.model);
    // With room first, of these the fullest; without, the emptiest: an old hold must lie somewhere.
    std::ranges::sort(all, {}, [&](std::int64_t position) {
        const std::int64_t free = slots[static_cast<std::size_t>(position)].room();
        return std::tuple(free < each, free < each ? -free : free, position);
    });
    all.resize(std::min(all.size(), count));
    std::ranges::sort(all);
    return all;
}

void use_devices(DeviceSlots& slots, const fleet::CapacityHold& hold, std::int64_t sign) {
    if (!hold.request.accelerator) return;
    const std::int64_t each = fleet::milli_of_each(*hold.request.accelerator);
    for (const std::int64_t position : hold.devices)
        if (position < std::ssize(slots))
            slots[static_cast<std::size_t>(position)].used +=
                static_cast<std::int32_t>(sign * each);
}

const fleet::CapacityHold& Host::hold(AttemptId attempt, const fleet::CapacityHold& hold) {
    // New attempts come last: their ids rise.
    const auto at = std::ranges::lower_bound(holds_, attempt, {}, &HeldByAttempt::attempt);
    CHECK(at == holds_.end() || at->attempt != attempt, "an attempt is placed once");
    fleet::CapacityHold& kept = holds_.insert(at, {attempt, hold})->hold;
    if (kept.request.accelerator && kept.devices.empty())
        kept.devices = choose(*kept.request.accelerator);
    fleet::give(held_, kept.request);
    use_devices(slots_, kept, 1);
    return kept;
}

fleet::CapacityHold Host::release(AttemptId attempt) {
    const auto found = std::ranges::lower_bound(holds_, attempt, {}, &HeldByAttempt::attempt);
    if (found == holds_.end() || found->attempt != attempt) return {};
    fleet::CapacityHold hold = std::move(found->hold);
    holds_.erase(found);
    fleet::take(held_, hold.request);
    use_devices(slots_, hold, -1);
    return hold;
}

const fleet::CapacityHold& Host::hold_of(AttemptId attempt) const {
    const auto found = std::ranges::lower_bound(holds_, attempt, {}, &HeldByAttempt::attempt);
    CHECK(found != holds_.end() && found->attempt == attempt, "the attempt holds something here");
    return found->hold;
}

DevicePositions Host::whole_ones(const std::string& model, bool linked, const DeviceSlots& slots)
    const {
    DevicePositions free;
    for (const std::int64_t position : positions(model))
        if (slots[static_cast<std::size_t>(position)].room() == kWholeDeviceMilli)
            free.push_back(position);
    if (!linked || free.size() < 2) return free;
    std::map<std::int64_t, DevicePositions> domains;
    for (const std::int64_t position : free)
        if (const std::optional<std::int64_t> domain = link_domain(position))
            domains[*domain].push_back(position);
    free.resize(1);  // one alone needs no link
    for (DevicePositions& domain : std::views::values(domains))
        if (domain.size() > free.size()) free = std::move(domain);
    return free;
}

std::int64_t Host::usable_milli(const Accelerator& asked, bool linked, const DeviceSlots& slots)
    const {
    if (asked.count_milli >= kWholeDeviceMilli && linked)
        return std::ssize(whole_ones(asked.model, linked, slots)) * kWholeDeviceMilli;
    if (asked.count_milli >= kWholeDeviceMilli)
        return kWholeDeviceMilli *
               std::ranges::count_if(positions(asked.model), [&](std::int64_t position) {
                   return slots[static_cast<std::size_t>(position)].room() == kWholeDeviceMilli;
               });
    std::int64_t most = 0;
    for (const std::int64_t position : positions(asked.model))
        most = std::max(most, slots[static_cast<std::size_t>(position)].room());
    return most;
}

std::optional<std::int64_t> Host::link_domain(std::int64_t position) const {
    if (position >= std::ssize(node_.devices)) return std::nullopt;
    return node_.devices.kind(static_cast<std::size_t>(position)).link_domain;
}

std::optional<std::int64_t> Host::numa_node(std::int64_t position) const {
    if (position >= std::ssize(node_.devices)) return std::nullopt;
    return node_.devices.kind(static_cast<std::size_t>(position)).numa_node;
}

const std::string& Host::rack() const {
    static const std::string kNone;
    const auto found = node_.labels.find(std::string(kRackLabel));
    return found == node_.labels.end() ? kNone : found->second;
}

Closed Host::closed(bool advisory_limits) const {
    const auto enforces = [this](std::string_view limit) {
        return std::ranges::find(node_.enforces, limit) != node_.enforces.end();
    };
    if (!advisory_limits && !(enforces("cpu") && enforces("memory"))) return Closed::unenforced;
    if (node_.state != NodeState::online) return Closed::unreachable;
    if (node_.health == Health::failed) return Closed::unhealthy;
    if (node_.cordoned) return Closed::cordoned;
    return Closed::open;
}

}  // namespace penstock::dispatch
