// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <boost/json.hpp>

#include "cli/api_fixture.h"
#include "model/page.h"

namespace penstock::cli {
namespace {

constexpr auto kTaskId = "tk_01k00000000000000000000001";

Task task_in(TaskState state) {
    Task task;
    task.id = *TaskId::parse(kTaskId);
    task.name = "train";
    task.state = state;
    task.spec.run = "true";
    task.items.total = 1;
    task.created_at = Time(std::chrono::hours(490000));
    task.updated_at = task.created_at;
    return task;
}
std::string event_text(TaskState state, const std::string& message) {
    Event event;
    event.subject = std::string("task/") + kTaskId;
    event.type = "state_changed";
    event.actor = "platform";
    event.state = json::encode(task_in(state)).at("state").as_string().c_str();
    event.reason = "none";
    event.message = message;
    return json::print(event);
}
std::string log_text(const std::string& text) {
    LogLine line;
    line.text = text;
    return json::print(line);
}
Plan plan_with(FilterReason filter) {
    Plan plan;
    plan.strategy = balanced_strategy();
    Candidate candidate;
    candidate.site = "centre";
    candidate.node = "node-1";
    candidate.filter = filter;
    candidate.chosen = filter == FilterReason::none;
    plan.feasible = candidate.chosen;
    plan.candidates.push_back(candidate);
    plan.explanation = "centre is the only one.";
    return plan;
}

class CliTest : public ApiFixture {
  protected:
    // A task that is created, runs, prints two lines and ends in `state`.
    void platform_with_task(TaskState state, std::optional<std::int64_t> exit_code = {}) {
        Task ended = task_in(state);
        ended.exit_code = exit_code;
        answer("POST", "/v1/tasks:plan", 200, json::print(plan_with(FilterReason::none)));
        answer("POST", "/v1/tasks", 201, json::print(task_in(TaskState::pending)));
        answer("GET", "/v1/tasks/{id}", 200, json::print(ended));
        stream(
            "/v1/tasks/{id}:watch",
            {event_text(TaskState::matching, ""),
             event_text(TaskState::running, "on centre/node-1"), event_text(state, "")}
        );
        stream("/v1/tasks/{id}/logs:watch", {log_text("hello"), log_text("bye")});
    }
};

TEST_F(CliTest, PrintsACreatedKeyAsTheApiGaveIt) {
    answer(
        "POST", "/v1/keys", 201,
        R"({"id":"ky_01k00000000000000000000001","name":"ci","key":"sk-abc","prefix":"sk-a","scopes":["tokens"],"project_id":"pj_01k00000000000000000000001","created_at":"2026-11-24T12:00:00Z"})"
    );
    const Run run = this->run({"key", "create", "--name", "ci", "-o", "json"});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(json::parse_value(run.out)->at("key").as_string(), "sk-abc");
    EXPECT_EQ(requests().front().body, R"({"name":"ci","scopes":[]})");
}

TEST_F(CliTest, PrintsTheNameOfADurableTask) {
    platform_with_task(TaskState::succeeded);
    write("task.yaml", "run: 'true'\n");
    const Run run = this->run({"task", "create", "-y", "-f", "task.yaml", "-o", "name"});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(run.out, std::string("task/") + kTaskId + "\n");
    EXPECT_EQ(requests().size(), 1U);
    EXPECT_FALSE(requests().front().headers.get("Idempotency-Key").empty());
}

TEST_F(CliTest, ListsEveryTaskAsOnePage) {
    TaskPage page;
    page.tasks = {task_in(TaskState::running), task_in(TaskState::failed)};
    page.total = 2;
    answer("GET", "/v1/tasks", 200, json::print(page));
    const Run run = this->run({"task", "list", "--all", "-o", "json"});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(*json::parse_value(run.out), *json::parse_value(json::print(page)));
}

TEST_F(CliTest, FollowsARunWithProgressOnStderrAndTheLogOnStdout) {
    platform_with_task(TaskState::succeeded);
    write("task.yaml", "run: 'true'\n");
    const Run run = this->run({"run", "-y", "-f", "task.yaml"});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(run.out, "hello\nbye\n");
    EXPECT_TRUE(run.err.contains("match\nrun       on centre/node-1\n")) << run.err;
    EXPECT_TRUE(run.err.ends_with(std::string("Next: penstock logs task/") + kTaskId + "\n"))
        << run.err;
}

TEST_F(CliTest, ExitsBySortOfEnd) {
    platform_with_task(TaskState::failed, 42);
    EXPECT_EQ(run({"run", "-y", "--", "false"}).code, 100);
    EXPECT_EQ(run({"run", "-y", "--exit-from-task", "--", "false"}).code, 42);
}

TEST_F(CliTest, ExitsWith103ForACanceledTask) {
    platform_with_task(TaskState::canceled);
    EXPECT_EQ(run({"run", "-y", "--", "sleep 9"}).code, 103);
}

TEST_F(CliTest, AsksNobodyWithoutATerminal) {
    platform_with_task(TaskState::succeeded);
    const Run run = this->run({"run", "--", "true"});
    EXPECT_EQ(run.code, 2);
    EXPECT_TRUE(run.err.contains("there is no terminal to ask on: add -y")) << run.err;
    EXPECT_EQ(requests().size(), 1U);
}

TEST_F(CliTest, StopsAfterThePlanInADryRun) {
    platform_with_task(TaskState::succeeded);
    const Run run = this->run({"run", "--dry-run", "--", "true"});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_TRUE(run.err.contains("✔ chosen")) << run.err;
    EXPECT_EQ(requests().size(), 1U);
}

TEST_F(CliTest, RefusesWhatNoSiteCouldEverRun) {
    answer("POST", "/v1/tasks:plan", 200, json::print(plan_with(FilterReason::cpu_too_large)));
    const Run run = this->run({"run", "-y", "--cpus", "9999", "--", "true"});
    EXPECT_EQ(run.code, 6);
    EXPECT_TRUE(run.err.contains("cpu_too_large")) << run.err;
}

TEST_F(CliTest, ExitsWith9WhereARuleOfTheTaskRefusesEverySite) {
    answer("POST", "/v1/tasks:plan", 200, json::print(plan_with(FilterReason::trust_too_low)));
    const Run run = this->run({"run", "-y", "--", "true"});
    EXPECT_EQ(run.code, 9) << run.err;
    EXPECT_TRUE(run.err.contains("trust_too_low")) << run.err;
    EXPECT_EQ(this->run({"plan", "--", "true"}).code, 9);
}

TEST_F(CliTest, ListsWhatCarriesACode) {
    answer(
        "GET", "/v1/identifiers", 200,
        R"({"identifiers":[{"reg":"R1","c_url":"c-url://a/R1","kind":"site","name":"edge","object":"site/st_1"}],"total":1})"
    );
    const Run run = this->run({"identity", "list"});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_TRUE(run.out.contains("R1    site  edge  c-url://a/R1")) << run.out;
}

TEST_F(CliTest, ReadsAnAnswerOfANewerServer) {
    answer(
        "GET", "/v1/identifiers", 200,
        R"({"identifiers":[{"reg":"R1","c_url":"c","kind":"site","name":"edge","object":"o","signed":true}],"total":1,"as_of":"now"})"
    );
    EXPECT_EQ(run({"identity", "list"}).code, 0);
}

TEST_F(CliTest, UploadsTheWorkDirectoryAndNamesItsHash) {
    platform_with_task(TaskState::succeeded);
    std::filesystem::create_directories(folder_ / "src");
    write("src/a.txt", "a");
    write("task.yaml", "run: cat a.txt\nworkdir: src\n");
    router_.add("HEAD", "/v1/blobs/{sha256}", [this](http::Request request) {
        return reply(std::move(request), http::Response::empty(404));
    });
    router_.add("PUT", "/v1/blobs/{sha256}", [this](http::Request request) {
        return reply(std::move(request), http::Response::empty(204));
    });
    const Run run = this->run({"task", "create", "-y", "-f", "task.yaml", "-o", "name"});
    EXPECT_EQ(run.code, 0) << run.err;
    const std::vector<http::Request> sent = requests();
    ASSERT_EQ(sent.size(), 3U);
    const json::Value spec = *json::parse_value(sent[2].body);
    EXPECT_EQ(sent[1].path, "/v1/blobs/" + std::string(spec.at("workdir_sha256").as_string()));
}

TEST_F(CliTest, IsNeverSilentAboutAnEmptyLog) {
    Task waiting = task_in(TaskState::pending);
    waiting.reason = TaskReason::waiting_for_capacity;
    answer("GET", "/v1/tasks/{id}/logs", 200, R"({"lines":[],"total":0})");
    answer("GET", "/v1/tasks/{id}", 200, json::print(waiting));
    const Run run = this->run({"logs", "task/train"});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(run.err, "no output yet: state PENDING, waiting for capacity\n");
}

TEST_F(CliTest, WaitsForAStateAndTimesOut) {
    answer("GET", "/v1/tasks/{id}", 200, json::print(task_in(TaskState::running)));
    stream("/v1/tasks/{id}:watch", {});
    EXPECT_EQ(run({"wait", "train", "--for=state=RUNNING"}).code, 0);
    EXPECT_EQ(run({"wait", "train", "--timeout", "20ms"}).code, 8);
    EXPECT_EQ(run({"wait", "train", "--for=state=RUNING"}).code, 2);
}

TEST_F(CliTest, ShowsWhyATaskWaits) {
    Explanation explanation;
    explanation.task = "task/train";
    explanation.state = "PENDING";
    explanation.position = 3;
    explanation.blocker = "capacity";
    explanation.message = "no node has 8 free cpus";
    explanation.remedy = "ask for 4";
    explanation.plan = plan_with(FilterReason::insufficient_cpu);
    answer("GET", "/v1/tasks/{id}:explain", 200, json::print(explanation));
    const Run run = this->run({"explain", "train"});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_TRUE(
        run.out.starts_with("task/train is PENDING\nposition   3 in the queue\nblocker    "
                            "capacity\nbecause    no node has 8 free cpus\nremedy     ask for 4\n")
    ) << run.out;
    EXPECT_TRUE(run.out.contains("insufficient_cpu")) << run.out;
}

TEST_F(CliTest, ShowsWhyACallWentToItsEngine) {
    const std::string id = to_string(RequestId(RawId{1, 2}));
    GenerationData call{.id = id, .model = "m", .provider_name = "lab-a", .site = "here"};
    call.finish_reason = "done";
    call.routing = "two choices; lab-a at here chosen";
    answer("GET", "/v1/generation", 200, json::print(GenerationAnswer{call}));
    const Run run = this->run({"explain", "call/" + id});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(
        run.out, "call/" + id +
                     " for m is done: lab-a at here, charged 0.00 CNY\n"
                     "attempts   penstock bill list --filter attempt_of=call/" +
                     id + "\nrouting    two choices; lab-a at here chosen\n"
    );
}

TEST_F(CliTest, ShowsWhatBecameOfAnAttempt) {
    const std::string id = to_string(RequestId(RawId{1, 2}));
    GenerationData call{.id = id, .model = "m", .provider_name = "lab-a"};
    call.finish_reason = "upstream_error";
    call.attempt_of = "call/rq_x";
    call.status = 503;
    answer("GET", "/v1/generation", 200, json::print(GenerationAnswer{call}));
    const Run attempt = this->run({"explain", id, "--lang=zh"});
    EXPECT_TRUE(attempt.out.contains("call/rq_x")) << attempt.out;
    EXPECT_TRUE(attempt.out.contains("503")) << attempt.out;
    EXPECT_TRUE(attempt.out.contains("lab-a @ -")) << "no site leaves no gap: " << attempt.out;
    EXPECT_TRUE(attempt.out.contains("未保留")) << attempt.out;
}

TEST_F(CliTest, ShowsWhatChangesWouldStartATask) {
    Explanation explanation;
    explanation.task = "task/train";
    explanation.state = "PENDING";
    explanation.plan.strategy = balanced_strategy();
    explanation.changes = {{.field = "resources.cpus", .text = "with A", .text_zh = "甲"}};
    explanation.changes_tried = 7;
    answer("GET", "/v1/tasks/{id}:explain", 200, json::print(explanation));
    EXPECT_EQ(run({"explain", "train"}).out, "task/train is PENDING\nor         with A\n");
    EXPECT_EQ(
        run({"explain", "train", "--lang=zh"}).out, "task/train 的状态是 PENDING\n或者   甲\n"
    );
}

TEST_F(CliTest, SaysWhereNoChangeWouldStartATask) {
    Explanation explanation;
    explanation.task = "task/train";
    explanation.state = "PENDING";
    explanation.plan.strategy = balanced_strategy();
    explanation.changes.emplace();
    explanation.changes_tried = 7;
    explanation.changes_cut = true;
    answer("GET", "/v1/tasks/{id}:explain", 200, json::print(explanation));

    EXPECT_EQ(
        run({"explain", "train"}).out,
        "task/train is PENDING\n"
        "or         none of 7 changes that were planned would start it now\n"
        "           not all could be tried: 7 changes were planned\n"
    );
}

TEST_F(CliTest, ShowsHowATaskTakesTurns) {
    Explanation explanation;
    explanation.task = "task/train";
    explanation.state = "PENDING";
    explanation.plan.strategy = balanced_strategy();
    explanation.time_sharing = TimeSharing{
        .policy = "gavel-las",
        .round = 6min,
        .next_round = *parse_rfc3339("2026-11-24T00:06:00Z"),
        .counted_since = {},
        .rates_from = "stated",
        .pools =
            {{.site = "centre", .model = "H100", .devices = 2, .rate = 8.5, .received = 12min},
             {.site = "edge",
              .model = "A10",
              .devices = 1,
              .rate = {},
              .received = 0s,
              .granted = true}}
    };
    answer("GET", "/v1/tasks/{id}:explain", 200, json::print(explanation));
    const Run run = this->run({"explain", "train"});
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(
        run.out,
        "task/train is PENDING\n"
        "turns      by gavel-las, the next round begins at 2026-11-24T00:06:00Z, rates are stated\n"
        "           H100 at centre: 2 devices are shared, rate 8.5, ran 12m00s\n"
        "           A10 at edge: 1 devices are shared, rate ?, ran 0.0s; its turn is here\n"
    );
}

TEST_F(CliTest, TurnsAnErrorIntoItsExitCode) {
    answer("GET", "/v1/tasks/{id}", 404, R"({"detail":"no task 'x'","code":"not_found"})");
    answer("GET", "/v1/wallet", 401, R"({"detail":"the key is revoked","code":"unauthenticated"})");
    EXPECT_EQ(run({"task", "get", "x"}).code, 3);
    EXPECT_EQ(run({"wallet", "get"}).code, 4);
    EXPECT_EQ(run({"task", "get", "node/x"}).code, 3);
    EXPECT_EQ(run({"nonsense"}).code, 2);
    EXPECT_EQ(
        run({"wallet", "get"}).err,
        "error: the key is revoked\nCheck the key with: penstock doctor\n"
    );
}

TEST_F(CliTest, SaysSoInChinese) {
    variables_["PENSTOCK_LANG"] = "zh";
    EXPECT_EQ(
        run({"tsak"}).err, "错误： 没有命令“tsak” （是否想写“task”？）\n参见：penstock help\n"
    );
}

TEST_F(CliTest, NeedsAPlatform) {
    run({"version", "--client"});
    variables_.clear();
    const Run run = this->run({"ps"});
    EXPECT_EQ(run.code, 2);
    EXPECT_TRUE(run.err.contains("penstock up")) << run.err;
}

TEST_F(CliTest, ChecksAnIdentifierOffline) {
    const Run good =
        run({"identity", "check", "R2101002420100A10000007KF", "--jq", ".registration.city"});
    EXPECT_EQ(good.code, 0) << good.err;
    EXPECT_EQ(good.out, "420100\n");
    EXPECT_EQ(run({"identity", "check", "R2101002420100A10000007KA"}).code, 2);
}

TEST_F(CliTest, ChecksSpecsOffline) {
    write("good.yaml", "run: 'true'\n");
    write("bad.yaml", "runn: 'true'\n");
    EXPECT_EQ(run({"spec", "check", "good.yaml"}).code, 0);
    const Run bad = run({"spec", "check", "good.yaml", "bad.yaml"});
    EXPECT_EQ(bad.code, 2);
    EXPECT_TRUE(bad.err.contains("bad.yaml")) << bad.err;
}

TEST_F(CliTest, SwitchesContexts) {
    run({"version", "--client"});
    variables_.clear();
    write("key", "sk-1\n");
    EXPECT_EQ(
        run({"context", "create", "a", "--endpoint", "http://a:1", "--key-file", "key"}).code, 0
    );
    EXPECT_EQ(
        run({"context", "create", "b", "--endpoint", "http://b:1", "--key-file", "-"}, "sk-2\n")
            .code,
        0
    );
    EXPECT_EQ(run({"context", "use", "a"}).code, 0);
    EXPECT_EQ(
        run({"context", "list", "--jq", ".contexts[] | select(.current) | .name"}).out, "a\n"
    );
    EXPECT_EQ(
        run({"config", "list", "--jq", ".settings[] | select(.name == \"key\") | .value"}).out,
        "(set)\n"
    );
}

}  // namespace
}  // namespace penstock::cli
