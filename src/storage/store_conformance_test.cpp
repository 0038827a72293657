// SPDX-License-Identifier: Apache-2.0
// What every Store does, whatever is behind it. Runs once per engine.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>

#include "storage/connection.h"
#include "storage/recorder.h"
#include "storage/schema.h"
#include "storage/store.h"
#include "storage/test_databases.h"

namespace penstock::storage {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr const char* kAwkward = "a \"quoted\" \\ {brace}, 'single'; :name ::text\n\t算力 $1 ?";

Time at(std::int64_t micros) { return Time(Duration(micros)); }

class StoreConformance : public testing::TestWithParam<Engine> {
  protected:
    void SetUp() override {
        url_ = databases_.fresh_url(GetParam());
        if (url_.empty())
            GTEST_SKIP() << "PostgreSQL's server binaries are not installed (postgresql-15)";
        reopen();
    }
    void reopen() {
        store_.reset();
        Result<std::unique_ptr<Store>> opened = open(url_);
        ASSERT_TRUE(opened) << opened.error().message;
        store_ = *std::move(opened);
    }
    Recorder loaded() {
        Recorder recorder;
        const Result<void> done = store_->load(recorder);
        EXPECT_TRUE(done) << done.error().message;
        return recorder;
    }
    Result<void> commit(std::vector<Write> writes) {
        return store_->commit(Batch{std::move(writes)});
    }
    // A way around the Store, as a person with a database shell has it.
    std::unique_ptr<Connection> shell() {
        const bool sqlite = GetParam() == Engine::sqlite;
        return *Connection::open(
            {GetParam(), "shell", {}}, sqlite ? "dbname=\"" + url_.substr(9) + "\" timeout=5" : url_
        );
    }

    TestDatabases databases_;
    std::string url_;
    std::unique_ptr<Store> store_;
};

ledger::Transfer a_transfer() {
    return ledger::Transfer{
        .seq = 1,
        .id = ledger::TransferId(RawId{1, 2}),
        .request_hash = {RawId{~0ULL, 3}},
        .debit = ledger::AccountId(RawId{4, 5}),
        .credit = ledger::AccountId(RawId{6, 7}),
        .amount = Money::micro(kMax),
        .kind = ledger::TransferKind::pending,
        .chain = 1,
        .deadline = at(kMax),
        .code = ledger::TransferCode::expiry,
        .ref_type = "task",
        .ref_id = "算\"力",
        .ts = at(-1)
    };
}

TEST_P(StoreConformance, EveryKindOfRowComesBackAsItWent) {
    const PutEntity entity{"task", "tk_1", kAwkward, 7};
    const AppendEvent event{kMax, at(5), "task/tk_1", "created", "", kAwkward};
    const AppendUsage usage{"u1", at(6), "acme", "globex", kAwkward, "{}"};
    const PutIdempotency answer{"acme", kAwkward, "hash", 201, "", at(8)};
    const ledger::AccumulatorRow accumulator{"c1", "buyer", {Money::micro(-3), 999'999'999}};
    ledger::Account account{
        .spec =
            {.id = ledger::AccountId(RawId{4, 5}),
             .asset = "BEAN:算",
             .kind = ledger::AccountKind::lot,
             .owner = "it's",
             .debits_not_over_credits = true,
             .credits_not_over_debits = false},
        .closed = true,
        .dr_pend = Money::micro(1),
        .dr_post = Money::micro(2),
        .cr_pend = Money::micro(3),
        .cr_post = Money::micro(kMax),
        .version = 9
    };
    ledger::Transfer pending = a_transfer(), post = a_transfer();
    post.seq = 2;
    post.id = ledger::TransferId(RawId{1, 3});
    post.kind = ledger::TransferKind::post;
    post.pending_id = pending.id;
    post.deadline.reset();
    const ledger::Hold hold{pending.id,     pending.debit, pending.credit,
                            pending.amount, std::nullopt,  ledger::HoldState::posted};
    const ledger::BurntId burnt{
        ledger::TransferId(RawId{9, 9}), {RawId{8, 8}}, ledger::Reason::overflow, at(10)
    };

    Batch batch;
    batch.add(
        {.accounts = {account}, .transfers = {pending, post}, .holds = {hold}, .burnt = {burnt}}
    );
    for (const Write& write :
         std::vector<Write>{entity, event, usage, answer, PutAccumulator{accumulator}})
        batch.add(write);
    const Result<void> done = store_->commit(batch);
    ASSERT_TRUE(done) << done.error().message;
    reopen();
    const Recorder back = loaded();

    EXPECT_EQ(back.entities, std::vector{entity});
    EXPECT_EQ(back.events, std::vector{event});
    EXPECT_EQ(back.usages, std::vector{usage});
    EXPECT_EQ(back.answers, std::vector{answer});
    EXPECT_EQ(back.accumulators, std::vector{accumulator});
    EXPECT_EQ(back.ledger.accounts, std::vector{account});
    EXPECT_EQ(back.ledger.transfers, (std::vector{pending, post}));
    EXPECT_EQ(back.ledger.holds, std::vector{hold});
    EXPECT_EQ(back.ledger.burnt, std::vector{burnt});
    EXPECT_EQ(*store_->last_event_seq(), kMax);
}

TEST_P(StoreConformance, ALaterWriteToTheSameKeyWins) {
    ASSERT_TRUE(commit(
        {PutEntity{"task", "a", "1", 1}, PutEntity{"task", "a", "2", 2},
         PutEntity{"site", "a", "3", 1}}
    ));
    ASSERT_TRUE(commit(
        {DeleteEntity{"site", "a"}, PutEntity{"node", "b", "4", 1}, DeleteEntity{"node", "b"}}
    ));
    ASSERT_TRUE(commit({DeleteEntity{"task", "a"}, PutEntity{"task", "a", "5", 3}}));
    ASSERT_TRUE(commit(
        {PutIdempotency{"t", "k", "h", 200, "", at(1)},
         PutIdempotency{"t", "l", "h", 200, "", at(1)}}
    ));
    ASSERT_TRUE(commit({DeleteIdempotency{"t", "k"}, DeleteIdempotency{"t", "never there"}}));

    const Recorder back = loaded();

    EXPECT_EQ(back.entities, (std::vector{PutEntity{"task", "a", "5", 3}}));
    ASSERT_EQ(back.answers.size(), 1U);
    EXPECT_EQ(back.answers[0].key, "l");
}

TEST_P(StoreConformance, ABatchThatFailsLeavesNothingBehind) {
    ASSERT_TRUE(commit({AppendEvent{1, at(1), "s", "t", "", "{}"}}));

    const Result<void> done = commit(
        {PutEntity{"task", "a", "1", 1}, AppendEvent{2, at(1), "s", "t", "", "{}"},
         AppendEvent{1, at(1), "s", "t", "", "{}"}}
    );

    EXPECT_EQ(done.error().code, ErrorCode::internal);
    EXPECT_TRUE(loaded().entities.empty());
    EXPECT_EQ(*store_->last_event_seq(), 1);
    EXPECT_TRUE(commit({AppendEvent{2, at(1), "s", "t", "", "{}"}}));
}

TEST_P(StoreConformance, AUsageRecordOrTransferNeverComesTwice) {
    ASSERT_TRUE(commit({AppendUsage{"u1", at(1), "t", "s", "{}"}, AppendTransfer{a_transfer()}}));
    ledger::Transfer same_id = a_transfer();
    same_id.seq = 2;

    EXPECT_FALSE(commit({AppendUsage{"u1", at(2), "t", "s", "{}"}}));
    EXPECT_FALSE(commit({AppendTransfer{a_transfer()}}));
    EXPECT_FALSE(commit({AppendTransfer{same_id}}));

    EXPECT_EQ(loaded().usages.size(), 1U);
    EXPECT_EQ(loaded().ledger.transfers.size(), 1U);
}

TEST_P(StoreConformance, TextThatOneEngineCouldNotHoldIsRefused) {
    EXPECT_EQ(
        commit({PutEntity{"task", std::string("a\0b", 3), "", 1}}).error().code,
        ErrorCode::invalid_argument
    );
    EXPECT_EQ(
        commit({PutEntity{"task", "a", "\xFF", 1}}).error().message,
        "a row of 'entity' holds text that is not UTF-8 or has a NUL"
    );
    EXPECT_TRUE(loaded().entities.empty());
}

TEST_P(StoreConformance, AppendOnlyTablesRefuseAChangeByHand) {
    ASSERT_TRUE(commit({AppendEvent{1, at(1), "s", "t", "", "{}"}, AppendTransfer{a_transfer()}}));
    const auto by_hand = shell();
    for (const char* sql :
         {"UPDATE transfer SET amount = 1", "DELETE FROM transfer", "UPDATE event SET body = ''",
          "DELETE FROM event"}) {
        const Result<void> done = by_hand->execute(sql);
        ASSERT_FALSE(done) << sql;
        EXPECT_NE(done.error().message.find("is append-only"), std::string::npos)
            << done.error().message;
    }
    EXPECT_EQ(loaded().ledger.transfers[0], a_transfer());
}

TEST_P(StoreConformance, ASecondOwnerIsRefusedUntilTheFirstIsGone) {
    const Result<std::unique_ptr<Store>> second = open(url_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::unavailable);
    EXPECT_NE(second.error().message.find("another server"), std::string::npos)
        << second.error().message;
    store_.reset();
    EXPECT_TRUE(open(url_));
}

TEST_P(StoreConformance, AnOwnerWhoseEpochHasPassedWritesNothing) {
    ASSERT_TRUE(shell()->execute("UPDATE owner SET epoch = epoch + 1"));

    const Result<void> done = commit({PutEntity{"task", "a", "1", 1}});

    EXPECT_EQ(done.error().code, ErrorCode::unavailable);
    EXPECT_NE(done.error().message.find("taken over"), std::string::npos);
    EXPECT_TRUE(loaded().entities.empty());
}

TEST_P(StoreConformance, ANewerOrForeignSchemaIsRefused) {
    ASSERT_TRUE(shell()->execute("INSERT INTO schema_migration VALUES (99, 'from the future', 'x')")
    );
    store_.reset();
    const Result<std::unique_ptr<Store>> newer = open(url_);
    ASSERT_FALSE(newer);
    EXPECT_NE(
        newer.error().message.find(fmt::format(
            "has schema 99 ('from the future'), this program knows {} only",
            migrations(GetParam()).size()
        )),
        std::string::npos
    ) << newer.error().message;

    ASSERT_TRUE(shell()->execute("DELETE FROM schema_migration WHERE number = 99"));
    ASSERT_TRUE(shell()->execute("UPDATE schema_migration SET checksum = 'other'"));
    const Result<std::unique_ptr<Store>> foreign = open(url_);
    ASSERT_FALSE(foreign);
    EXPECT_NE(foreign.error().message.find("is not the one of this program"), std::string::npos);
}

TEST_P(StoreConformance, EventsComeInPagesBySubjectAndTenant) {
    std::vector<Write> writes;
    for (std::int64_t seq = 1; seq <= 20; ++seq)
        writes.push_back(AppendEvent{
            seq, at(seq), seq % 2 == 0 ? "task/a" : "task/b", "t", seq > 10 ? "acme" : "other", "{}"
        });
    ASSERT_TRUE(commit(std::move(writes)));
    const auto seqs = [&](const EventFilter& filter) {
        const Result<Page<AppendEvent>> page = store_->events(filter);
        std::string text = page ? "" : page.error().message;
        for (const AppendEvent& event : page->rows) text += fmt::format("{} ", event.seq);
        return text + (page->more ? "more" : "end");
    };

    EXPECT_EQ(seqs({.after_seq = 0, .limit = 3}), "1 2 3 more");
    EXPECT_EQ(seqs({.after_seq = 17, .limit = 3}), "18 19 20 end");
    EXPECT_EQ(seqs({.after_seq = 4, .subject = "task/a", .limit = 2}), "6 8 more");
    EXPECT_EQ(seqs({.tenant = "acme", .limit = 4}), "11 12 13 14 more");
    EXPECT_EQ(seqs({.after_seq = 14, .subject = "task/b", .tenant = "acme"}), "15 17 19 end");
    EXPECT_EQ(seqs({.subject = "task/c"}), "end");
}

TEST_P(StoreConformance, CountsEventsAsItReadsThem) {
    Batch batch;
    for (int i = 1; i <= 30; ++i)
        batch.add(AppendEvent{i, at(i), i % 2 == 0 ? "a" : "b", "t", i % 3 == 0 ? "x" : "y", "{}"});
    ASSERT_TRUE(store_->commit(batch));

    EXPECT_EQ(*store_->count_events({}), 30);
    EXPECT_EQ(*store_->count_events({.after_seq = 10, .limit = 1}), 20);
    EXPECT_EQ(*store_->count_events({.subject = "a", .tenant = "x"}), 5);
    EXPECT_EQ(*store_->count_events({.tenant = "z"}), 0);
}

TEST_P(StoreConformance, LoadsMoreRowsThanOneReadTakes) {
    Batch batch;
    for (int i = 0; i < 10'000; ++i)
        batch.add(PutEntity{i % 2 == 0 ? "a" : "b", fmt::format("{:05}", i), "{}", i});
    for (int i = 1; i <= 8'192; ++i) batch.add(AppendEvent{i, at(i), "s", "t", "", "{}"});
    ASSERT_TRUE(store_->commit(batch));

    const Recorder back = loaded();

    ASSERT_EQ(back.entities.size(), 10'000U);
    EXPECT_EQ(back.entities[4'999].id, "09998");
    EXPECT_EQ(back.entities[5'000].id, "00001");
    EXPECT_EQ(back.events.size(), 8'192U);
    EXPECT_EQ(back.events.back().seq, 8'192);
}

TEST_P(StoreConformance, LoadingStopsAtTheVisitorsFirstErrorAndKeepsToItsScope) {
    class Refuser final : public Visitor {
      public:
        int seen = 0;
        Result<void> entity(PutEntity) override {
            ++seen;
            return fail(ErrorCode::internal, "enough");
        }
        Result<void> account(ledger::Account) override { return {}; }
        Result<void> transfer(ledger::Transfer) override { return {}; }
        Result<void> hold(ledger::Hold) override { return {}; }
        Result<void> accumulator(ledger::AccumulatorRow) override { return {}; }
        Result<void> burnt(ledger::BurntId) override { return {}; }
        Result<void> idempotency(PutIdempotency) override { return {}; }
        Result<void> usage(AppendUsage) override { return {}; }
        Result<void> event(AppendEvent) override { return {}; }
    };
    ASSERT_TRUE(commit(
        {PutEntity{"a", "1", "", 1}, PutEntity{"a", "2", "", 1},
         AppendEvent{1, at(1), "s", "t", "", ""}, AppendUsage{"u", at(1), "t", "p", "s", ""}}
    ));
    Refuser refuser;
    Recorder recorder;

    EXPECT_EQ(store_->load(refuser).error().message, "enough");
    EXPECT_EQ(refuser.seen, 1);
    ASSERT_TRUE(store_->load(recorder, {.usage = false, .events = false}));
    EXPECT_EQ(recorder.entities.size(), 2U);
    EXPECT_TRUE(recorder.events.empty());
    EXPECT_TRUE(recorder.usages.empty());
}

TEST_P(StoreConformance, ALedgerComesBackByteForByte) {
    ledger::Ledger ledger;
    SeededRandom random(7);
    const auto account = [](std::uint64_t n) { return ledger::AccountId(RawId{1, n + 1}); };
    Batch batch;
    for (std::uint64_t n = 0; n < 4; ++n)
        batch.add(ledger.open_account({.id = account(n), .debits_not_over_credits = n != 0})->rows);
    for (std::uint64_t i = 1; i <= 500; ++i) {
        const Time now = at(static_cast<std::int64_t>(i));
        ledger::TransferRequest request{
            .id = ledger::TransferId(RawId{2, random.below(400)}),
            .amount = Money::micro(static_cast<std::int64_t>(random.below(50) + 1))
        };
        const std::uint64_t kind = random.below(4), from = random.below(4);
        request.kind = static_cast<ledger::TransferKind>(kind);
        if (kind <= 1) {
            request.debit = account(from);
            request.credit = account((from + 1 + random.below(3)) % 4);
            if (kind == 1) request.deadline = now + Duration(random.below(40) + 1);
        } else {
            request.pending_id = ledger::TransferId(RawId{2, random.below(400)});
            if (kind == 3) request.amount.reset();
        }
        request.ref_id = fmt::format("r{}", random.below(20));
        batch.add(ledger.submit(request, now).rows);
        batch.add(ledger.expire(now).rows);
        if (i % 50 != 0) continue;
        ASSERT_TRUE(store_->commit(batch));
        batch = {};
    }
    reopen();

    const Result<ledger::Ledger> back = ledger::Ledger::restore(loaded().ledger);

    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->render(), ledger.render());
    EXPECT_GT(ledger.last_seq(), 100U);
    EXPECT_TRUE(back->verify());
}

std::string engine_name(const testing::TestParamInfo<Engine>& info) {
    return info.param == Engine::sqlite ? "Sqlite" : "Postgresql";
}
INSTANTIATE_TEST_SUITE_P(
    Engines, StoreConformance, testing::Values(Engine::sqlite, Engine::postgresql), engine_name
);

}  // namespace
}  // namespace penstock::storage
