// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rapidcheck.h>

#include <vector>

#include "placement/cluster.h"
#include "placement/fragmentation.h"

// Made-up clusters and requests for tests.
namespace penstock::placement {

constexpr int kTestModels = 3;  // model 0 stands for "no device"

inline rc::Gen<Node> any_node() {
    return rc::gen::map(
        rc::gen::tuple(
            rc::gen::element(4000, 16000, 64000), rc::gen::element(1024, 65536, kMemoryUnknown),
            rc::gen::element(0, 1, 2, 8, 16), rc::gen::inRange(1, kTestModels),
            rc::gen::element(0, 0, 4, 8), rc::gen::inRange(0, 4)
        ),
        [](const std::tuple<int, int, int, int, int, int>& parts) {
            const auto& [cpu, memory, devices, model, per_domain, rack] = parts;
            return make_node({
                .cpu_milli = cpu,
                .memory_mib = memory,
                .devices = devices,
                .model = static_cast<std::uint8_t>(devices == 0 ? 0 : model),
                .devices_per_domain = per_domain,
                .rack = static_cast<std::uint32_t>(rack),
                .site = static_cast<std::uint32_t>(rack / 2),
            });
        }
    );
}

inline rc::Gen<Request> any_request() {
    return rc::gen::map(
        rc::gen::tuple(
            rc::gen::element(100, 1000, 6000, 12000), rc::gen::element(0, 512, 4096),
            rc::gen::element(0, 1, 1, 1, 2, 4, 8), rc::gen::element(60, 190, 470, 500, 810, 1000),
            rc::gen::elementOf(std::vector<ModelMask>{kAnyModel, kAnyModel, 0b010, 0b110}),
            rc::gen::element(0, 0, 1)
        ),
        [](const std::tuple<int, int, int, int, ModelMask, int>& parts) {
            const auto& [cpu, memory, devices, milli, models, domain] = parts;
            Request request{
                .cpu_milli = cpu,
                .memory_mib = memory,
                .devices = static_cast<std::uint16_t>(devices)
            };
            if (devices == 0) return request;
            request.device_milli = devices == 1 ? static_cast<std::uint16_t>(milli) : kWholeDevice;
            request.models = models;
            request.one_domain = devices > 1 && domain == 1;
            return request;
        }
    );
}

inline std::vector<Node> any_nodes(std::size_t most) {
    const auto size = *rc::gen::inRange<std::size_t>(1, most);
    return *rc::gen::container<std::vector<Node>>(size, any_node());
}
inline std::vector<Request> any_requests(std::size_t least, std::size_t most) {
    const auto size = *rc::gen::inRange<std::size_t>(least, most);
    return *rc::gen::container<std::vector<Request>>(size, any_request());
}

}  // namespace penstock::placement
