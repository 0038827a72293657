// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"
#include "dialects/documents.h"
#include "dialects/stream.h"
#include "gateway/answer_so_far.h"
#include "gateway/call.h"
#include "gateway/call_input.h"
#include "gateway/call_trace.h"
#include "gateway/engine_ask.h"
#include "gateway/gateway.h"
#include "gateway/stream_losses.h"
#include "http/client.h"
#include "http/message.h"
#include "routing/route_wishes.h"
#include "telemetry/metrics.h"

namespace penstock::gateway {

class SecondHalf;

// What streams that may be continued share; lives as long as the gateway.
struct ContinuationParts {
    // Second attempts at one time: an engine that dies with all its streams does not bury the
    // others.
    static constexpr std::int64_t kRunningMax = 256;

    CallParts& calls;
    http::Client& upstream;
    IdSource& ids;
    Random& random;
    telemetry::Registry& registry;
    std::int64_t running = 0;
};

// The request for an engine that goes on with `text` in the way that its endpoint names; `left` is
// what remains of the bound on the output. Nothing where the engine's dialect cannot say all of it
// and the call does not go without.
struct AskedOn {
    const dialects::Request* request = nullptr;
    const Endpoint* endpoint = nullptr;
    std::string_view text;
    std::int64_t left = 0;
    bool drops = false;
};
std::optional<std::string> body_to_go_on(const AskedOn& asked);

// Why no other engine can go on with the answer to this request, whatever happens: the name of the
// field that asks for more than plain text. Empty: one can.
std::string obstacle_in(const dialects::Request& request);

// Lets another engine go on with the streamed answer of one call whose policy says so, once
// (docs/continuation.md). Its owner tells it what the client received, and that the engine broke
// off. The gateway's thread.
class StreamContinuation {
  public:
    struct Options {
        dialects::Dialect client = dialects::Dialect::chat;
        dialects::Request request;
        std::string body;      // the client's, as it was admitted
        http::Headers passed;  // version and betas of Anthropic's API
        CallTrace trace;
        CallLimits limits;
        routing::RouteWishes wishes;
        bool drops = false;    // goes without what the engine's dialect cannot say
        std::string obstacle;  // the field by which the request cannot be understood; empty: it is
        dialects::AnswerContext context;
        io::Deadline deadline;
    };
    StreamContinuation(ContinuationParts& parts, Options options);
    ~StreamContinuation();

    // The field that keeps this call from being continued; empty: none.
    const std::string& obstacle() const { return in_request_; }

    // A frame that the client's socket took, of the first engine.
    void received(const dialects::StreamFrame& frame) { so_far_.add(frame); }

    // The engine broke off or fell silent. Answers how the call ends: where nobody can go on, as
    // it was broken, and why_not() says why.
    struct Broken {
        Call* call = nullptr;
        EndReason by = EndReason::upstream_error;
        http::ClientWatch client;
        dialects::StreamWriter* writer = nullptr;  // the client's; null: bytes passed through
        const StreamLosses* losses = nullptr;      // of the first engine's answer
        // Keeps the answer of a stateful Responses call, before its last event is sent.
        std::function<io::Task<ApiResult<void>>(std::string response)> keep = {};
    };
    io::Task<EndReason> go_on(Broken broken, http::BodyWriter writer);
    const std::string& why_not() const { return why_not_; }

  private:
    using End = std::optional<EndReason>;  // nothing: go on
    struct Next {
        routing::EndpointPool::Choice choice;
        std::shared_ptr<const Route> route;
        http::ClientRequest request;
        std::string left_out;
    };
    std::string obstacle_now(EndReason by) const;
    std::optional<Next> choose(EndReason by);
    void count(std::string_view outcome) const;
    Duration silence_max() const;

    io::Task<EndReason> carry(EngineAsk ask, http::BodyWriter writer);
    io::Task<EndReason> pump(http::BodyWriter writer);
    io::Task<End> take(std::string_view bytes, http::BodyWriter writer);
    io::Task<End> pass(std::string_view name, std::string_view data, http::BodyWriter writer);
    io::Task<End> finish(http::BodyWriter writer);
    io::Task<End> send(http::BodyWriter writer);
    void mark_beginning();
    dialects::Json beginning() const;
    dialects::Json attempts() const;

    ContinuationParts& parts_;
    Options options_;
    std::string in_request_;
    AnswerSoFar so_far_;
    std::string why_not_;
    // Of the second attempt:
    Broken broken_;
    std::string provider_before_;
    std::unique_ptr<dialects::StreamWriter> own_writer_;
    dialects::StreamWriter* writer_ = nullptr;
    dialects::Dialect engine_ = dialects::Dialect::chat;
    std::optional<http::ResponseStream> upstream_;
    std::unique_ptr<dialects::StreamReader> reader_;
    std::unique_ptr<SecondHalf> half_;
    http::SseParser events_{kFrameBytesMax};
    LineParser lines_{kFrameBytesMax};
    std::string opening_;
    std::string out_;
    StreamLosses losses_;
    bool marked_ = false;
    bool ended_ = false;

    static constexpr std::size_t kFrameBytesMax = 1024UL * 1024;
    static constexpr Duration kDrainFor = 1s;
};

// x-penstock-stream-failure, and why this call cannot be continued; nothing where `continuation` is
// null.
void describe_continuation(http::Response& response, const StreamContinuation* continuation);

// Whether whoever reads a stream that ended so is told, in the stream: it may still be there.
bool is_told(EndReason reason);
// What a client is told of a stream that ends before the answer does. `silence`: the engine's, that
// was too long.
dialects::StreamFailure failure_of(
    EndReason reason, std::optional<Duration> silence, std::string_view why_not
);

}  // namespace penstock::gateway
