// SPDX-License-Identifier: Apache-2.0
#include "gateway/attempts.h"

#include "gateway/call_input.h"
#include "io/event.h"
#include "io/task_group.h"
#include "routing/attempt_plan.h"

namespace penstock::gateway {
namespace {

using Outcome = EngineAnswer::Outcome;

std::unexpected<routing::ApiError> refuse(routing::ApiError error) {
    return std::unexpected(std::move(error));
}

}  // namespace

void Attempts::on_call(std::string_view model) {
    if (routing::RetryBudget* budget = parts_.calls.endpoints.retries(model)) budget->on_call();
}

io::Task<bool> Attempts::wait_for_retry(const Call* call, int number, io::Deadline deadline) {
    routing::RetryBudget* budget = parts_.calls.endpoints.retries(call->model());
    if (budget == nullptr || !budget->try_retry()) co_return false;
    const std::optional<Duration> wait =
        routing::back_off(number, std::nullopt, deadline.remaining(), parts_.random);
    if (!wait) co_return false;
    co_await io::sleep_for(*wait);
    co_return true;
}

io::Task<bool> Attempts::run(Plan plan, std::optional<Answer>* answer) {
    Call* const call = plan.call;
    const io::Deadline deadline = plan.ask.deadline;
    return judge(call, deadline, ask(std::move(plan)), answer);
}

// Without a frame of its own, which would keep the plan while the engine works.
io::Task<EngineAnswer> Attempts::ask(Plan plan) {
    EngineAsk& ask = plan.ask;
    ask.first_content = io::earlier(
        ask.deadline,
        io::Deadline::after(routing::first_content_within(plan.number, ask.deadline.remaining()))
    );
    if (ask.streamed && plan.number == 0 && parts_.options.hedge) {
        const std::optional<Duration> after =
            parts_.calls.endpoints.hedge_after(plan.call->model(), parts_.calls.clock.now());
        if (after) return ask_hedged(std::move(plan), *after);
    }
    return ask_engine(&parts_.upstream, std::move(ask));
}

io::Task<bool> Attempts::judge(
    Call* call, io::Deadline deadline, io::Task<EngineAnswer> asked, std::optional<Answer>* answer
) {
    EngineAnswer came = co_await std::move(asked);
    bool retryable = false;
    answer->emplace(read_outcome(*call, std::move(came), deadline, retryable));
    co_return retryable;
}

Attempts::Answer Attempts::read_outcome(
    Call& call, EngineAnswer answer, io::Deadline deadline, bool& retryable
) {
    const std::string provider = call.route().endpoint.provider;
    switch (answer.outcome) {
        case Outcome::answered:
            retryable = is_retryable(answer.stream->status());
            if (retryable) {
                const int status = answer.stream->status();
                const bool works = status == 408 || status == 409 || status == 429;
                call.end_attempt(
                    {.outcome = works ? routing::AttemptOutcome::answered
                                      : routing::AttemptOutcome::failed}
                );
            }
            return OpenedStream{
                *std::move(answer.stream), answer.streams, std::move(answer.opening)
            };
        case Outcome::unreachable:
            retryable = true;
            call.end_attempt({.outcome = routing::AttemptOutcome::failed});
            return refuse(
                engine_failure(502, "the engine of provider '" + provider + "' cannot be reached")
            );
        case Outcome::broken:
            retryable = true;
            call.end_attempt({.outcome = routing::AttemptOutcome::failed});
            return refuse(engine_failure(
                502, "the engine of provider '" + provider + "' broke off before it said anything"
            ));
        case Outcome::late:
            break;
    }
    // The call's own deadline says nothing of the engine; that it was silent for so long does.
    retryable = !deadline.passed();
    call.end_attempt({.outcome = routing::AttemptOutcome::failed});
    return refuse(deadline_passed("the engine answered"));
}

// ---- two engines at once ----

struct Attempts::Race {
    Race(io::Executor executor, Call* of) : changed(std::move(executor)), call(of) {}
    // Whatever ends the race, what the second engine was asked for is accounted for.
    ~Race() {
        if (second_choice) call->book_lost(*second_choice, second_started, second_id);
    }
    Race(const Race&) = delete;
    Race& operator=(const Race&) = delete;

    bool settled() const {
        if ((first && first->is_content()) || (second && second->is_content())) return true;
        return first && (!second_choice || second);
    }

    std::optional<EngineAnswer> first;
    std::optional<EngineAnswer> second;
    io::Event changed;
    Call* call;
    std::optional<routing::EndpointPool::Choice> second_choice;
    Duration second_started{};
    RequestId second_id;
};

namespace {

io::Task<void> ask_into(
    http::Client* client, EngineAsk ask, std::optional<EngineAnswer>* out, io::Event* changed
) {
    out->emplace(co_await ask_engine(client, std::move(ask)));
    changed->notify_all();
}

}  // namespace

io::Task<void> Attempts::run_race(io::TaskGroup* group, Plan* plan, Duration after, Race* race) {
    EngineAsk another{
        .engine = plan->ask.engine,
        .streamed = true,
        .deadline = plan->ask.deadline,
        .first_content = plan->ask.first_content,
    };
    group->spawn(ask_into(&parts_.upstream, std::move(plan->ask), &race->first, &race->changed));
    const io::Deadline patience = io::Deadline::after(after);
    while (!race->first && co_await race->changed.wait(patience)) {
    }
    routing::RetryBudget* budget = parts_.calls.endpoints.retries(plan->call->model());
    if (!race->first && budget != nullptr && budget->try_retry()) {
        if (std::optional<Second> second = plan->second()) {
            race->second_choice = second->choice;
            race->second_started = parts_.calls.clock.monotonic();
            race->second_id = parts_.ids.next<RequestId>(parts_.calls.clock.now());
            another.request = std::move(second->request);
            group->spawn(
                ask_into(&parts_.upstream, std::move(another), &race->second, &race->changed)
            );
        }
    }
    while (!race->settled()) co_await race->changed.wait();
}

io::Task<EngineAnswer> Attempts::ask_hedged(Plan plan, Duration after) {
    Race race(parts_.executor, plan.call);
    co_await io::with_group("attempts", [this, &plan, after, &race](io::TaskGroup* group) {
        return run_race(group, &plan, after, &race);
    });
    if (!race.second_choice) co_return *std::move(race.first);
    const bool wins =
        race.second && race.second->is_content() && !(race.first && race.first->is_content());
    parts_.calls.metrics.on_hedge(wins);
    if (wins) {
        const bool failed = race.first.has_value();
        plan.call->replace_attempt(
            {.choice = *std::exchange(race.second_choice, std::nullopt),
             .started = race.second_started,
             .lost_id = race.second_id,
             .lost = !failed}
        );
        co_return *std::move(race.second);
    }
    if (race.second)  // it failed by itself
        parts_.calls.endpoints.finish(
            *std::exchange(race.second_choice, std::nullopt), routing::AttemptOutcome::failed,
            parts_.calls.clock.now()
        );
    co_return *std::move(race.first);
}

}  // namespace penstock::gateway
