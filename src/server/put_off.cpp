// SPDX-License-Identifier: Apache-2.0
#include "server/dispatcher.h"
#include "tasks/state.h"

// Work that waits for a better hour: it holds nothing, and is planned anew at every full hour and
// whenever more is known of sites.
namespace penstock::server {

// What has begun before goes on as soon as it can.
bool Dispatcher::may_wait(const tasks::Waiting& waiting) const {
    const TaskItem& item =
        platform_.board.items(waiting.task_id)->at(static_cast<std::size_t>(waiting.item));
    return item.attempts == 0 && platform_.board.find(waiting.task_id)->spec.deadline.has_value();
}

bool Dispatcher::waits_for_its_hour(
    const tasks::Waiting& waiting, const scheduler::QueueItem& item
) {
    const Task& task = *platform_.board.find(waiting.task_id);
    return task.reason == TaskReason::waiting_for_start_time && may_wait(waiting) &&
           planned_.stands(item.work, platform_.now(), platform_.engine.site_changes());
}

scheduler::Started Dispatcher::put_off(Decided decided, const scheduler::QueueItem& item) {
    const Task& task = *platform_.board.find(decided.waiting.task_id);
    const Time now = decided.question.now;
    const LaterStart later = *decided.answer.plan.later;
    planned_.put_off(item.work, now, platform_.engine.site_changes());
    Change change;
    waited_.add();
    if (platform_.decisions.differs(task.id, decided.answer))
        record(change, std::move(decided), DecisionOutcome::wait, std::nullopt);
    const tasks::Wording words = tasks::describe(TaskReason::waiting_for_start_time);
    platform_.board.set_waiting(
        task.id, TaskReason::waiting_for_start_time, words.en + ": " + later.text,
        words.zh + "：" + later.text_zh, now, change.tasks
    );
    if (!change.empty()) platform_.commit(std::move(change));
    return scheduler::Started::other;
}

}  // namespace penstock::server
