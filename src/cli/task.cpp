// SPDX-License-Identifier: Apache-2.0
#include "cli/task.h"

#include <boost/json.hpp>

#include "cli/event.h"
#include "cli/human_text.h"
#include "cli/invocation.h"
#include "cli/outcome.h"
#include "cli/submission.h"

namespace penstock::cli {
namespace {

io::Task<Result<int>> list(Invocation* invocation) {
    co_return co_await print_list<TaskPage>(invocation, "/v1/tasks", &task_view());
}

io::Task<Result<int>> get(Invocation* invocation) {
    const std::string name = CO_TRY(name_of(invocation->operand(0), "task"));
    client::Client* client = CO_TRY(invocation->client());
    const Task task = CO_TRY(co_await client->task(name));
    CO_TRY(print_object(*invocation, task_view(), task));
    if (!invocation->printer.for_people()) co_return kExitOk;
    const std::string& message = invocation->language == Language::zh && !task.message_zh.empty()
                                     ? task.message_zh
                                     : task.message;
    if (!message.empty()) invocation->terminal.say(message);
    co_return kExitOk;
}

io::Task<Result<int>> cancel(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    for (const std::string& operand : invocation->arguments.operands) {
        const std::string name = CO_TRY(name_of(operand, "task"));
        const Task task = CO_TRY(co_await client->cancel_task(name));
        if (invocation->printer.for_people())
            invocation->tell("task.canceled", reference(task), amount_text(to_string(task.cost)));
        else
            CO_TRY(print_object(*invocation, task_view(), task));
    }
    co_return kExitOk;
}

io::Task<Result<int>> retry(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    for (const std::string& operand : invocation->arguments.operands) {
        const std::string name = CO_TRY(name_of(operand, "task"));
        const Task task = CO_TRY(co_await client->retry_task(name));
        if (invocation->printer.for_people())
            invocation->tell("task.retried", reference(task));
        else
            CO_TRY(print_object(*invocation, task_view(), task));
    }
    co_return kExitOk;
}

io::Task<Result<int>> events(Invocation* invocation) {
    const std::string name = CO_TRY(name_of(invocation->operand(0), "task"));
    if (invocation->has("follow")) {
        client::Client* client = CO_TRY(invocation->client());
        co_return co_await print_events(invocation, client->watch_task(name));
    }
    co_return co_await print_timeline(
        invocation, "/v1/tasks/" + http::percent_encode(name) + "/events"
    );
}

io::Task<Result<int>> attempts(Invocation* invocation) {
    static const View kView{
        .plural = "attempts",
        .singular = "attempt",
        .columns =
            {
                text_column("ID", "id"),
                number_column("ITEM", "item"),
                number_column("FENCE", "fence"),
                text_column("STATE", "state"),
                text_column("REASON", "reason"),
                text_column("SITE", "placement.site"),
                text_column("NODE", "placement.node"),
                text_column("EXIT", "exit_code"),
                text_column("DOMAIN", "fault_domain"),
                amount_column("COST", "cost"),
                wide(text_column("URL", "service_url")),
                wide(text_column("MESSAGE", "message")),
                age_column("AGE", "created_at"),
            },
    };
    const std::string name = CO_TRY(name_of(invocation->operand(0), "task"));
    co_return co_await print_list<AttemptPage>(
        invocation, "/v1/tasks/" + http::percent_encode(name) + "/attempts", &kView
    );
}

io::Task<Result<int>> items(Invocation* invocation) {
    static const View kView{
        .plural = "items",
        .singular = "item",
        .columns =
            {
                number_column("INDEX", "index"),
                text_column("STATE", "state"),
                text_column("REASON", "reason"),
                number_column("ATTEMPTS", "attempts"),
                number_column("FAILURES", "failures"),
                number_column("RECOV", "recoveries"),
                text_column("POINTS", "points"),
                text_column("ATTEMPT", "attempt_id"),
            },
        .id = "index",
    };
    const std::string name = CO_TRY(name_of(invocation->operand(0), "task"));
    co_return co_await print_list<ItemPage>(
        invocation, "/v1/tasks/" + http::percent_encode(name) + "/items", &kView
    );
}

}  // namespace

std::vector<Command> task_commands() {
    const std::vector<Operand> one = {{.name = "TASK"}};
    const std::vector<Operand> several = {{.name = "TASK", .repeated = true}};
    return {
        {.path = "ps",
         .summary = "task.list.summary",
         .examples = {"penstock ps", "penstock ps --filter state=RUNNING"},
         .answer = Answer::list,
         .run = list},
        {.path = "stop",
         .summary = "task.cancel.summary",
         .examples = {"penstock stop task/train"},
         .operands = several,
         .run = cancel},
        {.path = "task list",
         .summary = "task.list.summary",
         .examples =
             {"penstock task list", "penstock task list --all -o json",
              "penstock task list --filter 'state=FAILED' --sort 'created_at desc' --limit 10",
              "penstock task list --columns id,state,spec.priority"},
         .answer = Answer::list,
         .run = list},
        {.path = "task get",
         .summary = "task.get.summary",
         .examples =
             {"penstock task get task/train", "penstock task get train -o yaml",
              "penstock task get train --jq .state"},
         .operands = one,
         .run = get},
        {.path = "task cancel",
         .summary = "task.cancel.summary",
         .examples = {"penstock task cancel task/train"},
         .operands = several,
         .run = cancel},
        {.path = "task retry",
         .summary = "task.retry.summary",
         .examples = {"penstock task retry task/frames"},
         .operands = several,
         .run = retry},
        {.path = "task events",
         .summary = "task.events.summary",
         .examples =
             {"penstock task events task/train", "penstock task events train --follow -o jsonl"},
         .operands = one,
         .flags =
             {{.name = "follow", .letter = 'f', .help = "flag.follow"},
              timeline_flags()[0],
              timeline_flags()[1]},
         .run = events},
        {.path = "task attempts",
         .summary = "task.attempts.summary",
         .examples = {"penstock task attempts task/train"},
         .operands = one,
         .answer = Answer::list,
         .run = attempts},
        {.path = "task items",
         .summary = "task.items.summary",
         .examples = {"penstock task items task/frames --filter state=FAILED"},
         .operands = one,
         .answer = Answer::list,
         .run = items},
    };
}

}  // namespace penstock::cli
