// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dialects/documents.h"
#include "gateway/call_input.h"
#include "gateway/chat_completions.h"
#include "gateway/response_state.h"

namespace penstock::gateway {

// Calls in the other dialects, and Chat's calls to engines that do not speak it: one admission, one
// choice of engines, and a conversion where client and engine differ. An engine of the client's own
// dialect is preferred; bytes pass through then but for the model's name and a bound on the output.
//     POST /v1/messages, /v1/messages/count_tokens, /v1/responses, /v1/embeddings, /api/chat,
//     /api/embed
class DialectCalls {
  public:
    using Parts = ChatCompletions::Parts;
    explicit DialectCalls(Parts parts) : parts_(parts) {}
    // Who keeps answers of the Responses API; without it they are refused by name.
    void keep_with(ResponseState& state) { state_ = &state; }

    io::Task<http::Response> serve(http::Request request, dialects::Dialect dialect);
    // The same for a request that was let in and read already.
    io::Task<http::Response> serve_body(
        http::Request request, std::string body, dialects::Dialect dialect
    );
    // A Chat call that no engine of OpenAI's API could take, or any more: it goes on with the
    // others, as the same call.
    struct Handed {
        std::unique_ptr<Call> call;
        std::string body;
        CallLimits limits;
        KeyPtr key;
        io::Deadline deadline;
        CallTrace trace;
        CallPrompt prompt;
        routing::TokenBound bound;
        std::vector<EndpointId> tried;         // and left out
        int attempts = 0;                      // made; the wait for the next one is over
        std::optional<Attempts::Answer> last;  // told where nobody can do better
    };
    io::Task<http::Response> go_on(Handed handed, http::ClientWatch client);
    // Of OpenAI's and Ollama's API, by engines of either.
    io::Task<http::Response> serve_embeddings(http::Request request, dialects::Dialect dialect);
    io::Task<http::Response> serve_embeddings_body(http::Request request, std::string body);
    // By the engine, free of charge, where it speaks Anthropic's dialect; else estimated.
    io::Task<http::Response> count_tokens(http::Request request);

  private:
    // What a call is until it is answered.
    struct Admitted {
        dialects::Dialect dialect = dialects::Dialect::chat;  // the client's
        bool embeddings = false;
        bool goes_on = false;  // was let in before, with another model or by whoever read it
        bool drops = false;    // goes without what the engine's dialect cannot say
        std::string body;      // without what is said to the gateway alone
        std::string asked;     // with it, where there is any, until the cache was looked at
        dialects::Request request;
        dialects::Json::Object echo;
        routing::TokenBound bound;
        std::int64_t text_bytes = 0;  // of the prompt
        CallLimits limits;
        KeyPtr key;
        io::Deadline deadline;
        Duration started{};  // on the monotonic clock
        CallTrace trace;
        routing::RouteWishes wishes;
        CallPrompt prompt;
        std::optional<std::string> next;          // the request for the next of its models
        http::Headers passed;                     // of Anthropic's API: version and betas
        std::optional<ResponseTurn> turn;         // its answer is to be kept
        std::optional<CallCache::Ticket> ticket;  // of a call that asked for kept answers
        std::unique_ptr<Call> call;
        // Of a call that was handed over; see Handed.
        std::vector<EndpointId> tried;
        int attempts = 0;
        std::optional<Attempts::Answer> last;
        // Of the present attempt:
        dialects::Dialect engine = dialects::Dialect::chat;
        std::vector<std::string> dropped;
        bool converts() const { return engine != dialect; }
    };
    using Opened = Attempts::Answer;

    io::Task<http::Response> run(http::Request request, Admitted admitted);
    io::Task<ApiResult<void>> admit(http::Request* request, Admitted* admitted);
    ApiResult<void> read_document(Admitted& admitted) const;
    ApiResult<void> look_for_kept(const http::Request& request, Admitted& admitted);
    io::Task<http::Response> replay(Admitted admitted);
    ApiResult<void> read_wishes(Admitted& admitted) const;
    io::Task<ApiResult<void>> reserve(const http::Request* request, Admitted* admitted);
    // Borrows from both.
    routing::EndpointQuery query_of(const Admitted& admitted, const routing::EndpointLists& lists)
        const;

    io::Task<http::Response> answer(Admitted admitted, http::ClientWatch client);
    io::Task<http::Response> ask_and_answer(Admitted admitted, http::ClientWatch client);
    http::Response left(Admitted& admitted);
    io::Task<Opened> open(Admitted* admitted);
    // The same as choose(), or what may be asked after a wait.
    io::Task<ApiResult<routing::EndpointPool::Choice>> choose_or_wait(
        Admitted* admitted, int number, std::vector<EndpointId>* tried,
        const std::optional<Opened>* last
    );
    static bool looks_further(const Admitted& admitted);
    ApiResult<routing::EndpointPool::Choice> choose(
        const Admitted& admitted, std::vector<EndpointId>& tried
    );
    // The engine's request; what cannot be said is refused or noted.
    ApiResult<http::ClientRequest> engine_request(Admitted& admitted, const Route& route) const;
    std::string engine_body(const Admitted& admitted, const Route& route) const;
    static ApiResult<dialects::Written> converted_request(
        const Admitted& admitted, const Route& route
    );
    struct Attempt {
        int number = 0;
        http::ClientRequest request;
    };
    // Writes what came of it. True: another attempt may do better.
    io::Task<bool> attempt(Admitted* admitted, Attempt attempt, std::optional<Opened>* opened);
    std::optional<Attempts::Second> second_of(Admitted& admitted);

    http::Response answer_stream(
        Admitted admitted, OpenedStream upstream, http::ClientWatch client
    );
    // Nothing where a stream that breaks is to end.
    std::unique_ptr<StreamContinuation> continuation_of(Admitted& admitted);
    io::Task<http::Response> answer_whole(Admitted* admitted, http::ResponseStream upstream);
    struct WholeAnswer {
        std::string body;
        std::int64_t text_bytes = 0;
        bool counted = false;  // converted, of an engine that told no usage
    };
    static void tell_use(const Admitted& admitted, WholeAnswer& answer);
    ApiResult<WholeAnswer> read_answer(Admitted& admitted, const std::string& body);
    ApiResult<WholeAnswer> read_embeddings(Admitted& admitted, const std::string& body);
    static ApiResult<WholeAnswer> convert_embeddings(Admitted& admitted, dialects::Json document);
    io::Task<http::Response> pass_refusal(Admitted* admitted, http::ResponseStream upstream);
    http::Response end_with(Admitted& admitted, const routing::ApiError& error, EndReason reason);
    void describe(http::Response& response, const Admitted& admitted) const;
    dialects::AnswerContext context_of(const Admitted& admitted) const;
    io::Task<ApiResult<void>> admit_count(http::Request* request, Admitted* admitted);
    io::Task<std::optional<std::string>> ask_for_count(const Admitted* admitted);

    Parts parts_;
    ResponseState* state_ = nullptr;
};

std::string_view protocol_of(dialects::Dialect dialect);
// An error in the shape of a dialect, with the headers of error_response().
http::Response error_response(dialects::Dialect dialect, const routing::ApiError& error);

}  // namespace penstock::gateway
