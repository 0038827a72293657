// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json.hpp>

#include "batches/life.h"
#include "http/problem.h"
#include "server/openai_routes.h"
#include "server/turn_shelf.h"

// /v1/responses/{id}, /v1/conversations, and what gateways ask about turns.
namespace penstock::server {
namespace {

constexpr std::size_t kPageItems = 20;
constexpr std::size_t kPageItemsMax = 100;
constexpr std::size_t kTurnBodyMax = 96UL * 1024 * 1024;

using Response = io::Task<http::Response>;

TurnShelf::Owner owner_of(const access::Principal& principal) {
    return {principal.organisation_id, principal.project_id};
}

std::string id_of(const json::Value& item) {
    const json::Object* object = item.if_object();
    const json::Value* id = object == nullptr ? nullptr : object->if_contains("id");
    return id != nullptr && id->is_string() ? std::string(id->get_string()) : std::string();
}

// A page of items, which are in the order in which they were said.
Result<ItemList> page_of(json::Array items, const http::Request& request) {
    const OpenAiPage page = TRY(openai_page(request, kPageItems, kPageItemsMax));
    if (page.newest_first) std::ranges::reverse(items);
    auto from = items.begin();
    if (!page.after.empty()) {
        from = std::ranges::find(items, page.after, id_of);
        if (from == items.end())
            return fail_field(
                ErrorCode::invalid_argument, "after", "'" + page.after + "' is not in this list"
            );
        ++from;
    }
    ItemList list;
    for (; from != items.end() && list.data.size() < page.limit; ++from) {
        if (list.data.empty()) list.first_id = id_of(*from);
        list.last_id = id_of(*from);
        list.data.push_back({json::print_value(*from)});
    }
    list.has_more = from != items.end();
    return list;
}

// ---- responses ----

struct Asked {
    TurnShelf* turns;
    Platform* platform;
    access::Principal principal;
    http::Request request;
};

// What cannot be done must not be passed over: a client that reads events would wait for them.
Result<void> check_not_streamed(const http::Request& request) {
    const std::string_view stream = request.query.get("stream");
    if (!stream.empty() && stream != "false")
        return fail_field(
            ErrorCode::invalid_argument, "stream",
            "a kept answer is not streamed again: leave stream out, and it comes whole"
        );
    if (!request.query.get("starting_after").empty())
        return fail_field(
            ErrorCode::invalid_argument, "starting_after",
            "is a place in a stream, and a kept answer is not streamed again: leave it out"
        );
    return {};
}

Response get_response(Asked asked) {
    if (const Result<void> whole = check_not_streamed(asked.request); !whole)
        co_return openai_error(whole.error());
    const std::string& id = asked.request.param("response_id");
    const auto row = asked.turns->response(owner_of(asked.principal), id);
    if (!row) co_return openai_error(row.error());
    const Result<std::string> said = co_await asked.turns->said(id);
    const Result<json::Value> both =
        said ? json::parse_value(*said) : std::unexpected(said.error());
    if (!both) co_return openai_error(both.error());
    co_return co_await openai_answer(asked.platform, json::print_value(both->at("response")));
}

Response get_input_items(Asked asked) {
    const std::string& id = asked.request.param("response_id");
    const auto row = asked.turns->response(owner_of(asked.principal), id);
    if (!row) co_return openai_error(row.error());
    const Result<std::string> said = co_await asked.turns->said(id);
    Result<json::Value> both = said ? json::parse_value(*said) : std::unexpected(said.error());
    if (!both) co_return openai_error(both.error());
    const Result<ItemList> list = page_of(std::move(both->at("input").get_array()), asked.request);
    if (!list) co_return openai_error(list.error());
    co_return co_await openai_answer(asked.platform, json::print(*list));
}

Response delete_response(Asked asked) {
    const std::string id = asked.request.param("response_id");
    const auto row = asked.turns->response(owner_of(asked.principal), id);
    if (!row) co_return openai_error(row.error());
    Change change;
    asked.turns->forget_response(change, id);
    asked.platform->commit(std::move(change));
    co_return co_await openai_answer(
        asked.platform, json::print(DeletedObject{.id = id, .object = "response"})
    );
}

// ---- conversations ----

std::string shown(const StoredConversation& row) {
    return json::print(ConversationObject{
        .id = to_string(row.id),
        .created_at = batches::unix_seconds(row.created_at),
        .metadata = row.metadata
    });
}

// Items as they are kept, with ids of their own.
Result<json::Array> kept_items(Platform& platform, const std::vector<json::Text>& items) {
    if (items.size() > kItemsPerRequestMax)
        return fail_field(
            ErrorCode::invalid_argument, "items", "at most 20 in one request: send several"
        );
    json::Array kept;
    for (std::size_t i = 0; i < items.size(); ++i)
        kept.push_back(TRY(kept_item(
            TRY(json::parse_value(items[i].text)),
            "item_" + to_string(platform.make_id<RequestId>().raw()),
            "items[" + std::to_string(i) + "]"
        )));
    return kept;
}

io::Task<Result<void>> append(TurnShelf* turns, ConversationId id, json::Array added) {
    co_return co_await turns->edit(id, [&added](const std::string& items) -> Result<std::string> {
        json::Value all = TRY(json::parse_value(items));
        for (const json::Value& item : added) all.get_array().push_back(item);
        return json::print_value(all);
    });
}

Response create_conversation(Asked asked) {
    CreateConversation wanted;
    if (!asked.request.body.empty()) {
        std::expected<CreateConversation, Failure> body =
            body_as<CreateConversation>(asked.request);
        if (!body) co_return openai_error(body.error().errors);
        wanted = *std::move(body);
    }
    Result<json::Array> items =
        kept_items(*asked.platform, wanted.items.value_or(std::vector<json::Text>()));
    if (!items) co_return openai_error(items.error());
    std::map<std::string, std::string> metadata =
        wanted.metadata.value_or(std::map<std::string, std::string>());
    if (const Result<void> fine = batches::check_metadata(metadata); !fine)
        co_return openai_error(fine.error());
    Change change;
    const Result<ConversationId> id =
        asked.turns->create(change, owner_of(asked.principal), std::move(metadata));
    if (!id) co_return openai_error(id.error());
    keep_for_repetition(
        *asked.platform, change, asked.principal, asked.request,
        shown(asked.platform->conversations.at(*id))
    );
    asked.platform->commit(std::move(change));
    if (!items->empty())
        if (const Result<void> kept = co_await append(asked.turns, *id, *std::move(items)); !kept)
            co_return openai_error(kept.error());
    co_return co_await openai_answer(asked.platform, shown(asked.platform->conversations.at(*id)));
}

Result<StoredConversation*> find(Asked& asked) {
    return asked.turns->conversation(
        owner_of(asked.principal), asked.request.param("conversation_id")
    );
}

Response get_conversation(Asked asked) {
    const Result<StoredConversation*> row = find(asked);
    if (!row) co_return openai_error(row.error());
    co_return co_await openai_answer(asked.platform, shown(**row));
}

Response update_conversation(Asked asked) {
    const Result<StoredConversation*> row = find(asked);
    if (!row) co_return openai_error(row.error());
    const std::expected<UpdateConversation, Failure> wanted =
        body_as<UpdateConversation>(asked.request);
    if (!wanted) co_return openai_error(wanted.error().errors);
    if (const Result<void> fine = batches::check_metadata(wanted->metadata); !fine)
        co_return openai_error(fine.error());
    (*row)->metadata = wanted->metadata;
    Change change;
    asked.turns->put(change, **row);
    std::string body = shown(**row);
    asked.platform->commit(std::move(change));
    co_return co_await openai_answer(asked.platform, std::move(body));
}

Response delete_conversation(Asked asked) {
    const Result<StoredConversation*> row = find(asked);
    if (!row) co_return openai_error(row.error());
    const std::string id = to_string((*row)->id);
    Change change;
    asked.turns->remove_conversation(change, (*row)->id);
    asked.platform->commit(std::move(change));
    co_return co_await openai_answer(
        asked.platform, json::print(DeletedObject{.id = id, .object = "conversation.deleted"})
    );
}

io::Task<Result<json::Array>> items_of(Asked* asked) {
    const StoredConversation* row = CO_TRY(find(*asked));
    json::Value items = CO_TRY(json::parse_value(CO_TRY(co_await asked->turns->items(row->id))));
    co_return std::move(items.get_array());
}

Response list_items(Asked asked) {
    Result<json::Array> items = co_await items_of(&asked);
    if (!items) co_return openai_error(items.error());
    const Result<ItemList> list = page_of(*std::move(items), asked.request);
    if (!list) co_return openai_error(list.error());
    co_return co_await openai_answer(asked.platform, json::print(*list));
}

Response get_item(Asked asked) {
    const std::string id = asked.request.param("item_id");
    const Result<json::Array> items = co_await items_of(&asked);
    if (!items) co_return openai_error(items.error());
    const auto found = std::ranges::find(*items, id, id_of);
    if (found == items->end())
        co_return openai_error(
            Error{ErrorCode::not_found, "the conversation has no item '" + id + "'", "item_id"}
        );
    co_return co_await openai_answer(asked.platform, json::print_value(*found));
}

Response add_items(Asked asked) {
    const Result<StoredConversation*> row = find(asked);
    if (!row) co_return openai_error(row.error());
    const std::expected<AddItems, Failure> wanted = body_as<AddItems>(asked.request);
    if (!wanted) co_return openai_error(wanted.error().errors);
    const Result<json::Array> items = kept_items(*asked.platform, wanted->items);
    if (!items) co_return openai_error(items.error());
    if (const Result<void> kept = co_await append(asked.turns, (*row)->id, *items); !kept)
        co_return openai_error(kept.error());
    ItemList list;
    for (const json::Value& item : *items) list.data.push_back({json::print_value(item)});
    if (!items->empty()) {
        list.first_id = id_of(items->front());
        list.last_id = id_of(items->back());
    }
    co_return co_await openai_answer(asked.platform, json::print(list));
}

Response delete_item(Asked asked) {
    const Result<StoredConversation*> row = find(asked);
    if (!row) co_return openai_error(row.error());
    const ConversationId id = (*row)->id;
    const std::string item = asked.request.param("item_id");
    const Result<void> kept =
        co_await asked.turns->edit(id, [&item](const std::string& items) -> Result<std::string> {
            json::Value all = TRY(json::parse_value(items));
            json::Array& array = all.get_array();
            const auto found = std::ranges::find(array, item, id_of);
            if (found == array.end())
                return fail_field(
                    ErrorCode::not_found, "item_id", "the conversation has no item '" + item + "'"
                );
            array.erase(found);
            return json::print_value(all);
        });
    if (!kept) co_return openai_error(kept.error());
    const auto found = asked.platform->conversations.find(id);
    if (found == asked.platform->conversations.end()) co_return openai_error(find(asked).error());
    co_return co_await openai_answer(asked.platform, shown(found->second));
}

// ---- gateways ----

Response expand(Asked asked) {
    std::expected<ExpandTurn, Failure> turn = body_as<ExpandTurn>(asked.request);
    if (!turn) co_return http::problem_response(turn.error().errors, asked.request);
    Result<std::string> items = co_await asked.turns->expand(*std::move(turn));
    if (!items) co_return http::problem_response(items.error(), asked.request);
    co_return http::Response::json(200, json::print(ExpandedTurn{{*std::move(items)}}));
}

Response keep(Asked asked) {
    if (const Result<void> room = asked.platform->check_room(); !room)
        co_return http::problem_response(room.error(), asked.request, 507);
    std::expected<KeepTurn, Failure> turn = body_as<KeepTurn>(asked.request);
    if (!turn) co_return http::problem_response(turn.error().errors, asked.request);
    const Result<KeptTurn> kept = co_await asked.turns->keep(*std::move(turn));
    if (!kept) co_return http::problem_response(kept.error(), asked.request);
    co_return http::Response::json(200, json::print(*kept));
}

void add_gateway_routes(Api& api, TurnShelf& turns) {
    http::RouteOptions options;
    options.body_max = kTurnBodyMax;
    api.raw(
        "POST", "/v1/gateway/responses:expand",
        {.operation = "expandTurn",
         .summary = "What was said before a request of the Responses API",
         .scope = Scope::gateway,
         .request = json::schema<ExpandTurn>,
         .response = json::schema<ExpandedTurn>},
        [&api, &turns](access::Principal p, http::Request r) {
            return expand({&turns, &api.platform(), std::move(p), std::move(r)});
        }
    );
    api.raw(
        "POST", "/v1/gateway/responses:keep",
        {.operation = "keepTurn",
         .summary = "An answer of the Responses API; repeating it changes nothing",
         .scope = Scope::gateway,
         .request = json::schema<KeepTurn>,
         .response = json::schema<KeptTurn>},
        [&api, &turns](access::Principal p, http::Request r) {
            return keep({&turns, &api.platform(), std::move(p), std::move(r)});
        },
        std::move(options)
    );
}

struct TurnRoute {
    const char* method;
    const char* pattern;
    Response (*handler)(Asked);
    RouteDoc doc;
};

std::vector<TurnRoute> response_routes() {
    return {
        {"GET",
         "/v1/responses/{response_id}",
         get_response,
         {.operation = "getResponse", .summary = "A kept answer (OpenAI's Responses API)"}},
        {"DELETE",
         "/v1/responses/{response_id}",
         delete_response,
         {.operation = "deleteResponse",
          .summary = "Forget a kept answer (OpenAI's Responses API)",
          .response = json::schema<DeletedObject>}},
        {"GET",
         "/v1/responses/{response_id}/input_items",
         get_input_items,
         {.operation = "listInputItems",
          .summary = "What a kept answer was asked (OpenAI's Responses API)",
          .response = json::schema<ItemList>,
          .query = {"after", "limit", "order"}}},
    };
}

std::vector<TurnRoute> conversation_routes() {
    return {
        {"POST",
         "/v1/conversations",
         create_conversation,
         {.operation = "createConversation",
          .summary = "Begin a conversation (OpenAI's API)",
          .request = json::schema<CreateConversation>,
          .response = json::schema<ConversationObject>}},
        {"GET",
         "/v1/conversations/{conversation_id}",
         get_conversation,
         {.operation = "getConversation",
          .summary = "A conversation (OpenAI's API)",
          .response = json::schema<ConversationObject>}},
        {"POST",
         "/v1/conversations/{conversation_id}",
         update_conversation,
         {.operation = "updateConversation",
          .summary = "Replace a conversation's metadata (OpenAI's API)",
          .request = json::schema<UpdateConversation>,
          .response = json::schema<ConversationObject>}},
        {"DELETE",
         "/v1/conversations/{conversation_id}",
         delete_conversation,
         {.operation = "deleteConversation",
          .summary = "Forget a conversation with its items (OpenAI's API)",
          .response = json::schema<DeletedObject>}},
        {"GET",
         "/v1/conversations/{conversation_id}/items",
         list_items,
         {.operation = "listConversationItems",
          .summary = "What was said (OpenAI's API)",
          .response = json::schema<ItemList>,
          .query = {"after", "limit", "order"}}},
        {"POST",
         "/v1/conversations/{conversation_id}/items",
         add_items,
         {.operation = "addConversationItems",
          .summary = "Add items (OpenAI's API)",
          .request = json::schema<AddItems>,
          .response = json::schema<ItemList>}},
        {"GET",
         "/v1/conversations/{conversation_id}/items/{item_id}",
         get_item,
         {.operation = "getConversationItem", .summary = "One item (OpenAI's API)"}},
        {"DELETE",
         "/v1/conversations/{conversation_id}/items/{item_id}",
         delete_item,
         {.operation = "deleteConversationItem",
          .summary = "Forget one item (OpenAI's API)",
          .response = json::schema<ConversationObject>}},
    };
}

}  // namespace

void add_turn_routes(OpenAiRoutes& routes, TurnShelf& turns) {
    Platform* platform = &routes.api().platform();
    TurnShelf* shelf = &turns;
    for (const auto& list : {response_routes(), conversation_routes()})
        for (const TurnRoute& route : list)
            routes.add(
                route.method, route.pattern, route.doc,
                [shelf, platform, handler = route.handler](access::Principal p, http::Request r) {
                    return handler({shelf, platform, std::move(p), std::move(r)});
                }
            );
    add_gateway_routes(routes.api(), turns);
}

}  // namespace penstock::server
