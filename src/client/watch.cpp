// SPDX-License-Identifier: Apache-2.0
#include "client/watch.h"

#include <charconv>

namespace penstock::client {

Watch::Watch(Connection& connection, std::string path, http::Query query, std::int64_t since)
    : connection_(connection), path_(std::move(path)), query_(std::move(query)), cursor_(since) {}

io::Task<Result<void>> Watch::connect() {
    http::Query query = query_;
    http::Headers headers{{"Accept", "text/event-stream"}, {"Cache-Control", "no-store"}};
    if (cursor_ >= 0) {
        query.add("since", std::to_string(cursor_));
        headers.set("Last-Event-ID", std::to_string(cursor_));
    }
    stream_ =
        CO_TRY(co_await connection_.open({.path = path_, .query = std::move(query)}, headers));
    parser_ = http::SseParser();
    co_return Result<void>();
}

std::optional<Watch::Message> Watch::take() {
    while (const auto event = parser_.next()) {
        if (event->event == "end") {
            ended_ = true;
            return std::nullopt;
        }
        Message message{cursor_, std::string(event->event), std::string(event->data)};
        const std::string_view id = event->id;
        std::int64_t cursor = 0;
        const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), cursor);
        if (error == std::errc{} && end == id.data() + id.size()) {
            if (cursor <= cursor_) continue;
            cursor_ = message.cursor = cursor;
        }
        return message;
    }
    return std::nullopt;
}

io::Task<Result<std::optional<Watch::Message>>> Watch::next() {
    while (true) {
        if (stream_)
            if (std::optional<Message> message = take()) {
                failures_ = 0;
                co_return message;
            }
        if (ended_) co_return std::optional<Message>();
        Result<void> step;
        if (!stream_) {
            step = co_await connect();
        } else {
            const Result<std::string_view> bytes =
                co_await stream_->read(io::Deadline::after(kWatchSilenceMax));
            if (bytes && !bytes->empty())
                step = parser_.feed(*bytes);
            else if (bytes)
                step = fail(ErrorCode::unavailable, "the stream ended before its end event");
            else
                step = std::unexpected(bytes.error());
        }
        if (step) continue;
        stream_.reset();
        const ErrorCode code = step.error().code;
        const bool transient =
            code == ErrorCode::unavailable || code == ErrorCode::deadline_exceeded;
        if (!transient || ++failures_ >= kWatchTriesMax)
            co_return std::unexpected(std::move(step.error()));
        ++reconnects_;
        co_await io::sleep_for(connection_.backoff(failures_));
    }
}

}  // namespace penstock::client
