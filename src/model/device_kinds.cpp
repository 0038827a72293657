// SPDX-License-Identifier: Apache-2.0
#include "model/device_kinds.h"

#include <algorithm>
#include <ranges>

namespace penstock {
namespace {

// Of those that only the table still has; how many are left.
template <class Table>
std::size_t left_of(Table& table) {
    std::size_t left = 0;
    for (auto at = table.begin(); at != table.end();) {
        std::erase_if(at->second, [](const auto& each) { return each.use_count() == 1; });
        left += at->second.size();
        at = at->second.empty() ? table.erase(at) : std::next(at);
    }
    return left;
}

}  // namespace

DeviceKinds::Key DeviceKinds::key_of(const Device& device, std::size_t size) {
    return {device.model, device.numa_node, device.link_domain, device.health, size};
}

std::size_t DeviceKinds::kinds() const {
    std::size_t sum = 0;
    for (const auto& same : std::views::values(kinds_)) sum += same.size();
    return sum;
}

DeviceList::Kind DeviceKinds::shared(const DeviceList::Kind& kind) {
    std::vector<DeviceList::Kind>& same = kinds_[key_of(*kind)];
    const auto found =
        std::ranges::find_if(same, [&](const DeviceList::Kind& each) { return *each == *kind; });
    if (found != same.end()) return *found;
    ++known_;
    return same.emplace_back(kind);
}

DeviceList DeviceKinds::shared(const DeviceList& list) {
    if (list.empty()) return list;
    if (known_ >= forgets_at_) forget_unused();
    DeviceList::Packed packed = *list.packed_;
    for (DeviceList::Kind& kind : packed.kinds) kind = shared(kind);
    DeviceList made;
    if (!packed.uuids.empty()) {
        made.packed_ = std::make_shared<const DeviceList::Packed>(std::move(packed));
        return made;
    }
    auto& same = lists_[key_of(*packed.kinds.front(), packed.entries.size())];
    const auto found = std::ranges::find_if(same, [&](const auto& each) {
        return each->kinds == packed.kinds && each->entries == packed.entries;
    });
    if (found != same.end()) {
        made.packed_ = *found;
        return made;
    }
    ++known_;
    made.packed_ = same.emplace_back(std::make_shared<const DeviceList::Packed>(std::move(packed)));
    return made;
}

// Lists first: they have kinds.
void DeviceKinds::forget_unused() {
    known_ = left_of(lists_);
    known_ += left_of(kinds_);
    constexpr std::size_t kKnownAtFirst = 256;
    forgets_at_ = std::max(kKnownAtFirst, 2 * known_);
}

}  // namespace penstock
