// SPDX-License-Identifier: Apache-2.0
#include "gateway/call_hold.h"
#include "gateway/chat_completions.h"
#include "gateway/chat_stream.h"

// Chat calls whose answer is a stream.
namespace penstock::gateway {

http::Response ChatCompletions::answer_stream(
    Admitted& admitted, OpenedStream upstream, http::ClientWatch client
) {
    Call& call = *admitted.call;  // stays where it is; its owner becomes the stream
    ChatStream::Options options{
        .include_usage = admitted.chat.include_usage,
        .deadline = admitted.deadline,
        .read_timeout = admitted.limits.stream.read_timeout,
        .continuation = continuation_of(admitted),
    };
    const StreamContinuation* continuation = options.continuation.get();
    auto stream = std::make_unique<ChatStream>(
        std::move(admitted.call), std::move(upstream), client, std::move(options)
    );
    http::Response response =
        http::Response::event_stream([stream = std::move(stream)](http::BodyWriter writer) mutable {
            return ChatStream::run(std::move(stream), writer);
        });
    describe_call(response, call, parts_.calls.budget);
    describe_continuation(response, continuation);
    return response;
}

// The body is not needed any more for anything else.
std::unique_ptr<StreamContinuation> ChatCompletions::continuation_of(Admitted& admitted) {
    if (admitted.limits.stream.failure != StreamFailure::continue_) return nullptr;
    StreamContinuation::Options options{
        .trace = admitted.trace,
        .limits =
            {.input_price_max = admitted.limits.input_price_max,
             .output_price_max = admitted.limits.output_price_max,
             .stream = admitted.limits.stream},
        .wishes = admitted.chat.wishes,
        .context =
            {.id = to_string(admitted.call->id()),
             .model = admitted.chat.model,
             .created = to_ms(admitted.call->started_at().time_since_epoch()) / 1000,
             .include_usage = admitted.chat.include_usage},
        .deadline = admitted.deadline,
    };
    routing::RouteWishes wishes;  // the document is read without them
    Result<std::optional<std::string>> left = routing::take_wishes(wishes, admitted.body);
    options.body = left && *left ? **std::move(left) : std::move(admitted.body);
    Result<dialects::Json> document = dialects::parse_json(options.body);
    Result<dialects::Request> request =
        document ? dialects::read_request(dialects::Dialect::chat, *std::move(document))
                 : std::unexpected(document.error());
    if (request)
        options.request = *std::move(request);
    else
        options.obstacle = request.error().field.empty() ? "body" : request.error().field;
    return std::make_unique<StreamContinuation>(parts_.continuations, std::move(options));
}

}  // namespace penstock::gateway
