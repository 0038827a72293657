// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <vector>

#include "model/device.h"

namespace penstock {

// The devices of a node, for platforms that know a hundred thousand of them: what several have in
// common is kept once, and copies share all of it. A Device takes 256 bytes and its texts; here one
// takes 16 and its UUID. Reads like a vector whose elements are values, made as they are read; who
// reads what devices have in common reads kind(). In JSON a list of Device.
class DeviceList {
  public:
    using value_type = Device;
    class Iterator;

    DeviceList() = default;
    DeviceList(const std::vector<Device>& devices);  // NOLINT(google-explicit-constructor)
    DeviceList(std::initializer_list<Device> devices) : DeviceList(std::vector<Device>(devices)) {}

    std::size_t size() const { return packed_ ? packed_->entries.size() : 0; }
    bool empty() const { return size() == 0; }
    Device operator[](std::size_t at) const;
    // All of the device but its index and UUID. Valid as long as the list.
    const Device& kind(std::size_t at) const { return *packed_->kinds[packed_->entries[at].kind]; }
    Iterator begin() const;
    Iterator end() const;
    void push_back(Device device);  // copies the list
    std::vector<Device> to_vector() const;
    // Whether both are one list in memory.
    bool same_as(const DeviceList& other) const { return packed_ == other.packed_; }
    bool operator==(const DeviceList& other) const;

  private:
    friend class DeviceKinds;
    using Kind = std::shared_ptr<const Device>;
    struct Entry {
        std::int64_t index = 0;
        std::uint32_t kind = 0;      // into kinds
        std::uint32_t uuid_end = 0;  // in uuids; it begins where the one before ends
        bool operator==(const Entry&) const = default;
    };
    struct Packed {
        std::vector<Kind> kinds;  // distinct, in the order in which the first of each came
        std::vector<Entry> entries;
        std::string uuids;
    };
    std::string uuid(std::size_t at) const;

    std::shared_ptr<const Packed> packed_;  // null: none
};

class DeviceList::Iterator {
  public:
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = Device;
    using reference = Device;
    using difference_type = std::ptrdiff_t;
    using pointer = void;

    Iterator() = default;
    Iterator(const DeviceList& list, std::size_t at) : list_(&list), at_(at) {}
    Device operator*() const { return (*list_)[at_]; }
    Iterator& operator++() {
        ++at_;
        return *this;
    }
    Iterator operator++(int) {
        Iterator before = *this;
        ++at_;
        return before;
    }
    bool operator==(const Iterator&) const = default;

  private:
    const DeviceList* list_ = nullptr;
    std::size_t at_ = 0;
};

inline DeviceList::Iterator DeviceList::begin() const { return {*this, 0}; }
inline DeviceList::Iterator DeviceList::end() const { return {*this, size()}; }

}  // namespace penstock
