// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/id.h"
#include "gateway/api_answer.h"
#include "gateway/attempts.h"
#include "gateway/authenticator.h"
#include "gateway/call.h"
#include "gateway/call_cache.h"
#include "gateway/call_input.h"
#include "gateway/call_prompt.h"
#include "gateway/call_trace.h"
#include "gateway/continuation.h"
#include "gateway/gateway.h"
#include "gateway/held_calls.h"
#include "http/client.h"
#include "http/message.h"
#include "routing/chat_request.h"

namespace penstock::gateway {

class DialectCalls;

// POST /v1/chat/completions, for engines that speak it. One deadline covers all of a call; another
// endpoint is tried only before the client has received anything.
class ChatCompletions {
  public:
    static constexpr int kAttemptsMax = 3;
    static constexpr std::size_t kErrorBodyMax = 64UL * 1024;  // of an engine's refusal, passed on

    struct Parts {
        CallParts& calls;
        Authenticator& authenticator;
        Attempts& attempts;
        http::Client& upstream;
        IdSource& ids;
        Random& random;
        const GatewayOptions& options;
        const bool& routes_known;
        HeldCalls& held;
        CallCache& cache;
        ContinuationParts& continuations;
    };
    explicit ChatCompletions(Parts parts) : parts_(parts) {}

    // Who serves a model none of whose engines speaks this dialect.
    void convert_with(DialectCalls& converted) { converted_ = &converted; }

    io::Task<http::Response> serve(http::Request&& request);
    // The same for a request that was let in and read already.
    io::Task<http::Response> serve_body(http::Request request, std::string body);

  private:
    // What admission found out; the body stays here, since the engine gets it with few bytes
    // changed.
    struct Admitted {
        bool converts = false;  // nothing but the body was looked at
        bool waits = false;     // in an open stream, for a first replica; nothing is reserved yet
        CallLimits limits;
        KeyPtr key;
        std::string body;
        routing::ChatRequest chat;
        std::unique_ptr<Call> call;
        io::Deadline deadline;
        CallTrace trace;
        std::optional<CallCache::Ticket> ticket;  // of a call that asked for kept answers
        CallPrompt prompt;
        // Set when engines of other APIs go on with the call; see DialectCalls::Handed.
        struct HandedOver {
            int attempts = 0;
            std::vector<EndpointId> tried;
        };
        std::optional<HandedOver> handed;
    };
    using Opened = Attempts::Answer;

    io::Task<http::Response> serve_read(http::Request request, std::optional<std::string> body);
    // `next` becomes the request for the next of its models, if it names some.
    io::Task<ApiResult<void>> admit(
        http::Request* request, std::optional<std::string> body, std::optional<std::string>* next,
        Admitted* out
    );
    // The task that answers what was admitted, or refused. Where that ends the request, whatever
    // comes of it, `next` is taken away; what nobody needs any more goes as well.
    io::Task<http::Response> answer_admitted(
        const ApiResult<void>& taken, http::Request& request, Admitted& admitted,
        std::optional<std::string>& next
    );
    ApiResult<void> look_for_kept(const http::Request& request, Admitted& admitted);
    static ApiResult<std::string> take_wishes(
        http::Request& request, const Admitted& admitted, std::optional<std::string>& next
    );
    // Whether only engines of other dialects are within what the request asks for.
    bool must_convert(const Admitted& admitted, const ResolvedKey& key) const;
    // Completes `admission`, which has its key, hold and times.
    ApiResult<void> begin_call(
        const http::Request& request, Admitted& admitted, Call::Admission admission
    );
    HeldCalls::Wait wait_of(const Admitted& admitted, const http::Request& request) const;
    // The client wants signs of life while it waits: its stream is opened before there is an
    // engine.
    http::Response answer_held(http::Request request, Admitted admitted);
    struct Held;
    io::Task<void> run_held(std::unique_ptr<Held> held, http::BodyWriter writer);
    // Borrows from both.
    routing::EndpointQuery query_of(const Admitted& admitted, const routing::EndpointLists& lists)
        const;

    // Writes the answer.
    io::Task<void> open(Admitted* admitted, std::optional<Opened>* last);
    // Chooses an engine and dispatches the call to it. False: none can be asked, which is told
    // where there is no answer from before.
    bool dispatch_next(
        Admitted& admitted, int number, std::vector<EndpointId>& tried, std::optional<Opened>& last
    );
    io::Task<bool> dispatch_otherwise(
        Admitted* admitted, int number, std::vector<EndpointId>* tried, std::optional<Opened>* last
    );
    bool others_may_answer(const Admitted& admitted, const std::vector<EndpointId>& tried) const;
    // The same when the last replica has left since the call was admitted.
    io::Task<bool> dispatch_when_ready(
        Admitted* admitted, std::vector<EndpointId>* tried, std::optional<Opened>* last
    );
    // Writes what came of it. True: another attempt may do better.
    io::Task<bool> attempt(Admitted* admitted, int number, std::optional<Opened>* opened);
    std::optional<Attempts::Second> second_of(Admitted& admitted);
    ApiResult<routing::EndpointPool::Choice> choose(
        Admitted& admitted, std::vector<EndpointId>& tried
    );
    http::ClientRequest upstream_request(const Admitted& admitted, const Route& route) const;

    io::Task<http::Response> answer(Admitted* admitted, http::ClientWatch client);
    // Nothing where the call is to be handed over; `last` is what it has come to then.
    io::Task<std::optional<http::Response>> ask_and_answer(
        Admitted* admitted, http::ClientWatch client, std::optional<Opened>* last
    );
    io::Task<http::Response> hand_over(
        Admitted* admitted, std::optional<Opened> last, http::ClientWatch client
    );
    io::Task<http::Response> answer_whole(Admitted* admitted, http::ResponseStream upstream);
    // Takes the call.
    http::Response answer_stream(
        Admitted& admitted, OpenedStream upstream, http::ClientWatch client
    );
    // Nothing where a stream that breaks is to end.
    std::unique_ptr<StreamContinuation> continuation_of(Admitted& admitted);
    io::Task<http::Response> pass_refusal(Admitted* admitted, http::ResponseStream upstream);
    http::Response end_with(Call& call, const routing::ApiError& error, EndReason reason);

    Parts parts_;
    DialectCalls* converted_ = nullptr;
};

}  // namespace penstock::gateway
