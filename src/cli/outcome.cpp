// SPDX-License-Identifier: Apache-2.0
#include "cli/outcome.h"

#include <boost/json.hpp>

#include "cli/human_text.h"
#include "cli/json_path.h"
#include "cli/submission.h"

namespace penstock::cli {

int exit_code_of(const Task& task, bool exit_from_task) {
    switch (task.state) {
        case TaskState::succeeded:
            return kExitOk;
        case TaskState::failed:
        case TaskState::expired:
            if (exit_from_task && task.exit_code) return static_cast<int>(*task.exit_code & 0xFF);
            return kExitTaskFailed;
        case TaskState::canceled:
            return kExitTaskCanceled;
        case TaskState::pending:
        case TaskState::matching:
        case TaskState::reserved:
        case TaskState::staging:
        case TaskState::running:
        case TaskState::paused:
        case TaskState::recovering:
        case TaskState::collecting:
        case TaskState::canceling:
            return kExitTaskNotFinished;
    }
    return kExitTaskNotFinished;
}

bool can_be_called(const Task& task) {
    return task.service && !is_terminal(task.state) &&
           (task.service->replicas_ready > 0 || task.service->replicas_wanted == 0);
}

void show_outcome(const Invocation& invocation, const Task& task) {
    const json::Value value = json::encode(task);
    const std::string state = text_at(value, "state");
    const std::string name = reference(task);
    std::string span = "-";
    if (task.started_at && task.ended_at) span = span_text(*task.ended_at - *task.started_at);
    invocation.tell("outcome.line", name, state, span, amount_text(to_string(task.cost)));
    if (task.state != TaskState::succeeded) {
        std::string message = invocation.language == Language::zh && !task.message_zh.empty()
                                  ? task.message_zh
                                  : task.message;
        for (std::size_t at = 0; (at = message.find('\n', at)) != std::string::npos; at += 3)
            message.replace(at, 1, "\n  ");
        const std::string reason = text_at(value, "reason");
        if (reason != "none" || !message.empty()) invocation.tell("outcome.cause", reason, message);
        if (task.fault_domain) invocation.tell("outcome.domain", text_at(value, "fault_domain"));
        if (task.exit_code) invocation.tell("outcome.exit_code", *task.exit_code);
    }
    if (task.items.total > 1)
        invocation.tell("outcome.items", task.items.succeeded, task.items.total, task.items.failed);
    switch (task.state) {
        case TaskState::succeeded:
            if (!task.outputs.empty())
                invocation.tell("outcome.next_outputs", task.outputs.size(), name);
            else
                invocation.tell("outcome.next_logs", name);
            break;
        case TaskState::failed:
        case TaskState::expired:
            if (task.items.failed > 0 && task.items.total > 1)
                invocation.tell("outcome.next_retry", name);
            else
                invocation.tell("outcome.next_explain", name);
            break;
        case TaskState::canceled:
            invocation.tell("outcome.next_bill");
            break;
        case TaskState::pending:
        case TaskState::matching:
        case TaskState::reserved:
        case TaskState::staging:
        case TaskState::running:
        case TaskState::paused:
        case TaskState::recovering:
        case TaskState::collecting:
        case TaskState::canceling:
            invocation.tell("outcome.next_follow", name);
            break;
    }
}

io::Task<Result<void>> show_service(Invocation* invocation, const Task* task) {
    const ServiceView& service = *task->service;
    invocation->terminal.print(service.c_url + "\n");
    if (service.replicas_wanted == 0)
        invocation->tell("service.rests");
    else
        invocation->tell("service.ready", service.replicas_ready, service.replicas_wanted);
    if (service.protocol == "openai") {
        invocation->tell("service.call_openai", service.model);
    } else {
        client::Client* client = CO_TRY(invocation->client());
        const AttemptPage attempts = CO_TRY(co_await client->list_all<AttemptPage>(
            "/v1/tasks/" + to_string(task->id) + "/attempts", {}
        ));
        for (const Attempt& attempt : attempts.attempts)
            if (attempt.service_url && attempt.state == TaskState::running)
                invocation->tell("service.call_http", *attempt.service_url);
    }
    invocation->tell("service.next", reference(*task));
    co_return Result<void>();
}

}  // namespace penstock::cli
