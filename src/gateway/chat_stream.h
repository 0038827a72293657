// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "gateway/attempts.h"
#include "gateway/call.h"
#include "gateway/continuation.h"
#include "gateway/left_streams.h"
#include "http/client.h"
#include "http/message.h"
#include "http/sse.h"
#include "routing/chat_chunk_reader.h"

namespace penstock::gateway {

// Carries one streamed answer from the engine to the client, event by event: one write each,
// nothing kept back, at most one event in memory. The model's name is put back and the usage chunk
// that only the gateway asked for is left out. An engine that dies is told to the client as an
// error event and a cut connection; [DONE] and finish reasons are never made up.
class ChatStream {
  public:
    static constexpr std::size_t kEventBytesMax = 1024UL * 1024;
    // After [DONE] the rest is read for this long, so that the engine's connection can be used
    // again.
    static constexpr Duration kDrainFor = 1s;

    struct Options {
        bool include_usage = false;  // the client wants the usage chunk
        io::Deadline deadline;
        std::optional<Duration> read_timeout = {};  // silence of the engine that is a failure
        std::unique_ptr<StreamContinuation> continuation = {};  // null: the call's policy is to end
    };
    ChatStream(
        std::unique_ptr<Call> call, OpenedStream upstream, http::ClientWatch client, Options options
    );

    // The body of the response; ends the call.
    static io::Task<void> run(std::unique_ptr<ChatStream> self, http::BodyWriter writer);

  private:
    // An event that the client's socket has not taken whole; its views point into the parser.
    struct Undelivered {
        http::SseParser::Event event;
        routing::ChatChunk chunk;
    };

    io::Task<EndReason> pump(http::BodyWriter writer);
    // The steps of pump(), each without waiting; what they give ends the stream.
    std::optional<EndReason> pass_on(http::BodyWriter writer);
    // One event of it; where the client must be waited for, it is `undelivered_` then.
    std::optional<EndReason> pass_event(
        const http::SseParser::Event& event, const routing::ChatChunk& chunk,
        http::BodyWriter writer
    );
    // The end of a stream whose usage is the gateway's own count, which a thread has to make.
    io::Task<std::optional<EndReason>> count_and_pass(http::BodyWriter writer);
    bool must_count(const routing::ChatChunk& chunk) const;
    void push(http::BodyWriter writer);
    std::optional<EndReason> on_received(const Result<std::size_t>& came);
    std::optional<EndReason> feed(const Result<std::string_view>& piece);
    // The rest of an event for a client that reads slowly.
    io::Task<std::optional<EndReason>> flush(http::BodyWriter writer);
    io::Deadline patience() const;
    io::Task<void> end(EndReason reason, http::BodyWriter writer);
    // The engine's usage, of a stream that its client has left.
    io::Task<void> read_on();
    LeftStreams::Came read_left(std::string_view bytes);
    // The usage of a chunk, and its words where they contradict themselves.
    void report(const routing::ChatChunk& chunk, std::string_view data);
    // Whether another engine may go on: there is one, and time is left.
    bool may_go_on(EndReason broken_by) const;
    io::Task<EndReason> go_on(EndReason broken_by, http::BodyWriter writer);
    // Writes `rewritten` where the event cannot pass as it came.
    std::string_view meet(
        const http::SseParser::Event& event, const routing::ChatChunk& chunk, std::string& rewritten
    );
    // The client asked for the usage: what of it the event tells, or the gateway's own before the
    // end of a stream without one. Writes `rewritten` if it must.
    std::string_view with_usage(
        std::string_view bytes, const http::SseParser::Event& event,
        const routing::ChatChunk& chunk, std::string& rewritten
    );
    void on_delivered(const http::SseParser::Event& event, const routing::ChatChunk& chunk);
    EndReason end_of(const Error& error);
    io::Task<void> tell_error(EndReason reason, http::BodyWriter writer);
    void note_received(std::string_view data);
    bool rewrites_model(const routing::ChatChunk& chunk, std::string_view data) const;

    std::unique_ptr<Call> call_;
    http::ResponseStream upstream_;
    http::ClientWatch client_;
    const io::Deadline deadline_;
    const std::optional<Duration> read_timeout_;
    std::unique_ptr<StreamContinuation> continuation_;
    http::SseParser parser_{kEventBytesMax};
    routing::ChatChunkReader chunks_;
    std::unique_ptr<Undelivered> undelivered_;
    std::unique_ptr<Undelivered> uncounted_;
    std::string held_error_;  // the engine's own, that another engine may spare the client
    std::unique_ptr<dialects::StreamReader> reader_;  // where another engine may go on
    const bool include_usage_;
    bool token_seen_ = false;       // the call knows too, but each frame would have to fetch it
    bool first_token_met_ = false;  // and not learned from yet
    bool usage_told_ = false;
    bool done_seen_ = false;
    bool finish_seen_ = false;
    bool error_passed_ = false;  // the engine's own error event
};

}  // namespace penstock::gateway
