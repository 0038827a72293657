// SPDX-License-Identifier: Apache-2.0
#include "model/device_list.h"

#include <algorithm>
#include <utility>

namespace penstock {

DeviceList::DeviceList(const std::vector<Device>& devices) {
    if (devices.empty()) return;
    Packed packed;
    packed.entries.reserve(devices.size());
    std::size_t uuids = 0;
    for (const Device& device : devices) uuids += device.uuid.size();
    packed.uuids.reserve(uuids);
    for (Device device : devices) {
        Entry entry{.index = std::exchange(device.index, 0)};
        packed.uuids += std::exchange(device.uuid, {});
        entry.uuid_end = static_cast<std::uint32_t>(packed.uuids.size());
        const auto known =
            std::ranges::find_if(packed.kinds, [&](const Kind& kind) { return *kind == device; });
        entry.kind = static_cast<std::uint32_t>(known - packed.kinds.begin());
        if (known == packed.kinds.end())
            packed.kinds.push_back(std::make_shared<const Device>(std::move(device)));
        packed.entries.push_back(entry);
    }
    packed.kinds.shrink_to_fit();
    packed_ = std::make_shared<const Packed>(std::move(packed));
}

std::string DeviceList::uuid(std::size_t at) const {
    const std::size_t begin = at == 0 ? 0 : packed_->entries[at - 1].uuid_end;
    return packed_->uuids.substr(begin, packed_->entries[at].uuid_end - begin);
}

Device DeviceList::operator[](std::size_t at) const {
    Device device = kind(at);
    device.index = packed_->entries[at].index;
    device.uuid = uuid(at);
    return device;
}

void DeviceList::push_back(Device device) {
    std::vector<Device> all = to_vector();
    all.push_back(std::move(device));
    *this = DeviceList(all);
}

std::vector<Device> DeviceList::to_vector() const {
    std::vector<Device> all;
    all.reserve(size());
    for (std::size_t i = 0; i < size(); ++i) all.push_back((*this)[i]);
    return all;
}

// Equal lists are packed alike.
bool DeviceList::operator==(const DeviceList& other) const {
    if (packed_ == other.packed_) return true;
    if (!packed_ || !other.packed_) return false;
    return packed_->entries == other.packed_->entries && packed_->uuids == other.packed_->uuids &&
           std::ranges::equal(
               packed_->kinds, other.packed_->kinds,
               [](const Kind& left, const Kind& right) { return left == right || *left == *right; }
           );
}

}  // namespace penstock
