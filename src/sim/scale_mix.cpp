// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string>

#include "base/random.h"
#include "sim/scale.h"

namespace penstock::sim {
namespace {

constexpr std::size_t kTasks = 10'000;
constexpr std::uint64_t kMixStream = 0x6D6978ULL;
constexpr std::int32_t kMilliPerCore = 1000;
constexpr std::int32_t kMibPerCore = 4096;

}  // namespace

std::vector<TracedTask> made_up_tasks(std::uint64_t seed) {
    constexpr std::array<std::uint16_t, 12> kShares = {60,  100, 190, 250, 330, 400,
                                                       470, 500, 600, 700, 810, 900};
    constexpr std::array<std::int32_t, 5> kCores = {2, 4, 8, 12, 16};
    constexpr std::array<std::uint16_t, 3> kSeveral = {2, 4, 8};
    SeededRandom random(seed ^ kMixStream);
    std::vector<TracedTask> tasks;
    tasks.reserve(kTasks);
    for (std::size_t i = 0; i < kTasks; ++i) {
        const std::int32_t cores = kCores[random.below(kCores.size())];
        placement::Request request{
            .cpu_milli = cores * kMilliPerCore, .memory_mib = cores * kMibPerCore
        };
        const std::uint64_t kind = random.below(100);
        if (kind >= 13) {
            request.devices = 1;
            request.device_milli = placement::kWholeDevice;
        }
        if (kind >= 60 && kind < 98) request.device_milli = kShares[random.below(kShares.size())];
        if (kind >= 98) request.devices = kSeveral[random.below(kSeveral.size())];
        tasks.push_back({.name = "t" + std::to_string(i), .request = request});
    }
    return tasks;
}

}  // namespace penstock::sim
