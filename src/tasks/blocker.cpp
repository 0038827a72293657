// SPDX-License-Identifier: Apache-2.0
#include "tasks/blocker.h"

namespace penstock::tasks {

Blocker blocker_of(TaskReason reason) {
    switch (reason) {
        case TaskReason::waiting_for_start_time:
            return {
                "start_time", "wait, or submit without schedule.start_after",
                "等待，或去掉 schedule.start_after"
            };
        case TaskReason::waiting_for_dependency:
            return {
                "dependency", "wait for the task it depends on, or cancel it",
                "等待所依赖的任务，或取消"
            };
        case TaskReason::waiting_for_balance:
            return {
                "balance", "top the wallet up, or state a smaller time_limit or budget",
                "充值，或减小 time_limit 或 budget"
            };
        case TaskReason::waiting_for_capacity:
            return {
                "capacity", "wait, ask for less, or relax placement.constraints",
                "等待，减少资源需求，或放宽 placement.constraints"
            };
        case TaskReason::waiting_for_quota:
            return {
                "quota",
                "wait until others of the tenant end, ask for less, or have the limit raised",
                "等待同一机构或项目的其他任务结束，减少资源需求，或请管理者提高配额上限"
            };
        case TaskReason::waiting_for_reservation:
            return {
                "reservation",
                "wait, or state a time_limit that ends before the work ahead is to start",
                "等待，或给出能在排在前面的任务开始之前结束的 time_limit"
            };
        case TaskReason::waiting_for_round:
            return {
                "round",
                "wait for the next round, allow more accelerators, or leave "
                "schedule.time_shared out to take a place in the queue",
                "等待下一轮，允许更多型号的加速卡，或去掉 schedule.time_shared 以进入普通队列"
            };
        case TaskReason::no_candidate:
            return {
                "no_candidate", "change what the candidates' filters name",
                "按候选表中的过滤原因修改任务"
            };
        case TaskReason::not_needed:
            return {
                "no_calls",
                "call its model: the first call starts a replica, or state min_replicas: 1",
                "调用其模型：首次调用会启动副本；或设置 min_replicas: 1"
            };
        case TaskReason::none:
        case TaskReason::dependency_failed:
        case TaskReason::exit_code:
        case TaskReason::killed_by_signal:
        case TaskReason::out_of_memory:
        case TaskReason::time_limit:
        case TaskReason::deadline:
        case TaskReason::budget_exceeded:
        case TaskReason::balance_exhausted:
        case TaskReason::canceled_by_user:
        case TaskReason::node_lost:
        case TaskReason::agent_error:
        case TaskReason::setup_failed:
        case TaskReason::staging_failed:
        case TaskReason::not_ready:
        case TaskReason::output_missing:
        case TaskReason::acceptance_failed:
        case TaskReason::item_failed:
        case TaskReason::stop_requested:
        case TaskReason::member_failed:
        case TaskReason::preempted:
        case TaskReason::time_shared:
            break;
    }
    return {};
}

}  // namespace penstock::tasks
