// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/alternatives.h"
#include "scheduler/accelerator_text.h"
#include "scheduler/amount_text.h"
#include "scheduler/callers.h"
#include "scheduler/terms.h"

namespace penstock::scheduler {

// What is said of one filter. `detail` has the figures of a node, `remedy` what would let it pass.
struct Wording {
    // What the texts are made of.
    struct Facts {
        const Filters& filters;
        const Question& question;
        const Input& input = filters.input_;
        const PlacementConstraints* rules = filters.constraints_;
        const Site& site = *question.supply.site;
        const SiteSpec& spec = site.spec;
        const Node& node = *question.supply.node;
        const Capacity& free = question.supply.free;
        const ResourceRequest& asks = question.request;

        std::optional<Money> hourly_max() const { return filters.hourly_max_; }
        const std::string& code_problem() const { return filters.code_problem_; }
        Time end() const { return filters.end_of(question); }
        double round_trip() const { return *round_trip_ms(spec, filters.callers_); }
        std::string infra() const {
            const ResourcesSpec& resources = input.spec.resources;
            if (resources.infra && !infra_matches(*resources.infra, site)) return *resources.infra;
            std::string all;
            for (const InfraChoice& choice : alternatives_of(resources)) {
                all += (all.empty() ? "" : " | ") + choice.infra.value_or("*");
                if (!choice.accelerators) continue;
                std::string models;
                for (const Accelerator& one : choice.accelerators->choices)
                    models += (models.empty() ? " with " : " or ") + to_string(one);
                all += models;
            }
            return all;
        }
        // The first limit that the node cannot keep.
        std::string_view limit() const {
            return std::ranges::find(node.enforces, "cpu") == node.enforces.end() ? "cpu"
                                                                                  : "memory";
        }
    };
    using Write = Text (*)(const Facts&);
    FilterReason reason;
    std::string_view phrase;
    std::string_view phrase_zh;
    Write detail;
    Write remedy;
};

namespace {

using Facts = Wording::Facts;
using fmt::format;

std::string_view name_of(TrustLevel level) {
    constexpr std::array kNames = {"none", "basic", "certified", "sovereign"};
    return kNames.at(static_cast<std::size_t>(level));
}

std::string hourly_text(const Facts& f) {
    const Result<Money> money = price_of_span(*f.question.hourly, 1h);
    return money ? to_string(*money) : to_string(*f.question.hourly);
}

const Wording kWordings[] = {
    {FilterReason::region_not_allowed, "outside the allowed places", "不在允许的地区",
     [](const Facts& f) {
         return Text{
             format("asks for {}, this is {}/{}", f.infra(), f.site.provider, f.spec.region),
             format("要求 {}，此处为 {}/{}", f.infra(), f.site.provider, f.spec.region)
         };
     },
     [](const Facts& f) {
         return Text{
             format(
                 "allow {}/{} in resources.infra, any_of or ordered", f.site.provider, f.spec.region
             ),
             format(
                 "在 resources.infra、any_of 或 ordered 中允许 {}/{}", f.site.provider,
                 f.spec.region
             )
         };
     }},
    {FilterReason::identity_differs, "of another identity", "标识不符",
     [](const Facts& f) {
         if (!f.code_problem().empty())
             return Text{
                 "placement.identity cannot be read: " + f.code_problem(),
                 "placement.identity 无法解析：" + f.code_problem()
             };
         const std::string& here = f.site.c_url;
         return here.empty() ? Text{"has no identity yet", "尚无标识"}
                             : Text{"is " + here, "此处为 " + here};
     },
     [](const Facts& f) {
         if (f.site.c_url.empty())
             return Text{"leave placement.identity out", "去掉 placement.identity"};
         return Text{
             format("leave placement.identity out, or name {}", f.site.c_url),
             format("去掉 placement.identity，或改为 {}", f.site.c_url)
         };
     }},
    {FilterReason::site_not_allowed, "at a site that the constraints leave out", "站点不在约束之列",
     [](const Facts& f) {
         return Text{
             f.spec.name + " is not in constraints.sites",
             f.spec.name + " 不在 constraints.sites 中"
         };
     },
     [](const Facts& f) {
         return Text{
             format("add {} to placement.constraints.sites", f.spec.name),
             format("将 {} 加入 placement.constraints.sites", f.spec.name)
         };
     }},
    {FilterReason::provider_not_allowed, "of a provider that is not allowed", "供应方不被允许",
     [](const Facts& f) {
         const bool denied = std::ranges::find(f.rules->providers->deny, f.site.provider) !=
                             f.rules->providers->deny.end();
         return denied ? Text{f.site.provider + " is denied", f.site.provider + " 被排除"}
                       : Text{
                             f.site.provider + " is not among the allowed providers",
                             f.site.provider + " 不在允许的供应方之列"
                         };
     },
     [](const Facts& f) {
         return Text{
             format("allow {} in placement.constraints.providers", f.site.provider),
             format("在 placement.constraints.providers 中允许 {}", f.site.provider)
         };
     }},
    {FilterReason::residency_not_allowed, "in the wrong place for the data", "数据驻留地不符",
     [](const Facts& f) {
         if (f.spec.residency.empty())
             return Text{"where its data would be is not known", "数据驻留地未知"};
         return Text{"data would be in " + f.spec.residency, "数据将位于 " + f.spec.residency};
     },
     [](const Facts& f) {
         if (f.spec.residency.empty())
             return Text{
                 "let the provider state the site's residency", "请供应方填写站点的 residency"
             };
         return Text{
             format("add {} to placement.constraints.data_residency", f.spec.residency),
             format("将 {} 加入 placement.constraints.data_residency", f.spec.residency)
         };
     }},
    {FilterReason::trust_too_low, "with too low a trust level", "信任等级不足",
     [](const Facts& f) {
         return Text{
             format("asks for {}, has {}", name_of(*f.rules->trust_min), name_of(f.spec.trust)),
             format("要求 {}，实际 {}", name_of(*f.rules->trust_min), name_of(f.spec.trust))
         };
     },
     [](const Facts& f) {
         return Text{
             format("lower placement.constraints.trust_min to {}", name_of(f.spec.trust)),
             format("将 placement.constraints.trust_min 降为 {}", name_of(f.spec.trust))
         };
     }},
    {FilterReason::rtt_unknown, "with an unknown round trip", "往返时延未知",
     [](const Facts&) { return Text{"its round trip is not known", "往返时延未知"}; },
     [](const Facts&) {
         return Text{
             "let the provider state rtt_ms, or leave placement.constraints.max_rtt_ms out",
             "请供应方填写 rtt_ms，或去掉 placement.constraints.max_rtt_ms"
         };
     }},
    {FilterReason::rtt_too_high, "too far away", "往返时延过高",
     [](const Facts& f) {
         return Text{
             format("asks for {:g} ms at most, has {:g} ms", *f.rules->max_rtt_ms, f.round_trip()),
             format("要求至多 {:g} 毫秒，实际 {:g} 毫秒", *f.rules->max_rtt_ms, f.round_trip())
         };
     },
     [](const Facts& f) {
         return Text{
             format("raise placement.constraints.max_rtt_ms to {:g}", f.round_trip()),
             format("将 placement.constraints.max_rtt_ms 提高到 {:g}", f.round_trip())
         };
     }},
    {FilterReason::green_unknown, "with an unknown share of green power", "绿电占比未知",
     [](const Facts&) { return Text{"its share of green power is not known", "绿电占比未知"}; },
     [](const Facts&) {
         return Text{
             "let the provider state green_percent, or leave "
             "placement.constraints.green_min_percent out",
             "请供应方填写 green_percent，或去掉 placement.constraints.green_min_percent"
         };
     }},
    {FilterReason::green_too_low, "with too little green power", "绿电占比过低",
     [](const Facts& f) {
         return Text{
             format(
                 "asks for {:g} % green power at least, has {:g} %", *f.rules->green_min_percent,
                 *f.spec.green_percent
             ),
             format(
                 "要求绿电至少 {:g} %，实际 {:g} %", *f.rules->green_min_percent,
                 *f.spec.green_percent
             )
         };
     },
     [](const Facts& f) {
         return Text{
             format("lower placement.constraints.green_min_percent to {:g}", *f.spec.green_percent),
             format("将 placement.constraints.green_min_percent 降到 {:g}", *f.spec.green_percent)
         };
     }},
    {FilterReason::cpu_too_large, "with too few CPUs", "处理器总量不足",
     [](const Facts& f) {
         return Text{
             format(
                 "asks {} cpus, has {}", thousandths(f.asks.cpu_milli),
                 thousandths(f.node.total.cpu_milli)
             ),
             format(
                 "需要 {} 个 CPU，总共 {}", thousandths(f.asks.cpu_milli),
                 thousandths(f.node.total.cpu_milli)
             )
         };
     },
     [](const Facts& f) {
         return Text{
             format("ask for at most {} cpus", thousandths(f.node.total.cpu_milli)),
             format("至多申请 {} 个 CPU", thousandths(f.node.total.cpu_milli))
         };
     }},
    {FilterReason::memory_too_large, "with too little memory", "内存总量不足",
     [](const Facts& f) {
         return Text{
             format(
                 "asks {} of memory, has {}", memory_text(f.asks.memory_mib),
                 memory_text(f.node.total.memory_mib)
             ),
             format(
                 "需要内存 {}，总共 {}", memory_text(f.asks.memory_mib),
                 memory_text(f.node.total.memory_mib)
             )
         };
     },
     [](const Facts& f) {
         return Text{
             format("ask for at most {} of memory", memory_text(f.node.total.memory_mib)),
             format("至多申请 {} 内存", memory_text(f.node.total.memory_mib))
         };
     }},
    {FilterReason::accelerator_absent, "without the accelerator", "没有所需加速卡",
     [](const Facts& f) { return absent_text(f.asks, f.node); },
     [](const Facts& f) { return absent_remedy(f.asks, f.node); }},
    {FilterReason::spot_not_sold, "without spot capacity", "不出售竞价（可抢占）算力",
     [](const Facts&) { return Text{"sells no spot capacity", "不出售竞价（可抢占）算力"}; },
     [](const Facts&) {
         return Text{
             "leave resources.use_spot out (preemptible: true gives way at the full price)",
             "去掉 resources.use_spot（preemptible: true 可按全价让位）"
         };
     }},
    {FilterReason::price_above_maximum, "above the maximum price", "价格超过上限",
     [](const Facts& f) {
         return Text{
             format(
                 "costs {} yuan an hour, at most {} is allowed", hourly_text(f),
                 to_string(*f.hourly_max())
             ),
             format("每小时 {} 元，上限 {} 元", hourly_text(f), to_string(*f.hourly_max()))
         };
     },
     [](const Facts& f) {
         return Text{
             format("raise resources.max_hourly_cost to {}", hourly_text(f)),
             format("将 resources.max_hourly_cost 提高到 {}", hourly_text(f))
         };
     }},
    {FilterReason::over_budget, "over the budget", "超出预算",
     [](const Facts& f) {
         if (*f.input.budget_left <= Money()) return Text{"the budget is used up", "预算已用完"};
         return Text{
             format(
                 "would cost {} yuan, {} of the budget is left",
                 to_string(charged_of(f.question.terms).value_or(Money())),
                 to_string(*f.input.budget_left)
             ),
             format(
                 "预计 {} 元，预算剩余 {} 元",
                 to_string(charged_of(f.question.terms).value_or(Money())),
                 to_string(*f.input.budget_left)
             )
         };
     },
     [](const Facts& f) {
         const Result<Money> missing =
             subtract(charged_of(f.question.terms).value_or(Money()), *f.input.budget_left);
         if (!missing || *missing <= Money())
             return Text{"raise budget.max_total", "提高 budget.max_total"};
         return Text{
             format("raise budget.max_total by {}", to_string(*missing)),
             format("将 budget.max_total 提高 {}", to_string(*missing))
         };
     }},
    {FilterReason::deadline_too_near, "too slow for the deadline", "赶不上截止时间",
     [](const Facts& f) {
         return Text{
             format(
                 "would end at {}, the deadline is {}", to_rfc3339(f.end()),
                 to_rfc3339(*f.input.spec.deadline)
             ),
             format(
                 "预计 {} 结束，截止时间为 {}", to_rfc3339(f.end()),
                 to_rfc3339(*f.input.spec.deadline)
             )
         };
     },
     [](const Facts& f) {
         return Text{
             format("move the deadline to {} or later", to_rfc3339(f.end())),
             format("将 deadline 推迟到 {} 之后", to_rfc3339(f.end()))
         };
     }},
    {FilterReason::limit_not_enforced, "unable to enforce a limit", "无法强制资源上限",
     [](const Facts& f) {
         return Text{
             format("cannot enforce a {} limit", f.limit()), format("无法强制 {} 上限", f.limit())
         };
     },
     [](const Facts& f) {
         return Text{
             format("let its agent control cgroups, so that it can keep a {} limit", f.limit()),
             format("允许其代理使用 cgroup，以便强制 {} 上限", f.limit())
         };
     }},
    {FilterReason::node_unreachable, "unreachable", "失联",
     [](const Facts& f) {
         if (!f.node.last_seen_at)
             return Text{"has not reported since the server started", "服务启动后尚未上报"};
         return Text{
             "last heard of at " + to_rfc3339(*f.node.last_seen_at),
             "最后一次上报于 " + to_rfc3339(*f.node.last_seen_at)
         };
     },
     [](const Facts&) {
         return Text{"start its agent or restore its connection", "启动其代理或恢复连接"};
     }},
    {FilterReason::node_unhealthy, "unhealthy", "健康检查未通过",
     [](const Facts& f) {
         if (f.node.health_reason.empty()) return Text{"its health check failed", "健康检查未通过"};
         return Text{
             "its health check failed: " + f.node.health_reason,
             "健康检查未通过：" + f.node.health_reason
         };
     },
     [](const Facts&) {
         return Text{"repair what its health check names", "修复健康检查指出的问题"};
     }},
    {FilterReason::node_cordoned, "cordoned", "已停止接单",
     [](const Facts&) { return Text{"takes no new work", "不接收新任务"}; },
     [](const Facts& f) {
         return Text{
             format("uncordon it: penstock node uncordon {}/{}", f.node.site, f.node.name),
             format("恢复接单：penstock node uncordon {}/{}", f.node.site, f.node.name)
         };
     }},
    {FilterReason::insufficient_cpu, "short of free CPUs", "空闲处理器不足",
     [](const Facts& f) {
         const std::string asks = thousandths(f.asks.cpu_milli),
                           free = thousandths(f.free.cpu_milli),
                           total = thousandths(f.node.total.cpu_milli);
         return Text{
             format("asks {} cpus, {} of {} are free", asks, free, total),
             format("需要 {} 个 CPU，空闲 {}，总共 {}", asks, free, total)
         };
     },
     [](const Facts& f) {
         const std::string more = thousandths(f.asks.cpu_milli - f.free.cpu_milli),
                           free = thousandths(f.free.cpu_milli);
         return f.free.cpu_milli <= 0
                    ? Text{format("wait until {} cpus are free", more), format("等待 {} 个 CPU 空闲", more)}
                    : Text{
                          format(
                              "wait until {} more cpus are free, or ask for at most {}", more, free
                          ),
                          format("再等待 {} 个 CPU 空闲，或至多申请 {}", more, free)
                      };
     }},
    {FilterReason::insufficient_memory, "short of free memory", "空闲内存不足",
     [](const Facts& f) {
         const std::string asks = memory_text(f.asks.memory_mib),
                           free = memory_text(f.free.memory_mib),
                           total = memory_text(f.node.total.memory_mib);
         return Text{
             format("asks {} of memory, {} of {} are free", asks, free, total),
             format("需要内存 {}，空闲 {}，总共 {}", asks, free, total)
         };
     },
     [](const Facts& f) {
         const std::string more = memory_text(f.asks.memory_mib - f.free.memory_mib),
                           free = memory_text(f.free.memory_mib);
         return f.free.memory_mib <= 0
                    ? Text{format("wait until {} of memory are free", more), format("等待 {} 内存空闲", more)}
                    : Text{
                          format(
                              "wait until {} more of memory are free, or ask for at most {}", more,
                              free
                          ),
                          format("再等待 {} 内存空闲，或至多申请 {}", more, free)
                      };
     }},
    {FilterReason::insufficient_accelerator, "short of free accelerators", "空闲加速卡不足",
     [](const Facts& f) { return busy_text(f.asks, f.node, f.free); },
     [](const Facts& f) { return busy_remedy(f.asks, f.free); }},
    {FilterReason::kept_for_others, "kept for work that is ahead", "已为排在前面的任务预留",
     [](const Facts&) {
         return Text{
             "it might delay work ahead, for which room is kept", "可能推迟已获预留的前面任务"
         };
     },
     [](const Facts&) {
         return Text{"state a shorter time_limit, or wait", "缩短 time_limit，或等待"};
     }},
    {FilterReason::left_to_others, "left to other work", "让给其他任务",
     [](const Facts&) {
         return Text{
             "left to work of the same project that waits too; taken only if nothing else is left",
             "让给同一项目中也在等待的任务；仅在别无选择时再用"
         };
     },
     [](const Facts&) {
         return Text{"none is needed: together they do better so", "无需处理：合在一起这样更好"};
     }},
    {FilterReason::excluded_after_failure, "left out after a failure", "此前在此失败",
     [](const Facts&) {
         return Text{
             "failed here before; taken again only if nothing else is left",
             "此前在此失败；仅在别无选择时再用"
         };
     },
     [](const Facts&) {
         return Text{"look at the logs of the failed attempt", "查看失败那次的日志"};
     }},
};

const Wording& wording_of(FilterReason reason) {
    return *std::ranges::find(kWordings, reason, &Wording::reason);
}

}  // namespace

Text phrase_of(FilterReason reason) {
    const Wording& wording = wording_of(reason);
    return {std::string(wording.phrase), std::string(wording.phrase_zh)};
}

Text Filters::detail(FilterReason reason, const Question& question) const {
    return wording_of(reason).detail({.filters = *this, .question = question});
}

Text Filters::remedy(FilterReason reason, const Question& question) const {
    return wording_of(reason).remedy({.filters = *this, .question = question});
}

}  // namespace penstock::scheduler
