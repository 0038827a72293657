// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "json/json.h"
#include "model/ids.h"

// Kept answers of the Responses API and conversations, as they are stored, and what gateways and
// server say to each other about them.
namespace penstock {

// Of what was said before, which a request begins with, and so of the items of a conversation.
constexpr std::int64_t kHistoryBytesMax = 4LL * 1024 * 1024;

struct ConversationTag {
    static constexpr std::string_view kPrefix = "conv";
};
using ConversationId = Id<ConversationTag>;

// The row; what was said lies in a file: {"input":[…],"response":{…}}.
struct StoredResponse {
    static constexpr bool kJsonDefaults = true;
    std::string id;  // "resp_rq_…", of the call that it answers
    OrganisationId organisation_id;
    ProjectId project_id;
    std::string previous;  // empty: none
    std::int64_t bytes = 0;
    Time created_at;
    Time expires_at;
    // Deleted or expired: nobody reads it, but later responses still rest on it.
    bool hidden = false;
    bool operator==(const StoredResponse&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    StoredResponse, (),
    (id, organisation_id, project_id, previous, bytes, created_at, expires_at, hidden)
)

// The row; the items lie in a file of that version: […].
struct StoredConversation {
    static constexpr bool kJsonDefaults = true;
    ConversationId id;
    OrganisationId organisation_id;
    ProjectId project_id;
    std::map<std::string, std::string> metadata;
    std::int64_t version = 0;  // 0: no file, no item
    std::int64_t bytes = 0;
    Time created_at;
    Time used_at;
    std::vector<std::string> turns;  // ids of the last responses that were added, oldest first
    bool operator==(const StoredConversation&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    StoredConversation, (),
    (id, organisation_id, project_id, metadata, version, bytes, created_at, used_at, turns)
)

struct ConversationObject {
    std::string id;
    std::string object = "conversation";
    std::int64_t created_at = 0;
    std::map<std::string, std::string> metadata;
};
BOOST_DESCRIBE_STRUCT(ConversationObject, (), (id, object, created_at, metadata))

struct CreateConversation {
    static constexpr bool kJsonDefaults = true;
    std::optional<std::map<std::string, std::string>> metadata;
    std::optional<std::vector<json::Text>> items;
};
BOOST_DESCRIBE_STRUCT(CreateConversation, (), (metadata, items))
struct UpdateConversation {
    std::map<std::string, std::string> metadata;
};
BOOST_DESCRIBE_STRUCT(UpdateConversation, (), (metadata))
struct AddItems {
    std::vector<json::Text> items;
};
BOOST_DESCRIBE_STRUCT(AddItems, (), (items))

struct ItemList {
    std::string object = "list";
    std::vector<json::Text> data;
    std::optional<std::string> first_id;
    std::optional<std::string> last_id;
    bool has_more = false;
};
BOOST_DESCRIBE_STRUCT(ItemList, (), (object, data, first_id, last_id, has_more))

// ---- gateway ⇄ server

// POST /v1/gateway/responses:expand: what was said before, before an engine is asked.
struct ExpandTurn {
    OrganisationId organisation_id;
    ProjectId project_id;
    std::optional<std::string> previous_response_id;
    std::optional<std::string> conversation;
    bool store = false;  // the answer is to be kept: there must be room
};
BOOST_DESCRIBE_STRUCT(
    ExpandTurn, (), (organisation_id, project_id, previous_response_id, conversation, store)
)
struct ExpandedTurn {
    json::Text items;  // oldest first, as a request has them
};
BOOST_DESCRIBE_STRUCT(ExpandedTurn, (), (items))

// POST /v1/gateway/responses:keep: an answer, before the client sees its end. Repeating it changes
// nothing.
struct KeepTurn {
    ExpandTurn turn;
    std::string id;
    json::Text input;  // the items of this request alone
    json::Text response;
};
BOOST_DESCRIBE_STRUCT(KeepTurn, (), (turn, id, input, response))
struct KeptTurn {
    bool repeated = false;
};
BOOST_DESCRIBE_STRUCT(KeptTurn, (), (repeated))

}  // namespace penstock
