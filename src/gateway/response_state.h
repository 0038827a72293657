// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "dialects/json_tree.h"
#include "gateway/api_answer.h"
#include "gateway/authenticator.h"
#include "gateway/server_link.h"
#include "http/message.h"
#include "model/response_state.h"

namespace penstock::gateway {

// What a stateful request of the Responses API leaves to do when it has been answered.
struct ResponseTurn {
    ExpandTurn about;
    std::string input;            // the items of this request alone, as JSON
    dialects::Json::Object echo;  // what its answer repeats of it
};

// `store`, `previous_response_id` and `conversation` of the Responses API: what was said before is
// fetched from the server and put in front of the input, so that the engine gets a request like any
// other; the answer goes to the server before the client sees its end. While the server is away,
// such requests are refused with 503. The gateway's thread.
class ResponseState {
  public:
    ResponseState(Authenticator& authenticator, ServerLink& server)
        : authenticator_(authenticator), server_(server) {}

    // Nothing where the request keeps nothing and goes on from nothing. Else `body` becomes what an
    // engine is asked.
    io::Task<ApiResult<std::optional<ResponseTurn>>> begin(
        const http::Request* request, std::string* body
    );
    // `response` is the whole answer. Where it cannot be kept: 503 without the server, or where it
    // says nothing even to repetitions, else what it says of it (the conversation has become too
    // long, is gone; there is no room).
    io::Task<ApiResult<void>> keep(const ResponseTurn* turn, std::string response);

  private:
    Authenticator& authenticator_;
    ServerLink& server_;
};

// The answer in the last event of a stream; nothing where `events` do not end one.
std::optional<std::string> ended_response(std::string_view events);

}  // namespace penstock::gateway
