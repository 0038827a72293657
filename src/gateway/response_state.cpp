// SPDX-License-Identifier: Apache-2.0
#include "gateway/response_state.h"

#include <array>

#include "gateway/call_input.h"
#include "http/sse.h"

namespace penstock::gateway {
namespace {

// Before each repetition: together longer than a connection that breaks, shorter than patience.
constexpr std::array<Duration, 3> kKeepPauses{100ms, 300ms, 900ms};

using dialects::Json;
using routing::ApiError;

std::unexpected<ApiError> refuse(ApiError error) { return std::unexpected(std::move(error)); }

// The server's error in the client's words.
ApiError told_of(const Error& error) {
    ApiError out = routing::api_error(error);
    if (error.code == ErrorCode::unavailable || error.code == ErrorCode::deadline_exceeded ||
        error.code == ErrorCode::internal)
        return {
            .status = 503,
            .message =
                "kept answers and conversations lie at the platform's server, which does not "
                "answer now: try again soon, or send the conversation whole with store: false",
            .type = "server_error",
            .code = "server_unavailable",
            .retry_after = 1s
        };
    // The detail of a problem begins with the field that it is about.
    for (const std::string_view field : {"previous_response_id", "conversation", "store"}) {
        const std::string begin = std::string(field) + ": ";
        if (!out.message.starts_with(begin)) continue;
        out.param = field;
        out.message.erase(0, begin.size());
        if (error.code != ErrorCode::not_found) continue;
        // As OpenAI tells it: what is not there to go on from is a mistake in the request.
        const bool previous = field == "previous_response_id";
        out.code = previous ? "previous_response_not_found" : "conversation_not_found";
        if (previous) out.status = 400;
    }
    return out;
}

// The id of `conversation`, a string or an object with an id; empty: none.
ApiResult<std::string> conversation_of(const Json* value) {
    if (value == nullptr || value->is_null()) return std::string();
    const Json* id = value->if_object() == nullptr ? value : value->find("id");
    if (id == nullptr || id->if_string() == nullptr || id->if_string()->empty())
        return refuse(routing::invalid_request(
            "expected the id of a conversation, or an object with it", "conversation"
        ));
    return *id->if_string();
}

ApiResult<std::string> previous_of(const Json* value) {
    if (value == nullptr || value->is_null()) return std::string();
    if (value->if_string() == nullptr || value->if_string()->empty())
        return refuse(
            routing::invalid_request("expected the id of a response", "previous_response_id")
        );
    return *value->if_string();
}

// A message of the user where the input is a string.
Json::Array items_of(const Json* input) {
    if (input == nullptr) return {};
    if (const std::string* text = input->if_string()) {
        Json::Array parts{Json::Object{{"type", "input_text"}, {"text", *text}}};
        return {
            Json::Object{{"type", "message"}, {"role", "user"}, {"content", Json(std::move(parts))}}
        };
    }
    const Json::Array* list = input->if_array();
    return list == nullptr ? Json::Array{} : *list;
}

bool is_reasoning(const Json& item) {
    const Json* type = item.find("type");
    return type != nullptr && type->if_string() != nullptr && *type->if_string() == "reasoning";
}

// What is certain not to fit into the conversation is refused before an engine works for nothing.
// Of `own` as much counts as is kept at least: reasoning is not, and ids are added.
ApiResult<void> check_fits(std::size_t said_bytes, const Json::Array& own) {
    std::size_t bytes = said_bytes;
    for (const Json& item : own)
        if (!is_reasoning(item)) bytes += dialects::print_json(item).size();
    if (bytes <= static_cast<std::size_t>(kHistoryBytesMax)) return {};
    return refuse(routing::invalid_request(
        "what was said before has more than 4 MiB together with this input: begin anew",
        "conversation"
    ));
}

// Whether the server may have kept the turn all the same.
bool may_have_kept(ErrorCode code) {
    return code == ErrorCode::unavailable || code == ErrorCode::deadline_exceeded;
}

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

}  // namespace

io::Task<ApiResult<std::optional<ResponseTurn>>> ResponseState::begin(
    const http::Request* request, std::string* body
) {
    using Turn = std::optional<ResponseTurn>;
    Result<Json> document = dialects::parse_json(*body);
    Json::Object* asked = document ? document->if_object() : nullptr;
    // What is no object is refused by who reads it next.
    if (asked == nullptr) co_return Turn();
    const Json* store = dialects::find(*asked, "store");
    const bool keeps = store != nullptr && *store == Json(true);
    const ApiResult<std::string> previous =
        previous_of(dialects::find(*asked, "previous_response_id"));
    if (!previous) co_return refuse(previous.error());
    const ApiResult<std::string> conversation =
        conversation_of(dialects::find(*asked, "conversation"));
    if (!conversation) co_return refuse(conversation.error());
    if (!keeps && previous->empty() && conversation->empty()) co_return Turn();
    const Result<KeyPtr> key =
        co_await authenticator_.authenticate(Authenticator::shown(request->headers));
    if (!key) co_return refuse(told(key.error()));
    ResponseTurn turn{
        .about =
            {.organisation_id = (*key)->organisation_id,
             .project_id = (*key)->project_id,
             .store = keeps}
    };
    if (!previous->empty()) turn.about.previous_response_id = *previous;
    if (!conversation->empty()) turn.about.conversation = *conversation;
    const Result<ExpandedTurn> before = co_await server_.expand_turn(turn.about);
    if (!before) co_return refuse(told_of(before.error()));
    Result<Json> history = dialects::parse_json(before->items.text, dialects::JsonFrom::engine);
    Json::Array* items = history ? history->if_array() : nullptr;
    if (items == nullptr) co_return refuse(told_of({ErrorCode::unavailable, {}, {}}));
    const Json* input = dialects::find(*asked, "input");
    Json::Array own = items_of(input);
    if (!conversation->empty())
        if (ApiResult<void> fits = check_fits(before->items.text.size(), own); !fits)
            co_return refuse(std::move(fits.error()));
    turn.input = dialects::print_json(Json(own));
    turn.echo = {{"store", keeps}, {"previous_response_id", or_null(*previous)}};
    if (!conversation->empty())
        turn.echo.push_back({"conversation", Json::Object{{"id", *conversation}}});
    // An input that is neither text nor a list is left to be refused by name.
    const bool readable =
        input != nullptr && (input->if_string() != nullptr || input->if_array() != nullptr);
    for (const char* name : {"store", "previous_response_id", "conversation"})
        dialects::take(*asked, name);
    if (readable) {
        for (Json& item : own) items->push_back(std::move(item));
        dialects::put(*asked, "input", std::move(*history));
    }
    *body = dialects::print_json(*document);
    co_return Turn(std::move(turn));
}

io::Task<ApiResult<void>> ResponseState::keep(const ResponseTurn* turn, std::string response) {
    const Result<Json> document = dialects::parse_json(response, dialects::JsonFrom::engine);
    const Json* id = document ? document->find("id") : nullptr;
    if (id == nullptr || id->if_string() == nullptr)
        co_return refuse(engine_failure(502, "the answer has no id and cannot be kept"));
    KeepTurn kept{
        .turn = turn->about,
        .id = *id->if_string(),
        .input = {turn->input},
        .response = {std::move(response)}
    };
    // Under the same id the server keeps it once. The client's own retry would be another turn.
    Result<KeptTurn> done = co_await server_.keep_turn(&kept);
    for (const Duration pause : kKeepPauses) {
        if (done || !may_have_kept(done.error().code)) break;
        co_await io::sleep_for(pause);
        done = co_await server_.keep_turn(&kept);
    }
    if (!done) co_return refuse(told_of(done.error()));
    co_return ApiResult<void>();
}

std::optional<std::string> ended_response(std::string_view events) {
    http::SseParser parser;
    if (!parser.feed(events)) return std::nullopt;
    std::optional<std::string> response;
    while (const auto event = parser.next()) {
        if (event->event != "response.completed" && event->event != "response.incomplete") continue;
        const Result<Json> data = dialects::parse_json(event->data, dialects::JsonFrom::engine);
        if (const Json* found = data ? data->find("response") : nullptr)
            response = dialects::print_json(*found);
    }
    return response;
}

}  // namespace penstock::gateway
