// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "io/event.h"
#include "io/pool.h"
#include "io/task.h"
#include "model/response_state.h"
#include "server/durable_file.h"
#include "server/platform.h"

namespace penstock::server {

class OpenAiRoutes;

constexpr Duration kTurnLives =
    30 * 24h;  // a response after it was made, a conversation after its use
constexpr std::int64_t kTurnsPerOrganisationMax = 50'000;  // responses and conversations together
constexpr std::int64_t kTurnBytesPerOrganisationMax = 2LL * 1024 * 1024 * 1024;
constexpr std::size_t kChainMax = 200;                      // responses that one goes back to
constexpr std::int64_t kTurnBytesMax = 40LL * 1024 * 1024;  // of one response with its input
constexpr std::size_t kItemsPerRequestMax = 20;
constexpr Duration kTurnSweepEvery = 60s;
// A gateway repeats what it has no answer for within seconds; so many other turns of the same
// conversation would have to come in between for one to be added twice.
constexpr std::size_t kTurnsRememberedMax = 16;

// What the Responses API keeps: answers under their ids, and conversations. Rows in the platform,
// what was said in files below the state directory, whole or absent. Everything belongs to a
// project; another's answers like a missing one. The platform's executor.
class TurnShelf {
  public:
    struct Owner {
        OrganisationId organisation_id;
        ProjectId project_id;
    };
    TurnShelf(std::filesystem::path directory, Platform& platform, io::Pool& pool);
    // Blocking: makes the folder and removes files that no row names.
    Result<void> open();
    // Forgets what was kept for long enough.
    io::Task<void> run();
    void sweep(Change& change);

    // The items before a turn. not_found names previous_response_id or conversation;
    // resource_exhausted: there is no room to keep another.
    io::Task<Result<std::string>> expand(ExpandTurn turn);
    // Once for each id: answer and conversation in one change, repeating it changes nothing.
    io::Task<Result<KeptTurn>> keep(KeepTurn turn);

    Result<const StoredResponse*> response(const Owner& owner, std::string_view id) const;
    // {"input":[…],"response":{…}}
    io::Task<Result<std::string>> said(std::string id);
    // Nobody can read it or go on from it any more; what later responses rest on stays until the
    // last of them goes, and is counted until then.
    void forget_response(Change& change, const std::string& id);

    Result<StoredConversation*> conversation(const Owner& owner, std::string_view id);
    Result<ConversationId> create(
        Change& change, const Owner& owner, std::map<std::string, std::string> metadata
    );
    void put(Change& change, const StoredConversation& row) { platform_.put(change, row); }
    void remove_conversation(Change& change, ConversationId id);
    // […], oldest first.
    io::Task<Result<std::string>> items(ConversationId id);
    // Replaces what `edit` makes of the items; one edit of a conversation at a time.
    using Edit = std::function<Result<std::string>(const std::string& items)>;
    io::Task<Result<void>> edit(ConversationId id, Edit edit);

  private:
    struct Answer {
        StoredResponse row;
        std::string text;    // of its file
        bool keeps = false;  // for itself, not in its conversation alone
    };
    // With `answer` the edit is its turn, made once, and keeps it in the same change.
    io::Task<Result<KeptTurn>> edit_once(ConversationId id, Edit edit, const Answer* answer);
    void add_row(Change& change, const StoredResponse& row);
    void remove_row(Change& change, const std::string& id);
    // Hidden ones too; null: there is none of this owner.
    const StoredResponse* find(const Owner& owner, const std::string& id) const;
    Result<void> check_room(OrganisationId organisation, std::int64_t more_bytes) const;
    io::Task<Result<std::vector<std::string>>> chain(const ExpandTurn* turn);
    io::Task<Result<void>> write(std::filesystem::path target, const std::string* text);
    std::filesystem::path path_of(std::string_view id) const { return directory_ / id; }
    std::filesystem::path path_of(const StoredConversation& row) const {
        return directory_ / (to_string(row.id) + "." + std::to_string(row.version));
    }
    void remove_file(Change& change, std::filesystem::path path);

    std::filesystem::path directory_;
    Platform& platform_;
    io::Pool& pool_;
    // What an organisation keeps.
    struct Use {
        std::int64_t rows = 0;
        std::int64_t bytes = 0;
    };
    void count(OrganisationId organisation, std::int64_t rows, std::int64_t bytes);
    std::map<OrganisationId, Use> uses_;
    std::map<std::string, std::int64_t> followers_;  // responses that go on from one directly
    std::uint64_t next_temporary_ = 0;
    std::set<ConversationId> edited_;  // now
    io::Event edit_ended_;
};

// An item as it is kept: a message has a type, parts and an id. invalid_argument names `field`.
Result<json::Value> kept_item(json::Value item, const std::string& id, const std::string& field);

// /v1/responses/{id}, /v1/conversations, and what gateways ask.
void add_turn_routes(OpenAiRoutes& routes, TurnShelf& turns);

}  // namespace penstock::server
