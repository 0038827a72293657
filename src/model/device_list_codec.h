// SPDX-License-Identifier: Apache-2.0
#pragma once

// In JSON a DeviceList is a list of Device. Heavy: include it in .cpp files only.
#include "json/codec.h"
#include "model/device_list.h"

namespace penstock::json {

template <>
struct Codec<DeviceList> {
    using Devices = Codec<std::vector<Device>>;
    static Value encode(const DeviceList& value) { return Devices::encode(value.to_vector()); }
    static void print(const DeviceList& value, std::string& out) {
        Devices::print(value.to_vector(), out);
    }
    static void decode(const Value& value, DeviceList& out, const Path* path, Problems& problems) {
        std::vector<Device> devices;
        Devices::decode(value, devices, path, problems);
        out = devices;
    }
    static Value schema(Object& definitions) { return Devices::schema(definitions); }
};

}  // namespace penstock::json
