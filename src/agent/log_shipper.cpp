// SPDX-License-Identifier: Apache-2.0
#include "agent/log_shipper.h"

#include "json/json.h"

namespace penstock::agent {
namespace {

LogStream stream_named(std::string_view name) {
    if (name == "stdout") return LogStream::stdout_;
    if (name == "stderr") return LogStream::stderr_;
    return LogStream::system;
}

}  // namespace

io::Task<void> LogShipper::ship(AttemptRun* run) {
    const AttemptRun::Pin pin(run);
    const std::string attempt = run->id();
    Shipment& shipment =
        shipments_.try_emplace(run->record().attempt_id, context_.executor, run->record().log)
            .first->second;
    run->log_sent(false);
    Duration quiet{0};
    while (socket_.is_open()) {
        if (run->record().phase == AttemptPhase::released) co_return;
        const bool may_come = run->has_log() || run->record().phase != AttemptPhase::ended;
        if (!run->has_log() && !may_come) co_return run->log_done();
        if (!run->has_log() || shipment.window.full()) {
            co_await shipment.changed.wait(io::Deadline::after(kPollEvery));
            continue;
        }
        const LogPosition from = shipment.window.next();
        Result<drivers::LogChunk> chunk = co_await context_.engine.run([&] {
            return context_.driver.read_log(attempt, from.byte, kChunkBytesMax);
        });
        if (shipment.window.next() != from)
            continue;  // the server asked for another place meanwhile
        if (!chunk && chunk.error().code == ErrorCode::not_found &&
            run->record().phase == AttemptPhase::ended)
            co_return run->log_done();
        if (chunk && !chunk->lines.empty()) {
            quiet = Duration{0};
            const bool complete = chunk->complete;
            if (!co_await send(run, *std::move(chunk))) co_return;
            if (complete) run->log_sent(true);
            continue;
        }
        if (chunk && chunk->complete) {
            run->log_sent(true);
            if (shipment.window.drained()) co_return run->log_done();
        }
        co_await shipment.changed.wait(
            io::Deadline::after(quiet < kPollIdle * 10 ? kPollEvery : kPollIdle)
        );
        quiet += kPollEvery;
    }
}

io::Task<bool> LogShipper::send(AttemptRun* run, drivers::LogChunk chunk) {
    Shipment& shipment = shipments_.at(run->record().attempt_id);
    const LogPosition from = shipment.window.next();
    const auto lines = static_cast<std::int64_t>(chunk.lines.size());
    const LogPosition end{from.line + lines, chunk.next_offset};
    std::int64_t at = shipment.window.known(lines);
    shipment.window.passed(end);  // first, so that an answer that comes while we send finds it
    while (at < lines) {
        AgentMessage message;
        LogBatch& batch = message.logs.emplace();
        batch.attempt_id = run->record().attempt_id;
        batch.fence = run->record().fence;
        batch.offset = from.line + at;
        while (at < lines && batch.lines.size() < kBatchLinesMax) {
            drivers::LogLine& line = chunk.lines[static_cast<std::size_t>(at++)];
            batch.lines.push_back(
                {.at = line.at,
                 .item = run->record().start ? run->record().start->item : 0,
                 .attempt = run->record().fence,
                 .stream = stream_named(line.stream),
                 .text = std::move(line.text)}
            );
        }
        const Result<void> sent = co_await socket_.send_text(json::print(message));
        if (!sent) co_return false;
    }
    run->log_stored(shipment.window.stored());
    co_return true;
}

void LogShipper::acknowledged(AttemptRun& run, std::int64_t line) {
    const auto found = shipments_.find(run.record().attempt_id);
    if (found == shipments_.end()) return;
    found->second.window.acknowledged(line);
    run.log_stored(found->second.window.stored());
    found->second.changed.notify_all();
}

}  // namespace penstock::agent
