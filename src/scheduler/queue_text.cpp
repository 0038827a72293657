// SPDX-License-Identifier: Apache-2.0
#include "scheduler/queue_text.h"

#include <fmt/format.h>

namespace penstock::scheduler {

using fmt::format;

double in_units(const LimitHit& hit, std::int64_t amount) {
    constexpr double kMibPerGib = 1024;
    constexpr double kMilli = 1000;
    return static_cast<double>(amount) / (hit.resource == "memory_gib" ? kMibPerGib : kMilli);
}

Text quota_text(const QuotaFacts& facts) {
    const bool whole = facts.level == TenantLevel::organisation;
    const LimitHit& hit = facts.hit;
    const double used = in_units(hit, hit.used), limit = in_units(hit, hit.limit),
                 asked = in_units(hit, hit.asked);
    return {
        format(
            "{} {} holds {:g} of the {:g} {} that its quota allows, and {:g} more are asked for "
            "(set by {})",
            whole ? "organisation" : "project", facts.owner, used, limit, hit.resource, asked,
            facts.set_by
        ),
        format(
            "{} {} 的 {} 配额上限为 {:g}，已用 {:g}，还需 {:g}（由 {} 设定）",
            whole ? "机构" : "项目", facts.owner, hit.resource, limit, used, asked, facts.set_by
        )
    };
}

Text promise_text(const std::string& node, bool by_notice) {
    if (by_notice)
        return {
            format("; lesser work on {} was told to make room for it", node),
            format("；已通知 {} 上的任务为其让位", node)
        };
    return {format("; room on {} is kept for it", node), format("；已在 {} 上为其预留", node)};
}

Text estimate_text(const WaitQuantiles& waits, std::size_t ahead) {
    if (waits.too_many)
        return {
            "unknown: too much stands before it to be played forward",
            "未知：前面的任务过多，无法推演"
        };
    if (!waits.p10 && !waits.p50 && !waits.p90)
        return {
            "unknown: how long what runs or stands before it takes is not known; a time_limit or "
            "earlier runs of it would tell",
            "未知：正在运行或排在前面的任务时长未知；有 time_limit 或历史运行时才能估计"
        };
    if (waits.limits_only)
        return {
            format("{} items before it and the time limits of what runs: an upper bound", ahead),
            format("前面有 {} 个子项；仅按时限推算，为上界", ahead)
        };
    Text text{
        format(
            "{} items before it; {} courses drawn from earlier runs of like work, of which eight "
            "in ten lie between earliest and latest",
            ahead, kEstimateSamples
        ),
        format(
            "前面有 {} 个子项；按同类历史运行推演 {} 次，八成落在最早与最晚之间", ahead,
            kEstimateSamples
        )
    };
    if (waits.corrected_by > 0) {
        text.en += format(", as {} earlier estimates came true", waits.corrected_by);
        text.zh += format("，并按此前 {} 次预测的实际结果校正", waits.corrected_by);
    } else {
        text.en += "; what comes later is not counted";
        text.zh += "；未计后来的任务";
    }
    return text;
}

Text estimate_text_behind_quota() {
    return {
        "unknown: it can start when its tenant holds less",
        "未知：待同一机构或项目的占用减少后才能开始"
    };
}

}  // namespace penstock::scheduler
