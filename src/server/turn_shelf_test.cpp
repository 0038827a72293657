// SPDX-License-Identifier: Apache-2.0
#include "server/turn_shelf.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace penstock::server {
namespace {

// A shelf before a store on the disk; restart() reads it anew.
struct Shelf : testing::Test {
    std::filesystem::path folder = made_folder();
    ManualClock clock{*parse_rfc3339("2026-11-24T00:00:00Z")};
    SeededRandom random{1};
    telemetry::Registry metrics;
    io::Runtime runtime;
    io::Pool pool{1};
    std::unique_ptr<storage::Store> store;
    std::unique_ptr<Platform> platform;
    std::unique_ptr<TurnShelf> shelf;
    IdSource ids{random};
    TurnShelf::Owner owner{ids.next<OrganisationId>(Time()), ids.next<ProjectId>(Time())};

    Shelf() { restart(); }
    ~Shelf() override {
        shelf.reset();
        platform.reset();
        // Its one thread removes files behind the changes.
        EXPECT_TRUE(runtime.block_on(pool.run([] { return true; })));
        std::filesystem::remove_all(folder);
    }
    static std::filesystem::path made_folder() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "penstock-turns-XXXXXX").string();
        EXPECT_NE(mkdtemp(pattern.data()), nullptr);
        return pattern;
    }
    void restart() {
        shelf.reset();
        platform.reset();
        store.reset();
        store = *storage::open("sqlite://" + (folder / "state.db").string());
        platform = std::make_unique<Platform>(
            runtime, *store, PlatformOptions{.state_dir = folder, .free_bytes_min = 0}, clock,
            random, telemetry::Logger(), metrics
        );
        EXPECT_TRUE(platform->restore());
        shelf = std::make_unique<TurnShelf>(folder / "responses", *platform, pool);
        EXPECT_TRUE(shelf->open());
    }
    void commit(Change change) {
        EXPECT_TRUE(runtime.block_on(platform->committed(platform->commit(std::move(change)))));
    }

    ExpandTurn about(const std::string& previous = {}) const {
        ExpandTurn turn{owner.organisation_id, owner.project_id};
        if (!previous.empty()) turn.previous_response_id = previous;
        return turn;
    }
    // "kept", "repeated" or the error.
    std::string keep(const std::string& id, const ExpandTurn& turn) {
        const std::string input =
            R"([{"type":"message","role":"user","content":"to )" + id + "\"}]";
        const std::string output =
            R"({"id":")" + id + R"(","output":[{"type":"message","id":"m","content":[]}]})";
        const Result<KeptTurn> done = runtime.block_on(shelf->keep({turn, id, {input}, {output}}));
        if (!done) return to_string(done.error());
        return done->repeated ? "repeated" : "kept";
    }
    std::string keep_after(const std::string& id, const std::string& previous) {
        ExpandTurn turn = about(previous);
        turn.store = true;
        return keep(id, turn);
    }
    // What a turn after `id` would begin with: the texts of the user's, or the error.
    std::string before(const ExpandTurn& turn) {
        const Result<std::string> items = runtime.block_on(shelf->expand(turn));
        if (!items) return to_string(items.error());
        std::string out;
        for (std::size_t at = items->find("\"to "); at != std::string::npos;
             at = items->find("\"to ", at + 1))
            out += items->substr(at + 4, items->find('"', at + 1) - at - 4) + " ";
        return out;
    }
    std::string chain(const std::string& id) { return before(about(id)); }
    bool reads(const std::string& id) const { return shelf->response(owner, id).has_value(); }
    void forget(const std::string& id) {
        Change change;
        shelf->forget_response(change, id);
        commit(std::move(change));
    }
    void let_pass(Duration time) {
        clock.advance(time);
        Change change;
        shelf->sweep(change);
        commit(std::move(change));
    }
    ExpandTurn conversation() {
        Change change;
        ExpandTurn turn = about();
        turn.conversation = to_string(*shelf->create(change, owner, {}));
        commit(std::move(change));
        return turn;
    }
    std::size_t files() const {
        std::size_t count = 0;
        for (const auto& entry : std::filesystem::directory_iterator(folder / "responses"))
            count += entry.is_regular_file() ? 1 : 0;
        return count;
    }
};

// ---- once for each id

using KeptTurns = Shelf;

TEST_F(KeptTurns, ATurnOfAConversationIsAddedOnce) {
    const ExpandTurn turn = conversation();

    EXPECT_EQ(keep("a", turn), "kept");
    EXPECT_EQ(keep("b", turn), "kept");
    EXPECT_EQ(keep("a", turn), "repeated");
    restart();
    EXPECT_EQ(keep("b", turn), "repeated");

    EXPECT_EQ(before(turn), "a b ");
}

TEST_F(KeptTurns, ATurnThatIsStoredTooIsOneChange) {
    ExpandTurn turn = conversation();
    turn.store = true;
    const auto ticket = platform->last_ticket();

    EXPECT_EQ(keep("a", turn), "kept");
    EXPECT_EQ(platform->last_ticket(), ticket + 1) << "a crash leaves both or neither";
    restart();
    EXPECT_EQ(keep("a", turn), "repeated");

    EXPECT_TRUE(reads("a"));
    EXPECT_EQ(before(turn), "a ");
}

TEST_F(KeptTurns, AConversationRemembersItsLastTurnsAlone) {
    const ExpandTurn turn = conversation();
    for (int i = 0; i < 40; ++i) EXPECT_EQ(keep("r" + std::to_string(i), turn), "kept");

    const auto id = *ConversationId::parse(*turn.conversation);
    EXPECT_EQ(platform->conversations.at(id).turns.size(), kTurnsRememberedMax);
    EXPECT_EQ(keep("r39", turn), "repeated");
}

// ---- chains

using Chains = Shelf;

TEST_F(Chains, GoOnAfterTheirBeginningWasDeleted) {
    keep_after("a", "");
    keep_after("b", "a");
    forget("a");

    EXPECT_FALSE(reads("a"));
    EXPECT_EQ(
        chain("a"),
        "not_found: previous_response_id: there is nothing kept as 'a' in this project: it was not "
        "stored (send store: true), was deleted, or is older than 30 days"
    );
    EXPECT_EQ(chain("b"), "a b ");
    restart();
    EXPECT_FALSE(reads("a"));
    EXPECT_EQ(keep_after("c", "b"), "kept");
    EXPECT_EQ(chain("c"), "a b c ");
}

TEST_F(Chains, WhatWasDeletedGoesWithTheLastThatRestsOnIt) {
    keep_after("a", "");
    keep_after("b", "a");
    keep_after("c", "b");
    keep_after("d", "b");
    forget("a");
    forget("b");
    forget("c");
    EXPECT_EQ(chain("d"), "a b d ");
    EXPECT_EQ(platform->responses.size(), 3U);

    restart();
    forget("d");

    EXPECT_TRUE(platform->responses.empty());
    restart();
    EXPECT_EQ(files(), 0U);
}

TEST_F(Chains, ThatAreUsedOutliveTheirFirstLinks) {
    keep_after("a", "");
    let_pass(20 * 24h);
    keep_after("b", "a");
    let_pass(20 * 24h);

    EXPECT_FALSE(reads("a"));
    EXPECT_EQ(chain("b"), "a b ");
    let_pass(20 * 24h);
    EXPECT_TRUE(platform->responses.empty());
}

TEST_F(Chains, SayWhatIsGoneWhereItWentWhileTheAnswerWasMade) {
    keep_after("a", "");
    forget("a");
    keep_after("b", "a");

    EXPECT_TRUE(reads("b"));
    EXPECT_EQ(
        chain("b"),
        "not_found: previous_response_id: 'b' goes back to 'a', of which nothing is kept any more: "
        "send the conversation whole, or begin anew"
    );
    forget("b");
    EXPECT_TRUE(platform->responses.empty());
}

}  // namespace
}  // namespace penstock::server
