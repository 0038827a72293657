// SPDX-License-Identifier: Apache-2.0
#include "tasks/blocker.h"

#include <algorithm>
#include <utility>

namespace penstock::tasks {
namespace {

// Reasons that keep a task waiting or ended it before it began; no other has a remedy.
const std::pair<TaskReason, Blocker> kBlockers[] = {
    {TaskReason::waiting_for_start_time,
     {"start_time", "wait, or submit without schedule.start_after or deadline",
      "等待，或去掉 schedule.start_after 或 deadline"}},
    {TaskReason::waiting_for_dependency,
     {"dependency", "wait for the task it depends on, or cancel it", "等待所依赖的任务，或取消"}},
    {TaskReason::waiting_for_balance,
     {"balance", "top the wallet up, or state a smaller time_limit or budget",
      "充值，或减小 time_limit 或 budget"}},
    {TaskReason::waiting_for_capacity,
     {"capacity", "wait, ask for less, or relax placement.constraints",
      "等待，减少资源需求，或放宽 placement.constraints"}},
    {TaskReason::waiting_for_quota,
     {"quota", "wait until others of the tenant end, ask for less, or have the limit raised",
      "等待同一机构或项目的其他任务结束，减少资源需求，或请管理者提高配额上限"}},
    {TaskReason::waiting_for_reservation,
     {"reservation", "wait, or state a time_limit that ends before the work ahead is to start",
      "等待，或给出能在排在前面的任务开始之前结束的 time_limit"}},
    {TaskReason::waiting_for_round,
     {"round",
      "wait for the next round, allow more accelerators, or leave "
      "schedule.time_shared out to take a place in the queue",
      "等待下一轮，允许更多型号的加速卡，或去掉 schedule.time_shared 以进入普通队列"}},
    {TaskReason::no_candidate,
     {"no_candidate", "change what the candidates' filters name", "按候选表中的过滤原因修改任务"}},
    {TaskReason::not_needed,
     {"no_calls", "call its model: the first call starts a replica, or state min_replicas: 1",
      "调用其模型：首次调用会启动副本；或设置 min_replicas: 1"}},
};

}  // namespace

Blocker blocker_of(TaskReason reason) {
    const auto* const found =
        std::ranges::find(kBlockers, reason, &std::pair<TaskReason, Blocker>::first);
    return found == std::end(kBlockers) ? Blocker{} : found->second;
}

}  // namespace penstock::tasks
