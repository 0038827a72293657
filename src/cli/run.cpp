// SPDX-License-Identifier: Apache-2.0
#include "cli/run.h"

#include <boost/json.hpp>

#include "cli/candidate_table.h"
#include "cli/composite.h"
#include "cli/follow.h"
#include "cli/outcome.h"
#include "cli/spec_source.h"
#include "cli/submission.h"

namespace penstock::cli {
namespace {

io::Task<Result<int>> left_running(Invocation* invocation, const Task* task) {
    const std::string name = reference(*task);
    if (invocation->has("rm-on-interrupt")) {
        client::Client* client = CO_TRY(invocation->client());
        CO_TRY(co_await client->cancel_task(to_string(task->id)));
        invocation->tell("follow.canceled", name);
        co_return kExitTaskCanceled;
    }
    invocation->tell("follow.detached", name);
    invocation->tell("follow.resume", name);
    co_return kExitTaskNotFinished;
}

io::Task<Result<int>> follow_to_end(Invocation* invocation, Task task) {
    client::Client* client = CO_TRY(invocation->client());
    const bool service = task.kind == TaskKind::Service;
    const std::string id = to_string(task.id);
    Follower follower(
        invocation, id,
        {.logs = invocation->printer.for_people(),
         .timestamps = invocation->has("timestamps"),
         .until_ready = service}
    );
    const FollowEnd end = CO_TRY(co_await follower.run());
    if (end == FollowEnd::detached) co_return co_await left_running(invocation, &task);
    task = CO_TRY(co_await client->task(id));
    if (end == FollowEnd::ready && task.service) {
        CO_TRY(co_await show_service(invocation, &task));
        co_return kExitOk;
    }
    if (!invocation->printer.for_people())
        CO_TRY(invocation->printer.object(task_view(), json::encode(task)));
    show_outcome(*invocation, task);
    co_return exit_code_of(task, invocation->has("exit-from-task"));
}

io::Task<Result<int>> run_one(Invocation* invocation, Draft draft, bool follow, bool plan) {
    const Submission submission = CO_TRY(pack_draft(*invocation, std::move(draft)));
    Consent consent = Consent::given;
    if (plan) consent = CO_TRY(co_await plan_and_confirm(invocation, &submission));
    if (consent == Consent::refused) co_return kExitRefused;
    if (consent == Consent::withheld)
        co_return invocation->has("dry-run") ? kExitOk : kExitTaskNotFinished;
    const Task task = CO_TRY(co_await submit(invocation, &submission));
    if (follow) {
        invocation->say("run.created", reference(task));
        co_return co_await follow_to_end(invocation, task);
    }
    CO_TRY(invocation->printer.object(task_view(), json::encode(task)));
    if (invocation->printer.for_people()) invocation->say("outcome.next_follow", reference(task));
    co_return kExitOk;
}

io::Task<Result<int>> run_all(Invocation* invocation, bool follow, bool plan) {
    if (std::optional<CompositeDraft> composite = CO_TRY(read_composite(*invocation)))
        co_return co_await run_composite(
            invocation, *std::move(composite), follow ? Follow(follow_to_end) : Follow()
        );
    std::vector<Draft> drafts = CO_TRY(read_drafts(
        invocation->arguments, invocation->surroundings.working_folder, invocation->terminal.in
    ));
    int worst = kExitOk;
    for (Draft& draft : drafts) {
        const int code = CO_TRY(co_await run_one(invocation, std::move(draft), follow, plan));
        if (worst == kExitOk) worst = code;
    }
    co_return worst;
}

io::Task<Result<int>> run(Invocation* invocation) {
    const bool follow = !invocation->has("detach") && !invocation->has("dry-run");
    co_return co_await run_all(invocation, follow, true);
}

io::Task<Result<int>> create(Invocation* invocation) {
    // With --yes nobody looks at a plan: the submission stays one call, for scripts that make many.
    const bool plan = !invocation->has("yes") || invocation->has("dry-run");
    co_return co_await run_all(invocation, invocation->has("follow"), plan);
}

io::Task<Result<int>> plan(Invocation* invocation) {
    if (std::optional<CompositeDraft> composite = CO_TRY(read_composite(*invocation)))
        co_return co_await plan_composite(invocation, *std::move(composite));
    std::vector<Draft> drafts = CO_TRY(read_drafts(
        invocation->arguments, invocation->surroundings.working_folder, invocation->terminal.in
    ));
    client::Client* client = CO_TRY(invocation->client());
    int code = kExitOk;
    for (Draft& draft : drafts) {
        const Submission submission = CO_TRY(pack_draft(*invocation, std::move(draft)));
        const Plan plan = CO_TRY(co_await client->plan_task(submission.spec));
        CO_TRY(invocation->printer.list(candidate_view(), json::encode(plan)));
        const std::string& why =
            invocation->language == Language::zh && !plan.explanation_zh.empty()
                ? plan.explanation_zh
                : plan.explanation;
        if (invocation->printer.for_people() && !why.empty()) invocation->terminal.say(why);
        if (!plan.feasible)
            code = refused_by_policy(plan) ? kExitRefused
                                           : info(ErrorCode::resource_exhausted).exit_code;
    }
    co_return code;
}

std::vector<Flag> with(const std::vector<Flag>& more) {
    std::vector<Flag> flags = spec_flags();
    flags.insert(flags.end(), more.begin(), more.end());
    return flags;
}

}  // namespace

std::vector<Command> run_commands() {
    const Flag yes{.name = "yes", .letter = 'y', .help = "flag.yes"};
    const Flag dry_run{.name = "dry-run", .help = "flag.dry_run"};
    const Flag timestamps{.name = "timestamps", .help = "flag.timestamps"};
    const Flag interrupt{.name = "rm-on-interrupt", .help = "flag.rm_on_interrupt"};
    const Flag exit_from{.name = "exit-from-task", .help = "flag.exit_from_task"};
    const std::vector<Operand> files = {{.name = "FILE", .required = false, .repeated = true}};
    return {
        {.path = "run",
         .summary = "run.summary",
         .examples =
             {"penstock run --cpus 2+ --memory 1 --name train -- python3 train.py",
              "penstock run -y -f task.yaml",
              "penstock run --gpus H100:8 --max-price 30 --optimize cost -- torchrun train.py",
              "penstock run -f task.yaml --dry-run", "cat task.yaml | penstock run -y -f -"},
         .operands = files,
         .flags = with(
             {yes,
              dry_run,
              {.name = "detach", .letter = 'd', .help = "flag.detach"},
              timestamps,
              interrupt,
              exit_from}
         ),
         .tail = true,
         .run = run},
        {.path = "plan",
         .summary = "plan.summary",
         .examples =
             {"penstock plan -f task.yaml", "penstock plan --cpus 8 --optimize green -- true",
              "penstock plan -f task.yaml -o csv"},
         .operands = files,
         .flags = spec_flags(),
         .tail = true,
         .run = plan},
        {.path = "task create",
         .summary = "task.create.summary",
         .examples =
             {"penstock task create -y -f task.yaml -o name",
              "penstock task create -y --cpus 1 --name hello -- echo hello"},
         .operands = files,
         .flags = with(
             {yes,
              dry_run,
              {.name = "follow", .help = "flag.create_follow"},
              timestamps,
              interrupt,
              exit_from}
         ),
         .tail = true,
         .run = create},
        {.path = "task plan",
         .summary = "plan.summary",
         .examples = {"penstock task plan -f task.yaml"},
         .operands = files,
         .flags = spec_flags(),
         .tail = true,
         .run = plan},
    };
}

}  // namespace penstock::cli
