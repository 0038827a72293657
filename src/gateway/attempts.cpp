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

OpenedStream opened(EngineAnswer answer) {
    return {*std::move(answer.stream), answer.streams, std::move(answer.opening)};
}

// Of an answer after which another engine may be asked; else nothing.
std::optional<Call::Failure> failure_of(const EngineAnswer& answer, Duration lasted) {
    Call::Failure failure{.status = answer.stream ? answer.stream->status() : 0};
    if (answer.outcome == Outcome::answered) {
        if (!is_retryable(failure.status)) return std::nullopt;
        failure.reason = end_of_refusal(failure.status);
        const bool works = failure.status == 408 || failure.status == 409 || failure.status == 429;
        if (works) failure.outcome = routing::AttemptOutcome::answered;
    } else if (answer.outcome == Outcome::late) {
        failure.reason = EndReason::timeout;
        // Without an answer it is known to have been reached when there was a connection by then.
        failure.worked = answer.stream || lasted >= kEngineConnectMax;
    }
    return failure;
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

io::Task<bool> Attempts::wait_as_told(
    int number, const std::optional<Answer>* last, io::Deadline deadline
) {
    if (number == 0 || !*last || !**last) co_return false;
    const http::ResponseStream& stream = (**last)->stream;
    if (stream.status() != 429 && shown_fault(stream.status()) != 503) co_return false;
    const std::optional<Duration> told = retry_after_of(stream.headers());
    if (!told) co_return false;
    const std::optional<Duration> wait =
        routing::back_off(number, told, deadline.remaining(), parts_.random);
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
    ask.answer = io::earlier(
        ask.deadline,
        io::Deadline::after(routing::attempt_within(plan.number, ask.deadline.remaining()))
    );
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
    const std::optional<Call::Failure> failure = failure_of(answer, call.attempt_lasted());
    if (!failure) return opened(std::move(answer));
    call.fail_attempt(*failure);
    // The call's own deadline says nothing of the engine; that it was silent for so long does.
    retryable = answer.outcome != Outcome::late || !deadline.passed();
    switch (answer.outcome) {
        case Outcome::answered:
            return opened(std::move(answer));
        case Outcome::unreachable:
            return refuse(
                engine_failure(502, "the engine of provider '" + provider + "' cannot be reached")
            );
        case Outcome::broken:
            return refuse(engine_failure(
                502, "the engine of provider '" + provider + "' broke off before it said anything"
            ));
        case Outcome::late:
            break;
    }
    return refuse(deadline_passed("the engine answered"));
}

// ---- two engines at once ----

struct Attempts::Race {
    Race(io::Executor executor, Call* of) : changed(std::move(executor)), call(of) {}
    // Whatever ends the race, what the second engine was asked for is accounted for.
    ~Race() {
        if (beside) call->book_lost(*std::move(beside));
    }
    Race(const Race&) = delete;
    Race& operator=(const Race&) = delete;

    bool settled() const {
        if ((first && first->is_content()) || (second && second->is_content())) return true;
        return first && (!beside || second);
    }

    std::optional<EngineAnswer> first;
    std::optional<EngineAnswer> second;
    io::Event changed;
    Call* call;
    std::optional<Call::Beside> beside;  // the second one's
};

namespace {

// Of one that another engine answered beside: also where its status would be told to the client.
Call::Failure failure_beside(const EngineAnswer& answer, Duration lasted) {
    if (const std::optional<Call::Failure> failure = failure_of(answer, lasted)) return *failure;
    const int status = answer.stream->status();
    return {
        .reason = end_of_refusal(status),
        .status = status,
        .outcome = routing::AttemptOutcome::answered
    };
}

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
            race->beside = plan->call->beside(second->choice);
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
    if (!race.beside) co_return *std::move(race.first);
    const bool wins =
        race.second && race.second->is_content() && !(race.first && race.first->is_content());
    parts_.calls.metrics.on_hedge(wins);
    Call& call = *plan.call;
    if (wins) {
        std::optional<Call::Failure> failed;
        if (race.first) failed = failure_beside(*race.first, call.attempt_lasted());
        call.replace_attempt(*std::exchange(race.beside, std::nullopt), failed);
        co_return *std::move(race.second);
    }
    if (race.second && !race.second->is_content()) {
        Call::Beside beside = *std::exchange(race.beside, std::nullopt);
        const Duration lasted = parts_.calls.clock.monotonic() - beside.started;
        call.book_failed(std::move(beside), failure_beside(*race.second, lasted));
    }
    co_return *std::move(race.first);
}

}  // namespace penstock::gateway
