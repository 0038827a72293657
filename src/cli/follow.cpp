// SPDX-License-Identifier: Apache-2.0
#include "cli/follow.h"

#include "cli/human_text.h"
#include "cli/outcome.h"
#include "cli/text_width.h"
#include "io/task_group.h"
#include "json/json.h"

namespace penstock::cli {
namespace {

constexpr std::size_t kStepColumn = 10;

}  // namespace

struct Follower::Interrupts {
    int count = 0;
    io::Event* changed = nullptr;
};

std::string progress_line(
    const Event& event, Language language, bool timestamp, const std::string& said
) {
    const std::string known = event.type == "state_changed" || event.type.empty()
                                  ? "step." + event.state
                                  : "step." + event.type;
    std::string line = timestamp ? to_rfc3339(event.at) + "  " : "";
    const std::string step(find_text(language, known)
                               .value_or(event.type == "state_changed" ? event.state : event.type));
    line += pad_right(step, kStepColumn);
    std::string what = printable(event.message);
    if (what.empty() && event.reason != "none") what = printable(event.reason);
    if (!said.empty() && event.message == said) what.clear();
    line += what;
    if (event.cost && !event.cost->is_zero())
        line += "  " + format(language, "follow.cost", amount_text(to_string(*event.cost)));
    while (line.ends_with(' ')) line.pop_back();
    return line;
}

std::string log_line(const LogLine& line, bool timestamp, bool item) {
    std::string text = timestamp ? to_rfc3339(line.at) + " " : "";
    if (item) text += "[" + std::to_string(line.item) + "] ";
    if (line.rank) text += "[rank " + std::to_string(*line.rank) + "] ";
    return text + line.text + "\n";
}

Follower::Follower(Invocation* invocation, std::string task, FollowOptions options)
    : invocation_(invocation),
      task_(std::move(task)),
      options_(options),
      interrupts_(std::make_shared<Interrupts>()),
      changed_(invocation->runtime.executor()) {}

io::Task<void> Follower::read_events() {
    client::Watch watch = client_->watch_task(task_);
    while (true) {
        const Result<std::optional<Event>> event = co_await watch.next_as<Event>();
        if (!event) {
            failure_ = event.error();
            break;
        }
        if (!*event) break;
        if (options_.events && !invocation_->quiet)
            invocation_->terminal.say(
                progress_line(**event, invocation_->language, options_.timestamps, said_)
            );
        said_ = (*event)->message;
        changed_.notify_all();
    }
    events_done_ = true;
    changed_.notify_all();
}

io::Task<void> Follower::read_logs() {
    client::Watch watch = client_->watch_task_logs(task_, options_.log_cursor, options_.item);
    const bool items = !options_.item.has_value();
    std::int64_t items_seen = 0;
    while (true) {
        const Result<std::optional<LogLine>> line = co_await watch.next_as<LogLine>();
        if (!line) {
            failure_ = line.error();
            break;
        }
        if (!*line) break;
        items_seen = std::max(items_seen, (*line)->item);
        // Items are told apart once there is more than one.
        invocation_->terminal.print(log_line(**line, options_.timestamps, items && items_seen > 0));
        invocation_->terminal.flush();
    }
    logs_done_ = true;
    changed_.notify_all();
}

io::Task<Result<bool>> Follower::service_is_ready() {
    const Task task = CO_TRY(co_await client_->task(task_));
    co_return can_be_called(task);
}

io::Task<Result<FollowEnd>> Follower::wait() {
    io::Deadline tail = io::Deadline::none();
    while (!events_done_ || !logs_done_) {
        if (interrupts_->count > 0) co_return FollowEnd::detached;
        if (failure_) co_return std::unexpected(*failure_);
        if (events_done_ && tail.is_none()) tail = io::Deadline::after(kLogTailWaitMax);
        if (tail.passed()) {
            invocation_->tell("follow.log_late", task_);
            co_return FollowEnd::ended;
        }
        io::Deadline next = tail;
        if (options_.until_ready) {
            if (!events_done_ && CO_TRY(co_await service_is_ready())) co_return FollowEnd::ready;
            next = io::earlier(next, io::Deadline::after(kServiceLookEvery));
        }
        if (interrupts_->count > 0 || failure_ || (events_done_ && logs_done_)) continue;
        co_await changed_.wait(next);
    }
    if (failure_) co_return std::unexpected(*failure_);
    co_return FollowEnd::ended;
}

io::Task<Result<FollowEnd>> Follower::run() {
    client_ = CO_TRY(invocation_->client());
    interrupts_->changed = &changed_;
    invocation_->runtime.on_signal([interrupts = interrupts_](int) {
        ++interrupts->count;
        if (interrupts->changed != nullptr) interrupts->changed->notify_all();
    });
    io::TaskGroup group(invocation_->runtime.executor(), "follow");
    group.spawn(read_events());
    if (options_.logs)
        group.spawn(read_logs());
    else
        logs_done_ = true;
    Result<FollowEnd> end = co_await wait();
    co_await group.close();
    interrupts_->changed = nullptr;
    co_return end;
}

}  // namespace penstock::cli
