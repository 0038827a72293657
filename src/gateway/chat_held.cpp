// SPDX-License-Identifier: Apache-2.0
#include "gateway/call_input.h"
#include "gateway/chat_completions.h"

// Chat calls that wait for the first replica of a service.
namespace penstock::gateway {
namespace {

io::Task<void> write_comment(http::BodyWriter writer) {
    // Whether the client is still there is not learned here.
    static_cast<void>(co_await writer.write(": waiting for a replica to start\n\n"));
}

}  // namespace

struct ChatCompletions::Held {
    http::Request request;
    Admitted admitted;
};

HeldCalls::Wait ChatCompletions::wait_of(const Admitted& admitted, const http::Request& request)
    const {
    return {
        .key = admitted.key.get(),
        .model = admitted.chat.model,
        .bytes = admitted.body.size(),
        .span = admitted.limits.wait,
        .deadline = admitted.deadline,
        .client = request.client
    };
}

http::Response ChatCompletions::answer_held(http::Request request, Admitted admitted) {
    auto held = std::make_unique<Held>(std::move(request), std::move(admitted));
    return http::Response::event_stream([this, held = std::move(held)](http::BodyWriter writer
                                        ) mutable { return run_held(std::move(held), writer); });
}

io::Task<void> ChatCompletions::run_held(std::unique_ptr<Held> held, http::BodyWriter writer) {
    HeldCalls::Wait wait = wait_of(held->admitted, held->request);
    wait.tell = [writer] { return write_comment(writer); };
    wait.tell_every = *held->admitted.limits.keep_alive;
    co_await write_comment(writer);
    const ApiResult<void> ready = co_await parts_.held.until_ready(std::move(wait));
    http::Response response;
    if (ready) {
        // Once more from the start, now that there is an engine; never held in a stream again.
        held->request.headers.remove("x-penstock-keep-alive");
        held->request.deadline = held->admitted.deadline;
        response = co_await serve_read(std::move(held->request), std::move(held->admitted.body));
    } else {
        parts_.calls.metrics.on_answer({}, ready.error().status);
        response = error_response(ready.error());
    }
    if (auto* stream = std::get_if<http::StreamBody>(&response.body))
        co_return co_await (*stream)(writer);
    // Too late for a status: the stream ends with the error, and not as if it were whole.
    const std::string* text = std::get_if<std::string>(&response.body);
    if (text != nullptr) static_cast<void>(co_await writer.write(http::print_sse({.data = *text})));
    if (response.status != 200) writer.abort();
}

}  // namespace penstock::gateway
