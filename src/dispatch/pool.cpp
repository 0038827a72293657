// SPDX-License-Identifier: Apache-2.0
#include "dispatch/pool.h"

#include <algorithm>

#include "base/check.h"

namespace penstock::dispatch {
namespace {

using placement::NodeIndex;
using placement::Verdict;

template <class Integer>
Integer fitted(std::int64_t value) {
    return static_cast<Integer>(
        std::clamp<std::int64_t>(value, 0, std::numeric_limits<Integer>::max())
    );
}

// Larger is nearer to fitting: of what the verdict says is short, how much the node has.
std::int64_t nearness(const placement::Node& node, const placement::Request& request, Verdict why) {
    switch (why) {
        case Verdict::lacks_cpu:
        case Verdict::lacks_cpu_only:
            return node.cpu_free;
        case Verdict::lacks_memory:
            return node.memory_free;
        case Verdict::lacks_both:
        case Verdict::lacks_devices:
        case Verdict::no_domain:
            return request.is_share() ? *std::ranges::max_element(node.free)
                                      : node.devices_with(request.device_milli);
        case Verdict::fits:
        case Verdict::fits_cpu_only:
        case Verdict::no_access:
        case Verdict::closed:
            return 0;
    }
    return 0;
}

// What a node of that size is like wherever it stands and nothing runs.
placement::Node emptied(placement::Node node) {
    node.closed = false;
    node.cpu_free = node.cpu_total;
    node.memory_free = node.memory_total;
    node.tasks = 0;
    node.rack = 0;
    for (int i = 0; i < node.devices; ++i)
        node.free[static_cast<std::size_t>(i)] = placement::kWholeDevice;
    return node;
}

}  // namespace

std::string_view sku_of(const ResourceRequest& request) {
    return request.accelerator ? std::string_view(request.accelerator->model) : kCpuSku;
}

std::optional<placement::Request> request_for(
    const ResourceRequest& request, const std::map<std::string, std::uint8_t>& models
) {
    placement::Request asked{
        .cpu_milli = fitted<std::int32_t>(request.cpu_milli),
        .memory_mib = fitted<std::int32_t>(request.memory_mib)
    };
    if (!request.accelerator) return asked;
    const auto model = models.find(request.accelerator->model);
    const std::int64_t count = device_count(*request.accelerator);
    if (model == models.end() || count > static_cast<std::int64_t>(kSliceDevices))
        return std::nullopt;
    asked.devices = static_cast<std::uint16_t>(count);
    asked.device_milli = static_cast<std::uint16_t>(fleet::milli_of_each(*request.accelerator));
    asked.models = placement::ModelMask{1} << model->second;
    asked.one_domain = request.linked && count > 1;
    return asked;
}

void Pool::make(PoolParts parts) {
    advisory_limits_ = parts.advisory_limits;
    models_ = std::move(parts.models);
    slices_.clear();
    first_slice_.clear();
    wide_.clear();
    sizes_.clear();
    counted_.clear();
    std::vector<placement::Node> nodes;
    racks_.clear();
    for (const Host* host : parts.hosts) racks_.try_emplace(host->rack(), 0);
    std::uint32_t rack = 0;
    for (auto& [name, index] : racks_) index = rack++;
    for (const Host* host : parts.hosts) add_slices(*host, nodes);
    changes_.reset(nodes.size());
    meter_.emplace(parts.terms.workload, std::max(1, static_cast<int>(models_.size())));
    placer_.emplace(std::move(nodes), std::move(parts.terms.policy));
    tell_holds();
}

void Pool::set_terms(PoolTerms terms) {
    meter_.emplace(terms.workload, std::max(1, static_cast<int>(models_.size())));
    placer_->set_policy(std::move(terms.policy));
    tell_holds();
}

// What already runs: the policy is told as if it came now.
void Pool::tell_holds() {
    for (const Slice& slice : slices_)
        if (slice.first == 0)
            for (const auto& [attempt, hold] : slice.host->holds())
                changed(*slice.host, Cause::placed, hold);
}

void Pool::bound_shapes() {
    if (placer_->shapes() >= kShapesPerPoolMax) placer_->forget_shapes();
}

void Pool::add_slices(const Host& host, std::vector<placement::Node>& nodes) {
    first_slice_[&host] = static_cast<NodeIndex>(slices_.size());
    const std::string* model = nullptr;
    std::size_t devices = 0;
    for (const auto& [name, positions] : host.models()) {
        if (!models_.contains(name)) continue;
        // Beside the processors only what one cluster node can show: one model, one slice.
        const bool shown =
            sku_ != kCpuSku || (host.models().size() == 1 && positions.size() <= kSliceDevices);
        if (!shown) continue;
        model = &models_.find(name)->first;
        devices = positions.size();
    }
    const std::size_t slices =
        std::max<std::size_t>(1, (devices + kSliceDevices - 1) / kSliceDevices);
    for (std::size_t i = 0; i < slices; ++i) {
        slices_.push_back({.host = &host, .first = i * kSliceDevices, .model = model});
        nodes.push_back(node_of(slices_.back()));
        slices_.back().size = size_of(host, emptied(nodes.back()), slices);
    }
    if (slices > 1) wide_.push_back(&host);
}

std::uint32_t Pool::size_of(const Host& host, const placement::Node& empty, std::size_t slices) {
    const auto known = std::ranges::find_if(sizes_, [&](const Size& size) {
        return size.node == empty && size.slices == slices;
    });
    const auto index = static_cast<std::uint32_t>(known - sizes_.begin());
    if (known == sizes_.end()) sizes_.push_back({empty, slices, &host});
    return index;
}

placement::Node Pool::node_of(const Slice& slice) const {
    const Host& host = *slice.host;
    const Capacity free = host.free();
    placement::Node node{
        .cpu_free = fitted<std::int32_t>(free.cpu_milli),
        .memory_free = fitted<std::int32_t>(free.memory_mib),
        .tasks = fitted<std::uint16_t>(std::ssize(host.holds())),
        .closed = host.closed(advisory_limits_) != Closed::open,
        .cpu_total = fitted<std::int32_t>(host.node().total.cpu_milli),
        .memory_total = fitted<std::int32_t>(host.node().total.memory_mib),
        .rack = racks_.at(host.rack())
    };
    if (!slice.model) return node;
    const DevicePositions& positions = host.positions(*slice.model);
    const std::size_t count = std::min(positions.size() - slice.first, kSliceDevices);
    node.devices = static_cast<std::uint8_t>(count);
    node.model = models_.at(*slice.model);
    for (std::size_t i = 0; i < count; ++i)
        node.free[i] = static_cast<std::uint16_t>(host.room(positions[slice.first + i]));
    node.domains = domains_of(slice, count);
    return node;
}

// Link domains in the order of their first devices; one that is linked to none is its own.
std::uint64_t Pool::domains_of(const Slice& slice, std::size_t count) const {
    const DevicePositions& positions = slice.host->positions(*slice.model);
    std::map<std::int64_t, std::uint64_t> numbers;
    std::uint64_t next = 0;
    std::uint64_t domains = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const auto link = slice.host->link_domain(positions[slice.first + i]);
        std::uint64_t number = next;
        if (link) number = numbers.try_emplace(*link, next).first->second;
        next += number == next ? 1 : 0;
        domains |= number << (4 * i);
    }
    return domains;
}

placement::Request Pool::part_of(const Slice& slice, const fleet::CapacityHold& task) const {
    placement::Request part{
        .cpu_milli = fitted<std::int32_t>(task.request.cpu_milli),
        .memory_mib = fitted<std::int32_t>(task.request.memory_mib)
    };
    const std::optional<Accelerator>& asked = task.request.accelerator;
    if (!asked || !slice.model || asked->model != *slice.model) return part;
    const DevicePositions& positions = slice.host->positions(*slice.model);
    for (std::size_t i = 0; i < kSliceDevices && slice.first + i < positions.size(); ++i)
        if (std::ranges::find(task.devices, positions[slice.first + i]) != task.devices.end())
            ++part.devices;
    if (part.devices == 0) return part;
    part.device_milli = static_cast<std::uint16_t>(fleet::milli_of_each(*asked));
    part.models = placement::ModelMask{1} << models_.at(*slice.model);
    return part;
}

template <class Use>
void Pool::for_each_slice(const Host& host, const Use& use) const {
    const auto first = first_slice_.find(&host);
    if (first == first_slice_.end()) return;
    for (NodeIndex at = first->second; at < slices_.size() && slices_[at].host == &host; ++at)
        use(at);
}

void Pool::changed(const Host& host, Cause cause, const fleet::CapacityHold& task) {
    if (!placer_) return;
    for_each_slice(host, [&](NodeIndex at) {
        const Slice& slice = slices_[at];
        changes_.changed(at);
        placer_->put(at, node_of(slice), cause, part_of(slice, task));
    });
}

void Pool::put_closed(const std::vector<const Host*>& hosts, bool closed) {
    for (const Host* host : hosts)
        for_each_slice(*host, [&](NodeIndex at) {
            placement::Node node = node_of(slices_[at]);
            node.closed = node.closed || closed;
            placer_->put(at, node);
        });
}

std::optional<Pick> Pool::pick(
    const ResourceRequest& request, const std::vector<const Host*>& avoid, std::uint64_t seed
) {
    placer_->reseed(seed);
    if (!avoid.empty()) {
        put_closed(avoid, true);
        std::optional<Pick> found = find(request);
        put_closed(avoid, false);
        if (!found) found = find_wide(request, avoid);
        if (found) return found;
    }
    std::optional<Pick> found = find(request);
    return found ? found : find_wide(request, {});
}

std::optional<Pick> Pool::find(const ResourceRequest& request) {
    const std::optional<placement::Request> asked = request_of(request);
    if (!asked) return std::nullopt;
    const Result<placement::ShapeId> shape = placer_->intern(*asked);
    CHECK(shape.has_value(), "a ready pool has room for a shape");
    const std::optional<placement::Placement> found = placer_->find(*shape);
    if (!found) return std::nullopt;
    return pick_of(*found);
}

Pick Pool::pick_of(const placement::Placement& placed) const {
    const Slice& slice = slices_[placed.node];
    Pick pick{.host = slice.host};
    for (placement::DeviceMask rest = placed.devices; rest != 0; rest &= rest - 1)
        pick.devices.push_back(slice.host->positions(*slice.model)
                                   .at(slice.first +
                                       static_cast<std::size_t>(std::countr_zero(rest))));
    return pick;
}

// Whole devices over several slices of a node: the node with the fewest free that suffice.
std::optional<Pick> Pool::find_wide(
    const ResourceRequest& request, const std::vector<const Host*>& avoid
) const {
    if (!request.accelerator) return std::nullopt;
    std::optional<Pick> best;
    std::int64_t least = 0;
    for (const Host* host : wide_) {
        if (host->closed(advisory_limits_) != Closed::open ||
            std::ranges::find(avoid, host) != avoid.end())
            continue;
        Capacity free = host->free();
        free.accelerator_milli[request.accelerator->model] =
            host->usable_milli(*request.accelerator, request.linked);
        const std::int64_t have = free.accelerator_milli[request.accelerator->model];
        if (!fleet::fits(request, free) || (best && have >= least)) continue;
        least = have;
        best = Pick{.host = host};
    }
    if (!best) return std::nullopt;
    best->devices = best->host->whole_ones(request.accelerator->model, request.linked);
    best->devices.resize(static_cast<std::size_t>(device_count(*request.accelerator)));
    return best;
}

std::int64_t Pool::fitting(const ResourceRequest& request) {
    const std::optional<placement::Request> asked = request_of(request);
    if (!asked) return 0;
    const Result<placement::ShapeId> shape = placer_->intern(*asked);
    CHECK(shape.has_value(), "a ready pool has room for a shape");
    const placement::VerdictCounts& counts = placer_->verdicts(*shape);
    return counts[static_cast<std::size_t>(Verdict::fits)] +
           counts[static_cast<std::size_t>(Verdict::fits_cpu_only)];
}

std::int64_t Pool::fragments(const Host& host, const DeviceSlots& slots, std::int64_t cpu_free)
    const {
    std::int64_t sum = 0;
    for (const auto& [model, index] : models_) {
        const DevicePositions& positions = host.positions(model);
        for (std::size_t first = 0; first < positions.size(); first += kSliceDevices) {
            placement::Node node{.cpu_free = fitted<std::int32_t>(cpu_free), .model = index};
            const std::size_t count = std::min(positions.size() - first, kSliceDevices);
            node.devices = static_cast<std::uint8_t>(count);
            for (std::size_t i = 0; i < count; ++i)
                node.free[i] = static_cast<std::uint16_t>(
                    slots[static_cast<std::size_t>(positions[first + i])].room()
                );
            sum += meter_->of(node);
        }
    }
    return sum;
}

// Nodes that refuse alike: what they lack now, whether they would ever have it, and why closed. A
// request that no slice can take is refused as one for all that a slice has, and one device more.
const std::vector<Refusal>& Pool::refusals(const ResourceRequest& asked) {
    const Accelerator none{"", 0};
    const Accelerator& accelerator = asked.accelerator ? *asked.accelerator : none;
    if (counted_.size() >= kShapesPerPoolMax) counted_.clear();
    Counted& counted = counted_[{
        asked.cpu_milli, asked.memory_mib, accelerator.model, accelerator.count_milli, asked.linked
    }];
    if (counted.ever.empty())
        for (const Size& size : sizes_)
            counted.ever.push_back(fleet::fits(asked, size.example->node().total));
    const placement::Request request = request_of(asked).value_or(placement::Request{
        .cpu_milli = fitted<std::int32_t>(asked.cpu_milli),
        .memory_mib = fitted<std::int32_t>(asked.memory_mib),
        .devices = kSliceDevices + 1,
        .device_milli = placement::kWholeDevice
    });
    const auto judge = [&](std::size_t at) { return refusal_at(at, request, counted.ever); };
    if (!counted.tally.update(changes_, judge)) return counted.refusals;
    counted.refusals.clear();
    for (const RefusalCount& kind : counted.tally.kinds())
        counted.refusals.push_back({slices_[kind.nearest].host, kind.nodes - 1});
    return counted.refusals;
}

std::optional<NodeRefusal> Pool::refusal_at(
    std::size_t at, const placement::Request& request, const std::vector<bool>& ever
) const {
    const Slice& slice = slices_[at];
    if (slice.first != 0) return std::nullopt;
    const placement::Node& node = placer_->nodes()[at];
    const Verdict verdict = placement::judge(node, request);
    if (placement::is_fit(verdict)) return std::nullopt;
    const Closed closed = node.closed ? slice.host->closed(advisory_limits_) : Closed::open;
    return NodeRefusal{{ever[slice.size], verdict, closed}, nearness(node, request, verdict)};
}

}  // namespace penstock::dispatch
