// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "dialects/stream.h"
#include "gateway/api_answer.h"
#include "gateway/call.h"
#include "gateway/continuation.h"
#include "gateway/engine_ask.h"
#include "gateway/left_streams.h"
#include "gateway/stream_losses.h"
#include "gateway/told_pieces.h"
#include "http/client.h"
#include "http/message.h"
#include "http/sse.h"

namespace penstock::gateway {

// Carries one streamed answer from an engine to a client of any dialect, frame by frame: one write
// each. In the same dialect bytes pass through but for the model's name; else they are converted.
// What the client's dialect has no word for is named in the stream, or ends it before any of it is
// lost. An engine that dies is told in the client's words and by a cut connection; no end is made
// up.
class DialectStream {
  public:
    static constexpr std::size_t kFrameBytesMax = 1024UL * 1024;
    // After the end the rest is read for this long, so that the engine's connection can be used
    // again.
    static constexpr Duration kDrainFor = 1s;

    struct Options {
        dialects::Dialect engine = dialects::Dialect::chat;
        dialects::Dialect client = dialects::Dialect::chat;
        dialects::AnswerContext context;
        io::Deadline deadline;
        std::string opening;  // what was read of the stream already
        // Keeps the answer of a stateful Responses call, before its last event is sent.
        std::function<io::Task<ApiResult<void>>(std::string response)> keep = {};
        std::optional<Duration> read_timeout = {};  // silence of the engine that is a failure
        bool is_kept = true;  // may be given again; what its headers name would be forgotten
        bool drops = false;   // goes on without what the client's dialect cannot say
        std::unique_ptr<StreamContinuation> continuation = {};  // null: the call's policy is to end
    };
    DialectStream(
        std::unique_ptr<Call> call, http::ResponseStream upstream, http::ClientWatch client,
        Options options
    );

    // The body of the response; ends the call.
    static io::Task<void> run(std::unique_ptr<DialectStream> self, http::BodyWriter writer);

  private:
    using End = std::optional<EndReason>;  // nothing: go on

    io::Task<EndReason> pump(http::BodyWriter writer);
    io::Task<End> take(std::string_view bytes, http::BodyWriter writer);
    io::Task<End> pass(
        std::string_view name, std::string_view data, std::string_view raw, http::BodyWriter writer
    );
    io::Task<End> send(const dialects::StreamFrame* frame, http::BodyWriter writer);
    // Before the end of a stream that told no usage: the gateway's own count, as the bill has it.
    io::Task<void> add_own_usage(dialects::StreamFrame* frame);
    // What the call costs, and whose the count is, into the bytes that end the stream.
    void tell_use();
    // Another engine may go on, where there is one and time is left.
    io::Task<EndReason> go_on(EndReason broken_by, http::BodyWriter writer);
    // The engine's usage, of a stream that its client has left.
    io::Task<void> read_on();
    LeftStreams::Came read_left(std::string_view bytes);
    LeftStreams::Came read_left_event(std::string_view name, std::string_view data);
    io::Task<void> tell_error(EndReason reason, http::BodyWriter writer);
    // Whether what the frame lost ends the stream.
    bool refuses(const dialects::Losses& losses);
    // What ends the stream is none of the engine's fault, and told as `error`.
    void spare_engine(const routing::ApiError& error);
    bool converts() const { return options_.engine != options_.client; }
    // The frame as it came, with the client's name of the model.
    std::string renamed(
        const dialects::StreamFrame& frame, std::string_view name, std::string_view data,
        std::string_view raw
    ) const;

    std::unique_ptr<Call> call_;
    http::ResponseStream upstream_;
    http::ClientWatch client_;
    Options options_;
    std::unique_ptr<dialects::StreamReader> reader_;
    std::unique_ptr<dialects::StreamWriter> writer_;
    ToldPieces told_;
    http::SseParser events_{kFrameBytesMax};
    LineParser lines_{kFrameBytesMax};
    std::string out_;
    std::string problem_;                             // what the client is told; empty: the usual
    std::optional<dialects::StreamFailure> failure_;  // of a class of its own
    StreamLosses losses_;
    std::string held_error_;   // the engine's own, that another engine may spare the client
    bool usage_seen_ = false;  // the engine's
    bool own_usage_ = false;
    bool ended_ = false;
    bool error_passed_ = false;  // the engine's own error event
};

}  // namespace penstock::gateway
