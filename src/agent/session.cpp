// SPDX-License-Identifier: Apache-2.0
#include "agent/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "json/json.h"

namespace penstock::agent {

Session::Session(
    Context& context, Attempts& attempts, devices::LoadSampler& load,
    std::unique_ptr<http::WebSocket> socket
)
    : context_(context),
      attempts_(attempts),
      load_(load),
      socket_(std::move(socket)),
      logs_(context, *socket_),
      tasks_(context.executor, "agent session") {}

io::Task<Result<void>> Session::send(const AgentMessage& message) {
    return socket_->send_text(json::print(message));
}

io::Task<Result<void>> Session::run(AgentHello hello) {
    const ServerWelcome welcome = CO_TRY(co_await greet(std::move(hello)));
    welcomed_ = true;
    context_.connected = true;
    context_.log.info("connected", {{"site", welcome.site}, {"node", to_string(welcome.node_id)}});
    if (welcome.acknowledged_seq > context_.outbox.highest())
        attempts_.renumber(welcome.acknowledged_seq);
    else
        attempts_.acknowledge(welcome.acknowledged_seq);
    acknowledged_ = welcome.acknowledged_seq;
    tasks_.spawn(heartbeats(context_.options.heartbeat_every.value_or(welcome.heartbeat_every)));
    tasks_.spawn(reports());
    for (AttemptRun* run : attempts_.unreleased()) tasks_.spawn(logs_.ship(run));
    attempts_.on_new = [this](AttemptRun& run) { tasks_.spawn(logs_.ship(&run)); };
    Result<void> ended = co_await receive();
    attempts_.on_new = nullptr;
    context_.connected = false;
    socket_->abort();
    co_await tasks_.close();
    co_return ended;
}

io::Task<Result<ServerWelcome>> Session::greet(AgentHello hello) {
    AgentMessage first;
    first.hello = std::move(hello);
    CO_TRY(co_await send(std::move(first)));
    const io::Deadline last = io::Deadline::after(kWelcomeMax);
    for (;;) {
        const auto answer = CO_TRY(co_await io::with_deadline(socket_->receive(), last));
        if (!answer)
            co_return fail(
                ErrorCode::unavailable,
                fmt::format("the server closed the session: {}", socket_->close_reason())
            );
        const ServerMessage message = CO_TRY(json::parse<ServerMessage>(answer->data));
        if (message.welcome) co_return *message.welcome;
        handle(message);  // a stop of what the hello told may overtake the welcome
    }
}

io::Task<Result<void>> Session::receive() {
    for (;;) {
        const std::optional<http::WebSocket::Message> frame = CO_TRY(co_await socket_->receive());
        if (!frame) co_return Result<void>{};
        const Result<ServerMessage> message = json::parse<ServerMessage>(frame->data);
        // Another version of the server says something that this one cannot know: going on without
        // it would lose a command, so the session starts again and the log shows it.
        if (!message)
            co_return fail(
                ErrorCode::invalid_argument, "not understood: " + message.error().message
            );
        handle(*message);
    }
}

void Session::handle(const ServerMessage& message) {
    if (message.start) attempts_.start(*message.start);
    if (message.stop) attempts_.stop(*message.stop);
    if (message.go) attempts_.go(*message.go);
    if (message.ack) {
        acknowledged_ = std::max(acknowledged_, message.ack->seq);
        attempts_.acknowledge(message.ack->seq);
        context_.outbox_changed.notify_all();
    }
    if (message.log_ack)
        if (AttemptRun* run = attempts_.find(message.log_ack->attempt_id))
            logs_.acknowledged(*run, message.log_ack->offset);
}

io::Task<void> Session::heartbeats(Duration every) {
    every = std::clamp(every, Duration(100ms), kNodeLostAfter / 2);
    for (;;) {
        AgentMessage message;
        AgentHeartbeat& beat = message.heartbeat.emplace();
        const Result<devices::Load> load =
            co_await context_.files.run([this] { return load_.sample(); });
        beat.attempts = attempts_.running();
        beat.load.at = context_.clock.now();
        beat.load.attempts_running = static_cast<std::int64_t>(beat.attempts.size());
        if (load) {
            beat.load.cpu_percent = load->cpu_percent;
            beat.load.memory_percent = load->memory_percent;
            beat.load.load_average = load->load_average;
        }
        beat.health_reason = context_.device_problem;
        if (!context_.save_problem.empty())
            beat.health_reason += (beat.health_reason.empty() ? "" : "; ") +
                                  ("state cannot be saved: " + context_.save_problem);
        if (!beat.health_reason.empty()) beat.health = Health::degraded;
        const Result<void> sent = co_await send(std::move(message));
        if (!sent) co_return socket_->abort();
        co_await io::sleep_for(every);
    }
}

// Everything that is not acknowledged goes out again with every session, in the order of its
// numbers.
io::Task<void> Session::reports() {
    std::int64_t sent = acknowledged_;
    std::int64_t in_flight = 0;
    for (;;) {
        const AttemptReport* next = context_.outbox.next_after(sent);
        if (acknowledged_ >= sent) in_flight = 0;
        if (next == nullptr || in_flight >= kReportsInFlightMax) {
            co_await context_.outbox_changed.wait();
            continue;
        }
        AgentMessage message;
        message.report = *next;
        sent = next->seq;
        ++in_flight;
        const Result<void> done = co_await send(std::move(message));
        if (!done) co_return socket_->abort();
    }
}

}  // namespace penstock::agent
