// SPDX-License-Identifier: Apache-2.0
#include "tasks/state.h"

#include <array>

#include "model/replica_policy.h"

namespace penstock::tasks {

TaskState combine(const std::vector<TaskItem>& items) {
    std::array<std::size_t, 16> seen{};
    bool all_rest = !items.empty();
    for (const TaskItem& item : items) {
        if (rests(item)) continue;
        all_rest = false;
        ++seen.at(static_cast<std::size_t>(item.state));
    }
    if (all_rest) return TaskState::paused;
    const auto any = [&](TaskState state) { return seen.at(static_cast<std::size_t>(state)) > 0; };
    // What goes on outranks what waits; what waits outranks what has ended.
    for (const TaskState state :
         {TaskState::running, TaskState::collecting, TaskState::staging, TaskState::reserved,
          TaskState::recovering, TaskState::paused, TaskState::matching, TaskState::pending})
        if (any(state)) return state;
    for (const TaskState state : {TaskState::failed, TaskState::expired, TaskState::canceled})
        if (any(state)) return state;
    return TaskState::succeeded;
}

ItemCounts count(const std::vector<TaskItem>& items) {
    ItemCounts counts;
    for (const TaskItem& item : items) {
        if (rests(item)) continue;
        ++counts.total;
        if (is_active(item.state))
            ++counts.active;
        else if (item.state == TaskState::succeeded)
            ++counts.succeeded;
        else if (is_terminal(item.state))
            ++counts.failed;
        else
            ++counts.waiting;
    }
    return counts;
}

std::int64_t retries_allowed(const TaskSpec& spec) {
    if (spec.array) return spec.array->retry.per_item;
    if (spec.service && !spec.resources.job_recovery) return kServiceRestartsMax;
    return spec.resources.job_recovery ? spec.resources.job_recovery->max_restarts_on_errors : 0;
}

TaskState state_after_stop(TaskReason reason) {
    return reason == TaskReason::deadline ? TaskState::expired : TaskState::canceled;
}

Duration retry_delay(std::int64_t ends) {
    constexpr std::int64_t kDoublingsMax = 6;  // 64 s
    if (ends < 2) return {};
    return std::min<Duration>(1s * (1LL << std::min(ends - 2, kDoublingsMax)), kRetryDelayMax);
}

std::int64_t replicas_of(const TaskSpec& spec) {
    return spec.service ? replicas_min(*spec.service) : 1;
}

std::int64_t slots_of(const TaskSpec& spec) { return std::max<std::int64_t>(1, replicas_of(spec)); }
std::vector<Dependency> dependencies_of(const TaskSpec& spec) {
    std::vector<Dependency> all;
    if (spec.schedule) all = spec.schedule->dependencies;
    if (spec.inputs)
        for (const InputSpec& input : *spec.inputs) all.push_back({.task = input.task});
    return all;
}

Wording describe(TaskReason reason) {
    switch (reason) {
        case TaskReason::none:
            return {"", ""};
        case TaskReason::waiting_for_start_time:
            return {"waits for its start time", "等待开始时间"};
        case TaskReason::waiting_for_dependency:
            return {"waits for another task", "等待依赖的任务"};
        case TaskReason::waiting_for_capacity:
            return {"waits for free capacity", "等待空闲算力"};
        case TaskReason::waiting_for_balance:
            return {"waits for balance in the wallet", "余额不足，等待充值"};
        case TaskReason::waiting_for_quota:
            return {
                "its organisation or project holds as much as its quota allows",
                "所属机构或项目已达配额上限"
            };
        case TaskReason::waiting_for_reservation:
            return {"what is free is kept for work ahead of it", "空闲算力已为排在前面的任务预留"};
        case TaskReason::no_candidate:
            return {"no site can ever take it as stated", "没有任何站点能满足该任务"};
        case TaskReason::dependency_failed:
            return {"a task it depends on did not end as required", "依赖的任务未按要求结束"};
        case TaskReason::exit_code:
            return {"the program ended with an error", "程序以错误码退出"};
        case TaskReason::killed_by_signal:
            return {"the program was killed by a signal", "程序被信号终止"};
        case TaskReason::out_of_memory:
            return {"the program used more memory than asked for", "程序超出所申请的内存"};
        case TaskReason::time_limit:
            return {"the time limit passed", "超出运行时限"};
        case TaskReason::deadline:
            return {"the deadline passed", "超过截止时间"};
        case TaskReason::budget_exceeded:
            return {"the budget is used up", "预算已用尽"};
        case TaskReason::balance_exhausted:
            return {"the wallet is empty", "钱包余额已用尽"};
        case TaskReason::canceled_by_user:
            return {"canceled by the user", "用户已取消"};
        case TaskReason::node_lost:
            return {"the node was lost", "节点失联"};
        case TaskReason::agent_error:
            return {"the site could not run it", "站点无法运行"};
        case TaskReason::setup_failed:
            return {"`setup` ended with an error", "setup 执行失败"};
        case TaskReason::staging_failed:
            return {"its files could not be staged", "数据准备失败"};
        case TaskReason::not_ready:
            return {"the service never became ready", "服务未能就绪"};
        case TaskReason::output_missing:
            return {"a required output is missing", "缺少必需的输出"};
        case TaskReason::acceptance_failed:
            return {"an acceptance check failed", "验收检查未通过"};
        case TaskReason::item_failed:
            return {"some items failed", "部分子项失败"};
        case TaskReason::stop_requested:
            return {"stopped on request", "按请求停止"};
        case TaskReason::preempted:
            return {"gave way to other work, and waits again", "已让位给其他任务，重新排队"};
        case TaskReason::not_needed:
            return {"fewer replicas suffice", "无需更多副本"};
        case TaskReason::waiting_for_round:
            return {"waits for its turn on time-shared devices", "等待分时共享设备的下一轮"};
        case TaskReason::time_shared:
            return {"its round is over: it waits for its next turn", "本轮已结束，等待下一轮"};
        case TaskReason::member_failed:
            return {"another node of its gang failed", "同组的其他节点失败"};
    }
    return {};
}

std::string name_of(TaskState state) {
    constexpr std::array kNames = {"PENDING",   "MATCHING",   "RESERVED",   "STAGING",   "RUNNING",
                                   "PAUSED",    "RECOVERING", "COLLECTING", "SUCCEEDED", "FAILED",
                                   "CANCELING", "CANCELED",   "EXPIRED"};
    return kNames.at(static_cast<std::size_t>(state));
}

}  // namespace penstock::tasks
