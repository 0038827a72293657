// SPDX-License-Identifier: Apache-2.0
#include "placement/fragmentation.h"

#include <algorithm>
#include <map>

#include "base/check.h"

namespace penstock::placement {
namespace {

constexpr std::int64_t kPopularityPercent = 95;
constexpr std::size_t kGangEntries = kDevicesPerNodeMax + 1;

std::int64_t total(const std::vector<WorkloadShape>& shapes) {
    std::int64_t sum = 0;
    for (const WorkloadShape& shape : shapes) sum += shape.count;
    return sum;
}

template <class T>
void sort_unique(std::vector<T>& values) {
    std::ranges::sort(values);
    const auto rest = std::ranges::unique(values);
    values.erase(rest.begin(), rest.end());
}

}  // namespace

std::vector<WorkloadShape> target_workload(std::span<const Request> requests) {
    std::map<Request, std::int64_t> counts;
    for (Request request : requests) {
        request.memory_mib = 0;
        request.one_domain = false;
        ++counts[request];
    }
    std::vector<WorkloadShape> shapes;
    shapes.reserve(counts.size());
    for (const auto& [request, count] : counts) shapes.push_back({request, count});
    std::ranges::sort(shapes, [](const WorkloadShape& a, const WorkloadShape& b) {
        return a.count != b.count ? a.count > b.count : a.request < b.request;
    });
    const auto all = static_cast<std::int64_t>(requests.size());
    std::int64_t covered = 0;
    std::size_t kept = 0;
    while (kept < shapes.size() && covered * 100 < all * kPopularityPercent)
        covered += shapes[kept++].count;
    shapes.resize(kept);
    return shapes;
}

FragmentationMeter::FragmentationMeter(const std::vector<WorkloadShape>& workload, int models)
    : scale_(std::max<std::int64_t>(total(workload), 1)) {
    for (const WorkloadShape& shape : workload) {
        if (shape.request.cpu_only()) continue;
        CHECK(shape.request.device_milli <= kWholeDevice, "readers of lists check it");
        cpu_steps_.push_back(shape.request.cpu_milli);
        if (shape.request.devices == 1)
            thresholds_.push_back(shape.request.device_milli);
        else if (shape.request.device_milli < kWholeDevice) {
            share_groups_.push_back(shape);
            continue;
        }
        shapes_.push_back(shape);
    }
    sort_unique(cpu_steps_);
    sort_unique(thresholds_);
    for (std::size_t milli = 0; milli <= kWholeDevice; ++milli)
        rank_[milli] = static_cast<std::uint16_t>(
            std::ranges::upper_bound(thresholds_, milli) - thresholds_.begin()
        );
    CHECK(models > 0 && models <= kDeviceModelsMax, "readers of lists check it");
    const auto kinds = static_cast<std::size_t>(models);
    const std::size_t classes = cpu_steps_.size() + 1;
    usable_.resize(kinds * classes * ranks());
    gangs_.resize(kinds * classes * kGangEntries);
    for (std::size_t model = 0; model < kinds; ++model)
        for (std::size_t cpu_class = 0; cpu_class < classes; ++cpu_class)
            fill(static_cast<std::uint8_t>(model), cpu_class);
}

void FragmentationMeter::fill(std::uint8_t model, std::size_t cpu_class) {
    const std::size_t row = row_of(model, cpu_class);
    std::int64_t* usable = &usable_[row * ranks()];
    std::int64_t* gangs = &gangs_[row * kGangEntries];
    for (const WorkloadShape& shape : shapes_) {
        const Request& request = shape.request;
        const bool cpu_fits = cpu_class > 0 && request.cpu_milli <= cpu_steps_[cpu_class - 1];
        if (!cpu_fits || ((request.models >> model) & 1U) == 0) continue;
        if (request.devices == 1)
            for (std::size_t rank = rank_[request.device_milli]; rank < ranks(); ++rank)
                usable[rank] += shape.count;
        else
            for (std::size_t n = request.devices; n < kGangEntries; ++n) gangs[n] += shape.count;
    }
}

FragmentationMeter::View FragmentationMeter::view(std::uint8_t model, std::int32_t cpu_free) const {
    const auto cpu_class = static_cast<std::size_t>(
        std::ranges::upper_bound(cpu_steps_, cpu_free) - cpu_steps_.begin()
    );
    const std::size_t row = row_of(model, cpu_class);
    View view;
    view.meter_ = this;
    view.usable_ = &usable_[row * ranks()];
    view.gangs_ = &gangs_[row * kGangEntries];
    view.cpu_ = cpu_free;
    view.model_ = model;
    return view;
}

std::int64_t FragmentationMeter::View::sum(std::span<const std::uint16_t> free) const {
    std::int64_t sum = 0;
    int whole = 0;
    for (const std::uint16_t milli : free) {
        sum += device(milli);
        whole += milli == kWholeDevice ? 1 : 0;
    }
    sum -= whole_devices(whole);
    for (const WorkloadShape& shape : meter_->share_groups_) {
        const Request& request = shape.request;
        if (cpu_ < request.cpu_milli || ((request.models >> model_) & 1U) == 0) continue;
        int fitting = 0;
        std::int64_t usable = 0;
        for (const std::uint16_t milli : free)
            if (milli >= request.device_milli) {
                ++fitting;
                usable += milli;
            }
        if (fitting >= request.devices) sum -= shape.count * usable;
    }
    return sum;
}

std::int64_t FragmentationMeter::of(const Node& node) const {
    return view(node.model, node.cpu_free).sum(std::span(node.free).first(node.devices));
}

}  // namespace penstock::placement
