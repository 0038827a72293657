// SPDX-License-Identifier: Apache-2.0
#include "scheduler/restarts.h"

namespace penstock::scheduler {

WorkClass work_class_of(const TaskSpec& spec) {
    if (is_spot(spec)) return WorkClass::spot;
    return is_preemptible(spec) ? WorkClass::preemptible : WorkClass::ordinary;
}

std::string sku_of(const ResourceRequest& request) {
    return request.accelerator ? request.accelerator->model : "cpu";
}

std::optional<RestartRate> restart_rate(
    const SiteRestarts* restarts, const ResourceRequest& request, WorkClass work
) {
    if (restarts == nullptr) return std::nullopt;
    const auto found = restarts->find({sku_of(request), work});
    if (found == restarts->end()) return std::nullopt;
    const RestartHistory& history = found->second;
    const Duration running = std::chrono::milliseconds(history.running_ms);
    const bool known = running >= kRunningKnownFrom || history.restarts >= kRestartsKnownFrom;
    if (!known || history.running_ms <= 0) return std::nullopt;
    constexpr double kMsPerHour = 3'600'000;
    return RestartRate{
        .per_hour = static_cast<double>(history.restarts) * kMsPerHour /
                    static_cast<double>(history.running_ms),
        .restarts = history.restarts,
        .running_ms = history.running_ms
    };
}

const RestartHistory* RestartBook::add(const EndedRun& run) {
    const auto key = std::tuple(run.site_id, run.sku, run.work);
    auto found = runs_.find(key);
    if (found == runs_.end()) {
        if (runs_.size() == kRestartHistoriesMax) return nullptr;
        found = runs_.emplace(key, Runs{}).first;
        found->second.sum = {.site_id = run.site_id, .sku = run.sku, .work = run.work};
    }
    Runs& runs = found->second;
    const std::int64_t ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(run.running).count();
    runs.newest.emplace_back(run.restarts, ms);
    runs.sum.restarts += run.restarts ? 1 : 0;
    runs.sum.running_ms += ms;
    if (runs.newest.size() > kRestartRunsMax) {
        runs.sum.restarts -= runs.newest.front().first ? 1 : 0;
        runs.sum.running_ms -= runs.newest.front().second;
        runs.newest.pop_front();
    }
    return &runs.sum;
}

}  // namespace penstock::scheduler
