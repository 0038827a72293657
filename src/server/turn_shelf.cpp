// SPDX-License-Identifier: Apache-2.0
#include "server/turn_shelf.h"

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <sstream>

#include "json/codec.h"

namespace penstock::server {
namespace {

std::unexpected<Error> missing(std::string field, std::string_view id) {
    return fail_field(
        ErrorCode::not_found, std::move(field),
        "there is nothing kept as '" + std::string(id) +
            "' in this project: it was not stored (send store: true), was deleted, or is older "
            "than "
            "30 days"
    );
}

// Only where it went while the answer that goes back to it was made.
std::unexpected<Error> broken_chain(const std::string& id, const std::string& before) {
    return fail_field(
        ErrorCode::not_found, "previous_response_id",
        "'" + id + "' goes back to '" + before +
            "', of which nothing is kept any more: send the conversation whole, or begin anew"
    );
}

std::unexpected<Error> too_long(std::string field) {
    return fail_field(
        ErrorCode::invalid_argument, std::move(field),
        "what was said before has more than 4 MiB or goes back more than 200 responses: begin anew"
    );
}

Result<std::string> read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) return fail(ErrorCode::unavailable, "cannot read " + path.string());
    return std::move(text).str();
}

bool is_text(const json::Value* value, std::string_view text) {
    return value != nullptr && value->is_string() && std::string_view(value->get_string()) == text;
}

json::Array* array_at(json::Value& value, std::string_view key) {
    json::Object* object = value.if_object();
    json::Value* found = object == nullptr ? nullptr : object->if_contains(key);
    return found == nullptr ? nullptr : found->if_array();
}

// Reasoning is the model's own: what it said is carried on, not how it came to it.
void append_items(json::Array& all, json::Array items) {
    for (json::Value& item : items) {
        const json::Object* object = item.if_object();
        const json::Value* type = object == nullptr ? nullptr : object->if_contains("type");
        if (is_text(type, "reasoning")) continue;
        all.push_back(std::move(item));
    }
}

// The items of one kept response: its input, then its output.
Result<void> append_turn(json::Array& all, const std::string& text) {
    json::Value said = TRY(json::parse_value(text));
    if (json::Array* input = array_at(said, "input")) append_items(all, std::move(*input));
    json::Value* response =
        said.if_object() == nullptr ? nullptr : said.if_object()->if_contains("response");
    if (response != nullptr)
        if (json::Array* output = array_at(*response, "output"))
            append_items(all, std::move(*output));
    return {};
}

// The input's items, each with an id of its own.
Result<std::string> kept_input(const KeepTurn& turn) {
    json::Value items = TRY(json::parse_value(turn.input.text));
    json::Array* list = items.if_array();
    if (list == nullptr)
        return fail_field(ErrorCode::invalid_argument, "input", "expected a list of items");
    for (std::size_t i = 0; i < list->size(); ++i) {
        const std::string number = std::to_string(i);
        (*list)[i] = TRY(kept_item(
            std::move((*list)[i]), "item_" + turn.id + "_" + number, "input[" + number + "]"
        ));
    }
    return json::print_value(items);
}

void remember(std::vector<std::string>& turns, const std::string& id) {
    if (turns.size() == kTurnsRememberedMax) turns.erase(turns.begin());
    turns.push_back(id);
}

}  // namespace

Result<json::Value> kept_item(json::Value item, const std::string& id, const std::string& field) {
    json::Object* object = item.if_object();
    if (object == nullptr)
        return fail_field(ErrorCode::invalid_argument, field, "expected an object");
    if (!object->contains("type") && object->contains("role")) (*object)["type"] = "message";
    const json::Value* type = object->if_contains("type");
    if (type == nullptr || !type->is_string())
        return fail_field(ErrorCode::invalid_argument, field + ".type", "expected a string");
    json::Value* content = object->if_contains("content");
    const bool is_message = is_text(type, "message");
    if (is_message && content != nullptr && content->is_string()) {
        const bool model = is_text(object->if_contains("role"), "assistant");
        json::Object part{
            {"type", model ? "output_text" : "input_text"}, {"text", content->get_string()}
        };
        if (model) part["annotations"] = json::Array();
        *content = json::Array{std::move(part)};
    }
    if (is_message && !object->contains("status")) (*object)["status"] = "completed";
    if (const json::Value* own = object->if_contains("id"); own == nullptr || !own->is_string())
        (*object)["id"] = id;
    return item;
}

TurnShelf::TurnShelf(std::filesystem::path directory, Platform& platform, io::Pool& pool)
    : directory_(std::move(directory)),
      platform_(platform),
      pool_(pool),
      edit_ended_(platform.runtime().executor()) {}

Result<void> TurnShelf::open() {
    std::error_code error;
    std::filesystem::create_directories(directory_ / "incoming", error);
    if (error) return disk_error(directory_, error.value());
    for (const auto& left : std::filesystem::directory_iterator(directory_ / "incoming", error))
        std::filesystem::remove(left.path(), error);
    std::set<std::string> named{"incoming"};
    for (const auto& [id, row] : platform_.responses) {
        named.insert(id);
        count(row.organisation_id, 1, row.bytes);
        if (!row.previous.empty()) ++followers_[row.previous];
    }
    for (const auto& [id, row] : platform_.conversations) {
        named.insert(path_of(row).filename().string());
        count(row.organisation_id, 1, row.bytes);
    }
    for (const auto& entry : std::filesystem::directory_iterator(directory_, error))
        if (!named.contains(entry.path().filename().string()))
            std::filesystem::remove(entry.path(), error);
    return {};
}

io::Task<void> TurnShelf::run() {
    while (!platform_.stopping()) {
        Change change;
        sweep(change);
        if (!change.empty()) platform_.commit(std::move(change));
        co_await io::sleep_for(kTurnSweepEvery);
    }
}

void TurnShelf::sweep(Change& change) {
    const Time now = platform_.now();
    std::vector<std::string> responses;
    for (const auto& [id, row] : platform_.responses)
        if (now >= row.expires_at && !row.hidden) responses.push_back(id);
    for (const std::string& id : responses) forget_response(change, id);
    std::vector<ConversationId> conversations;
    for (const auto& [id, row] : platform_.conversations)
        if (now >= row.used_at + kTurnLives && !edited_.contains(id)) conversations.push_back(id);
    for (const ConversationId id : conversations) remove_conversation(change, id);
}

void TurnShelf::count(OrganisationId organisation, std::int64_t rows, std::int64_t bytes) {
    Use& use = uses_[organisation];
    use.rows += rows;
    use.bytes += bytes;
    if (use.rows == 0) uses_.erase(organisation);
}

Result<void> TurnShelf::check_room(OrganisationId organisation, std::int64_t more_bytes) const {
    const auto found = uses_.find(organisation);
    const Use use = found == uses_.end() ? Use{} : found->second;
    const std::int64_t rows = use.rows;
    const std::int64_t bytes = use.bytes + more_bytes;
    if (rows < kTurnsPerOrganisationMax && bytes <= kTurnBytesPerOrganisationMax) return {};
    return fail_field(
        ErrorCode::resource_exhausted, "store",
        "the organisation keeps " + std::to_string(rows) + " responses and conversations of " +
            std::to_string(kTurnsPerOrganisationMax) + ", and " + std::to_string(bytes) +
            " bytes of 2 GiB: delete some, or send store: false"
    );
}

io::Task<Result<void>> TurnShelf::write(std::filesystem::path target, const std::string* text) {
    IncomingFile file(directory_ / "incoming" / std::to_string(++next_temporary_));
    co_return co_await pool_.run([&]() -> Result<void> {
        TRY(file.write(*text));
        return file.finish(target);
    });
}

void TurnShelf::remove_file(Change& change, std::filesystem::path path) {
    change.after.emplace_back([this, path = std::move(path)] {
        // One that stays is removed by the next start.
        (void)pool_.post([path] {
            std::error_code ignored;
            std::filesystem::remove(path, ignored);
        });
    });
}

// ---- responses ----

Result<const StoredResponse*> TurnShelf::response(const Owner& owner, std::string_view id) const {
    const StoredResponse* row = find(owner, std::string(id));
    if (row == nullptr || row->hidden) return missing("response_id", id);
    return row;
}

const StoredResponse* TurnShelf::find(const Owner& owner, const std::string& id) const {
    const auto found = platform_.responses.find(id);
    if (found == platform_.responses.end() ||
        found->second.organisation_id != owner.organisation_id ||
        found->second.project_id != owner.project_id)
        return nullptr;
    return &found->second;
}

io::Task<Result<std::string>> TurnShelf::said(std::string id) {
    const std::filesystem::path path = path_of(id);
    co_return co_await pool_.run([&path] { return read_file(path); });
}

void TurnShelf::add_row(Change& change, const StoredResponse& row) {
    // Whoever kept it meanwhile kept the same.
    if (!platform_.responses.emplace(row.id, row).second) return;
    count(row.organisation_id, 1, row.bytes);
    if (!row.previous.empty()) ++followers_[row.previous];
    platform_.put(change, row);
}

void TurnShelf::forget_response(Change& change, const std::string& id) {
    if (followers_.contains(id)) {
        StoredResponse& row = platform_.responses.at(id);
        row.hidden = true;
        platform_.put(change, row);
        return;
    }
    // With the last one that rests on them go those that were hidden before it.
    for (std::string at = id; !at.empty();) {
        const std::string previous = platform_.responses.at(at).previous;
        remove_row(change, at);
        at.clear();
        const auto followers = followers_.find(previous);
        if (followers == followers_.end() || --followers->second > 0) return;
        followers_.erase(followers);
        const auto before = platform_.responses.find(previous);
        if (before != platform_.responses.end() && before->second.hidden) at = previous;
    }
}

void TurnShelf::remove_row(Change& change, const std::string& id) {
    const StoredResponse& row = platform_.responses.at(id);
    count(row.organisation_id, -1, -row.bytes);
    platform_.responses.erase(id);
    platform_.remove(change, "response", id);
    remove_file(change, path_of(id));
}

// The texts of a response and of those before it, oldest first.
io::Task<Result<std::vector<std::string>>> TurnShelf::chain(const ExpandTurn* turn) {
    const Owner owner{turn->organisation_id, turn->project_id};
    std::vector<std::string> ids;
    std::int64_t bytes = 0;
    for (std::string id = turn->previous_response_id.value_or(""); !id.empty();) {
        const StoredResponse* row = find(owner, id);
        if (ids.empty() && (row == nullptr || row->hidden))
            co_return missing("previous_response_id", id);
        if (row == nullptr) co_return broken_chain(ids.back(), id);
        ids.push_back(id);
        bytes += row->bytes;
        if (ids.size() > kChainMax || bytes > kHistoryBytesMax)
            co_return too_long("previous_response_id");
        id = row->previous;
    }
    std::vector<std::filesystem::path> paths;
    for (auto id = ids.rbegin(); id != ids.rend(); ++id) paths.push_back(path_of(*id));
    co_return co_await pool_.run([&paths]() -> Result<std::vector<std::string>> {
        std::vector<std::string> texts;
        for (const std::filesystem::path& path : paths) texts.push_back(TRY(read_file(path)));
        return texts;
    });
}

io::Task<Result<std::string>> TurnShelf::expand(ExpandTurn turn) {
    // Nothing could be kept of the answer then: better told before an engine has made it.
    if (turn.store || turn.conversation) CO_TRY(check_room(turn.organisation_id, 0));
    if (turn.previous_response_id && turn.conversation)
        co_return fail_field(
            ErrorCode::invalid_argument, "previous_response_id",
            "goes without conversation: name one of the two"
        );
    json::Array all;
    if (turn.conversation) {
        const Owner owner{turn.organisation_id, turn.project_id};
        const ConversationId id = CO_TRY(conversation(owner, *turn.conversation))->id;
        json::Value kept = CO_TRY(json::parse_value(CO_TRY(co_await items(id))));
        append_items(all, std::move(kept.get_array()));
    }
    for (const std::string& text : CO_TRY(co_await chain(&turn))) CO_TRY(append_turn(all, text));
    co_return json::print_value(json::Value(std::move(all)));
}

io::Task<Result<KeptTurn>> TurnShelf::keep(KeepTurn turn) {
    const ExpandTurn& about = turn.turn;
    turn.input.text = CO_TRY(kept_input(turn));
    if (platform_.responses.contains(turn.id)) {
        CO_TRY(co_await platform_.committed(platform_.last_ticket()));
        co_return KeptTurn{.repeated = true};
    }
    const Time now = platform_.now();
    Answer answer{
        .row =
            {.id = turn.id,
             .organisation_id = about.organisation_id,
             .project_id = about.project_id,
             .previous = about.previous_response_id.value_or(""),
             .created_at = now,
             .expires_at = now + kTurnLives},
        .text = R"({"input":)" + turn.input.text + R"(,"response":)" + turn.response.text + "}",
        .keeps = about.store
    };
    answer.row.bytes = static_cast<std::int64_t>(answer.text.size());
    if (answer.row.bytes > kTurnBytesMax)
        co_return fail_field(
            ErrorCode::invalid_argument, "store", "an answer of more than 40 MiB is not kept"
        );
    if (about.conversation) {
        const Owner owner{about.organisation_id, about.project_id};
        const ConversationId id = CO_TRY(conversation(owner, *about.conversation))->id;
        const auto append = [&answer](const std::string& items) -> Result<std::string> {
            json::Value all = TRY(json::parse_value(items));
            TRY(append_turn(all.get_array(), answer.text));
            return json::print_value(all);
        };
        co_return co_await edit_once(id, append, &answer);
    }
    if (!about.store) co_return KeptTurn{};
    CO_TRY(co_await write(path_of(turn.id), &answer.text));
    Change change;
    add_row(change, answer.row);
    if (!change.empty()) platform_.commit(std::move(change));
    CO_TRY(co_await platform_.committed(platform_.last_ticket()));
    co_return KeptTurn{};
}

// ---- conversations ----

Result<StoredConversation*> TurnShelf::conversation(const Owner& owner, std::string_view id) {
    const Result<ConversationId> parsed = ConversationId::parse(id);
    const auto found =
        parsed ? platform_.conversations.find(*parsed) : platform_.conversations.end();
    if (found == platform_.conversations.end() ||
        found->second.organisation_id != owner.organisation_id ||
        found->second.project_id != owner.project_id)
        return missing("conversation", id);
    return &found->second;
}

Result<ConversationId> TurnShelf::create(
    Change& change, const Owner& owner, std::map<std::string, std::string> metadata
) {
    TRY(check_room(owner.organisation_id, 0));
    const StoredConversation row{
        .id = platform_.make_id<ConversationId>(),
        .organisation_id = owner.organisation_id,
        .project_id = owner.project_id,
        .metadata = std::move(metadata),
        .created_at = platform_.now(),
        .used_at = platform_.now()
    };
    platform_.put(change, row);
    platform_.conversations[row.id] = row;
    count(row.organisation_id, 1, 0);
    return row.id;
}

void TurnShelf::remove_conversation(Change& change, ConversationId id) {
    const StoredConversation& row = platform_.conversations.at(id);
    if (row.version > 0) remove_file(change, path_of(row));
    count(row.organisation_id, -1, -row.bytes);
    platform_.conversations.erase(id);
    platform_.remove(change, "conversation", to_string(id));
}

io::Task<Result<std::string>> TurnShelf::items(ConversationId id) {
    const StoredConversation& row = platform_.conversations.at(id);
    if (row.version == 0) co_return std::string("[]");
    const std::filesystem::path path = path_of(row);
    co_return co_await pool_.run([&path] { return read_file(path); });
}

io::Task<Result<void>> TurnShelf::edit(ConversationId id, Edit edit) {
    CO_TRY(co_await edit_once(id, std::move(edit), nullptr));
    co_return Result<void>();
}

io::Task<Result<KeptTurn>> TurnShelf::edit_once(
    ConversationId id, Edit edit, const Answer* answer
) {
    while (edited_.contains(id)) co_await edit_ended_.wait();
    if (!platform_.conversations.contains(id)) co_return missing("conversation", to_string(id));
    edited_.insert(id);
    struct Ended {
        TurnShelf& shelf;
        ConversationId id;
        ~Ended() {
            shelf.edited_.erase(id);
            shelf.edit_ended_.notify_all();
        }
    };
    const Ended ended{*this, id};
    const std::vector<std::string>& turns = platform_.conversations.at(id).turns;
    if (answer != nullptr && std::ranges::find(turns, answer->row.id) != turns.end()) {
        CO_TRY(co_await platform_.committed(platform_.last_ticket()));
        co_return KeptTurn{.repeated = true};
    }
    const std::string before = CO_TRY(co_await items(id));
    const std::string after = CO_TRY(edit(before));
    if (static_cast<std::int64_t>(after.size()) > kHistoryBytesMax)
        co_return too_long("conversation");
    StoredConversation next = platform_.conversations.at(id);
    CO_TRY(check_room(next.organisation_id, static_cast<std::int64_t>(after.size()) - next.bytes));
    const std::filesystem::path old = path_of(next);
    ++next.version;
    next.bytes = static_cast<std::int64_t>(after.size());
    next.used_at = platform_.now();
    if (answer != nullptr) remember(next.turns, answer->row.id);
    CO_TRY(co_await write(path_of(next), &after));
    if (answer != nullptr && answer->keeps)
        CO_TRY(co_await write(path_of(answer->row.id), &answer->text));
    const auto row = platform_.conversations.find(id);
    if (row == platform_.conversations.end()) co_return missing("conversation", to_string(id));
    next.metadata = row->second.metadata;
    count(next.organisation_id, 0, next.bytes - row->second.bytes);
    row->second = next;
    Change change;
    platform_.put(change, next);
    if (next.version > 1) remove_file(change, old);
    if (answer != nullptr && answer->keeps) add_row(change, answer->row);
    CO_TRY(co_await platform_.committed(platform_.commit(std::move(change))));
    co_return KeptTurn{};
}

}  // namespace penstock::server
