// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "model/device_list.h"

namespace penstock {

// Has equal kinds of devices, and equal lists without UUIDs, kept once for all nodes of one owner.
// What no list has any more is forgotten when so much is known again as was left the last time.
class DeviceKinds {
  public:
    // An equal list, in what is known already as far as it is.
    DeviceList shared(const DeviceList& list);
    std::size_t kinds() const;

  private:
    // Devices, or lists, that are equal in what they differ in most often; the first of a list.
    using Key = std::tuple<
        std::string, std::optional<std::int64_t>, std::optional<std::int64_t>, Health, std::size_t>;
    static Key key_of(const Device& device, std::size_t size = 1);
    DeviceList::Kind shared(const DeviceList::Kind& kind);
    void forget_unused();

    std::map<Key, std::vector<DeviceList::Kind>> kinds_;
    std::map<Key, std::vector<std::shared_ptr<const DeviceList::Packed>>> lists_;
    std::size_t known_ = 0;
    std::size_t forgets_at_ = 256;
};

}  // namespace penstock
