// SPDX-License-Identifier: Apache-2.0
#include "ledger/ledger.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "ledger/ledger_fixture.h"

namespace penstock::ledger {
namespace {

TEST(Ledger, RefusesToOverdrawAPrepaidAccount) {
    LedgerFixture f("buyer 100, seller");

    f.apply("hold buyer seller 80 job-1 -> ok");
    f.apply("hold buyer seller 30 job-2 -> debit_over_available");

    EXPECT_EQ(f.balances(), "buyer available=20 held=80, seller available=0 held=0");
}

TEST(Ledger, GrantsOnlyAsManyHoldsAsTheBalanceCovers) {
    LedgerFixture f("buyer 5000, seller");

    f.apply("hold buyer seller 1000 h1 -> ok");
    f.apply("hold buyer seller 1000 h2 -> ok");
    f.apply("hold buyer seller 1000 h3 -> ok");
    f.apply("hold buyer seller 1000 h4 -> ok");
    f.apply("hold buyer seller 1000 h5 -> ok");
    f.apply("hold buyer seller 1000 h6 -> debit_over_available");

    EXPECT_EQ(f.balances(), "buyer available=0 held=5000, seller available=0 held=0");
}

TEST(Ledger, PostingPartOfAHoldReleasesTheRest) {
    LedgerFixture f("buyer 100, seller");

    f.apply("hold buyer seller 80 h -> ok");
    f.apply("post h 81 p0 -> amount_over_hold");
    f.apply("post h 50 p1 -> ok");
    f.apply("post h 1 p2 -> hold_already_posted");
    f.apply("void h v -> hold_already_posted");

    EXPECT_EQ(f.balances(), "buyer available=50 held=0, seller available=50 held=0");
    EXPECT_EQ(f.ledger().open_hold_count(), 0U);
}

TEST(Ledger, PostingAllNeedsNoAmountAndZeroIsRefused) {
    LedgerFixture f("buyer 100, seller");

    f.apply("hold buyer seller 80 h -> ok");
    f.apply("post h 0 p -> amount_not_positive");
    f.apply("post h all p -> ok");

    EXPECT_EQ(f.balances(), "buyer available=20 held=0, seller available=80 held=0");
}

TEST(Ledger, VoidingReleasesAllAndOnlyOnce) {
    LedgerFixture f("buyer 100, seller");

    f.apply("hold buyer seller 80 h -> ok");
    f.apply("void h v1 -> ok");
    f.apply("void h v2 -> hold_already_voided");
    f.apply("post h 1 p -> hold_already_voided");

    EXPECT_EQ(f.balances(), "buyer available=100 held=0, seller available=0 held=0");
}

TEST(Ledger, NothingPostsAtOrAfterTheDeadline) {
    LedgerFixture f("buyer 100, seller");
    f.apply("hold buyer seller 80 h until 60s -> ok");

    f.at("60s");
    f.apply("post h 1 p1 -> hold_expired");
    f.apply("hold buyer seller 30 h2 -> debit_over_available");
    EXPECT_EQ(f.expire(), "h");
    f.apply("post h 1 p2 -> hold_expired");
    f.apply("void h v -> hold_expired");

    EXPECT_EQ(f.balances(), "buyer available=100 held=0, seller available=0 held=0");
}

TEST(Ledger, ExpiresOldestDeadlineFirstAndOnlyWhatIsDue) {
    LedgerFixture f("buyer 100, seller");
    f.apply("hold buyer seller 10 late until 90s -> ok");
    f.apply("hold buyer seller 10 soon until 30s -> ok");
    f.apply("hold buyer seller 10 never -> ok");
    f.apply("hold buyer seller 10 middle until 60s -> ok");

    f.at("60s");

    EXPECT_EQ(f.expire(), "soon middle");
    EXPECT_EQ(f.expire(), "");
    EXPECT_EQ(f.ledger().next_deadline(), f.now() + 30s);
    EXPECT_EQ(f.balances(), "buyer available=80 held=20, seller available=0 held=0");
}

TEST(Ledger, AHoldMustEndInTheFuture) {
    LedgerFixture f("buyer 100, seller");
    f.at("60s");
    f.apply("hold buyer seller 10 h until 60s -> deadline_passed");
}

TEST(Ledger, TimeNeverRunsBack) {
    LedgerFixture f("buyer 100, seller");
    f.at("60s");
    f.apply("move buyer seller 1 t1 -> ok");
    f.at("10s");
    f.apply("move buyer seller 1 t2 -> ok");
    EXPECT_EQ(f.transfer("t2").ts, f.transfer("t1").ts);
}

TEST(Ledger, AChainHappensWholeOrNotAtAll) {
    LedgerFixture f("buyer 100, seller, fee");

    f.apply("move buyer seller 60 a1 + move buyer fee 60 a2 -> linked_failed/debit_over_available");
    f.apply("move buyer seller 60 b1 + move buyer fee 40 b2 -> ok/ok");

    EXPECT_EQ(
        f.balances(),
        "buyer available=0 held=0, seller available=60 held=0, fee available=40 held=0"
    );
    EXPECT_EQ(f.transfer("b2").chain, f.transfer("b1").seq);
}

TEST(Ledger, AChainMaySpendWhatItsEarlierMembersBrought) {
    LedgerFixture f("buyer, seller");
    f.apply("move bank buyer 10 t + hold buyer seller 10 h + post h 4 p -> ok/ok/ok");
    EXPECT_EQ(f.balances(), "buyer available=6 held=0, seller available=4 held=0");
}

TEST(Ledger, AFailedChainLeavesAHoldAsItWas) {
    LedgerFixture f("buyer 100, seller");
    f.apply("hold buyer seller 80 h until 60s -> ok");
    const std::string before = f.ledger().render();

    f.apply("post h 50 p + post h 30 q -> linked_failed/hold_already_posted");
    f.apply("void h v + move buyer seller 101 t -> linked_failed/debit_over_available");

    EXPECT_EQ(f.ledger().render(), before);
    EXPECT_NE(f.ledger().find_hold(f.id("h")), nullptr);
    EXPECT_TRUE(f.ledger().next_deadline().has_value());
}

TEST(Ledger, TheSameRequestGetsTheFirstAnswerAgain) {
    LedgerFixture f("buyer 100, seller");
    const ChainResult first = f.submit("move buyer seller 60 t");

    const ChainResult second = f.submit("move buyer seller 60 t");

    EXPECT_TRUE(second.repeated);
    EXPECT_EQ(second.answers, first.answers);
    EXPECT_TRUE(second.rows.empty());
    EXPECT_EQ(f.balances(), "buyer available=40 held=0, seller available=60 held=0");
}

TEST(Ledger, AnIdThatFailedForAPassingReasonStaysFailed) {
    LedgerFixture f("buyer 10, seller");
    f.apply("move buyer seller 60 t -> debit_over_available");
    f.apply("move bank buyer 100 top-up -> ok");

    f.apply("move buyer seller 60 t -> debit_over_available");
    f.apply("move buyer seller 60 t2 -> ok");
}

TEST(Ledger, ARequestThatIsWrongInItselfDoesNotBurnItsId) {
    LedgerFixture f("buyer 10, seller");
    f.apply("move buyer seller 0 t -> amount_not_positive");
    f.apply("move buyer seller -5 t -> amount_not_positive");
    f.apply("move buyer buyer 5 t -> accounts_same");
    f.apply("move buyer seller 5 t -> ok");
}

TEST(Ledger, AnIdIsNeverUsedForTwoRequests) {
    LedgerFixture f("buyer 100, seller");
    f.apply("move buyer seller 60 t -> ok");
    f.apply("move buyer seller 61 t -> id_reused");
    f.apply("move buyer seller 60 t + move buyer seller 1 u -> id_reused/linked_failed");
    f.apply("move buyer seller 1 u + move buyer seller 60 t -> linked_failed/id_reused");
    f.apply("move buyer seller 1 u -> ok");
}

TEST(Ledger, OneIdTwiceInAChainIsRefused) {
    LedgerFixture f("buyer 100, seller");
    f.apply("move buyer seller 1 t + move buyer seller 1 t -> linked_failed/id_reused");
    EXPECT_EQ(f.balances(), "buyer available=100 held=0, seller available=0 held=0");
    f.apply("move buyer seller 1 t -> ok");
}

TEST(Ledger, ARepeatedChainIsAnsweredWhole) {
    LedgerFixture f("buyer 100, seller");
    f.apply("move buyer seller 60 a + move buyer seller 60 b -> linked_failed/debit_over_available"
    );
    f.apply("move bank buyer 100 top-up -> ok");
    f.apply("move buyer seller 60 a + move buyer seller 60 b -> linked_failed/debit_over_available"
    );
    f.apply("move buyer seller 60 a -> id_reused");
}

TEST(Ledger, NamesUnknownClosedAndForeignAccounts) {
    LedgerFixture f("buyer 10, seller, gone");
    EXPECT_TRUE(f.ledger().close_account(f.account("gone")));
    f.apply("move nobody seller 1 t1 -> debit_not_found");
    f.apply("move buyer nobody 1 t2 -> credit_not_found");
    f.apply("move buyer gone 1 t3 -> account_closed");
    f.apply("move buyer beans 1 t4 -> assets_differ");
    f.apply("post nothing 1 t5 -> hold_not_found");
    f.apply("post fund-buyer 1 t6 -> hold_not_found");
}

TEST(Ledger, AnAccountMayBeLimitedOnItsCreditSide) {
    LedgerFixture f("buyer 10");
    f.apply("move buyer sink 1 t1 -> credit_over_limit");
    f.apply("move sink buyer 5 t2 -> ok");
    f.apply("move buyer sink 5 t3 -> ok");
    f.apply("hold buyer sink 1 t4 -> credit_over_limit");
}

TEST(Ledger, TotalsNeverWrap) {
    LedgerFixture f("a, b");
    f.apply("move bank a 9223372036854775807 t1 -> ok");
    f.apply("move bank b 1 t2 -> overflow");
    f.apply("hold a b 9223372036854775807 h1 -> ok");
    f.apply("post h1 all p1 -> ok");
    f.apply("move b a 1 t3 -> overflow");
}

TEST(Ledger, OnlyAnEmptyAccountCloses) {
    LedgerFixture f("buyer 10, seller");
    EXPECT_EQ(
        f.ledger().close_account(f.account("buyer")).error().message,
        "account " + to_string(f.account("buyer")) +
            " has a balance of 0.00001 or open holds; move or resolve them first"
    );
    EXPECT_EQ(f.ledger().close_account(f.account("seller"))->accounts.size(), 1U);
    EXPECT_TRUE(f.ledger().close_account(f.account("seller"))->empty());
    EXPECT_TRUE(f.ledger().verify());
}

TEST(Ledger, OpeningAnAccountIsIdempotent) {
    LedgerFixture f("buyer 10");
    const AccountSpec spec = f.ledger().find_account(f.account("buyer"))->spec;
    AccountSpec other = spec;
    other.owner = "somebody else";

    EXPECT_EQ(f.ledger().open_account(spec)->account.balance(), Money::micro(10));
    EXPECT_TRUE(f.ledger().open_account(spec)->rows.empty());
    EXPECT_EQ(f.ledger().open_account(other).error().code, ErrorCode::conflict);
    EXPECT_EQ(f.ledger().open_account(AccountSpec{}).error().field, "id");
}

TEST(Ledger, RefusesWhatAStoreOrAScreenCouldNotHold) {
    LedgerFixture f("buyer 10, seller");
    TransferRequest request = f.request("move buyer seller 1 t");
    request.ref_type = "task";
    for (const std::string& bad :
         {std::string("a\0b", 3), std::string("\xC0\x80"), std::string("\n"),
          std::string("\xED\xA0\x80"), std::string("\xE2\x82")}) {
        request.ref_id = bad;
        EXPECT_EQ(f.ledger().submit(request, f.now()).answers[0].reason, Reason::ref_not_text);
    }
    request.ref_id = std::string(kRefBytesMax + 1, 'x');
    EXPECT_EQ(f.ledger().submit(request, f.now()).answers[0].reason, Reason::ref_too_long);
    request.ref_id = "算力 \"1\"";
    EXPECT_TRUE(f.ledger().submit(request, f.now()).ok());
}

TEST(Ledger, KeepsIdsAndKindsOfThePlatformToItself) {
    LedgerFixture f("buyer 10, seller");
    TransferRequest request = f.request("move buyer seller 1 t");
    request.id = TransferId(RawId{0xFFFF'0000'0000'0000, 7});
    EXPECT_EQ(f.ledger().submit(request, f.now()).answers[0].reason, Reason::id_reserved);
    request.id = TransferId();
    EXPECT_EQ(f.ledger().submit(request, f.now()).answers[0].reason, Reason::id_missing);
    request = f.request("void fund-buyer t");
    request.kind = TransferKind::expire;
    EXPECT_EQ(f.ledger().submit(request, f.now()).answers[0].reason, Reason::kind_reserved);
}

TEST(Ledger, TellsAPersonWhichMemberFailedAndWhatHelps) {
    LedgerFixture f("buyer 10, seller");
    const ChainResult done = f.submit("move buyer seller 1 a + move buyer seller 10 b");
    const Error error = done.result().error();
    EXPECT_EQ(error.code, ErrorCode::insufficient_funds);
    EXPECT_EQ(
        error.message,
        "transfer 2 of 2 " + to_string(f.id("b")) +
            " failed (debit_over_available): the account to debit has less available "
            "than the amount (holds count); top it up, then retry under a new id"
    );
    EXPECT_EQ(
        f.ledger().submit(std::span<const TransferRequest>(), f.now()).result().error().code,
        ErrorCode::invalid_argument
    );
}

TEST(Ledger, PreviewAnswersWithoutAnyEffect) {
    LedgerFixture f("buyer 100, seller");
    const std::string before = f.ledger().render();
    const std::array good = {f.request("hold buyer seller 80 h"), f.request("post h 5 p")};
    const std::array bad = {f.request("move buyer seller 101 t")};

    EXPECT_EQ(f.ledger().preview(good, f.now())[1].reason, Reason::ok);
    EXPECT_EQ(f.ledger().preview(bad, f.now())[0].reason, Reason::debit_over_available);

    EXPECT_EQ(f.ledger().render(), before);
    f.apply("move bank buyer 1 top-up -> ok");
    f.apply("move buyer seller 101 t -> ok");
}

TEST(Ledger, PagesThroughTransfersNewestFirst) {
    LedgerFixture f("buyer 100, seller, other 5");
    f.apply("move buyer seller 1 t1 ref task:a -> ok");
    f.apply("move buyer seller 2 t2 ref task:b -> ok");
    f.apply("move other seller 3 t3 ref task:a -> ok");
    f.apply("move buyer seller 4 t4 ref task:a -> ok");
    const auto names = [&](const TransferPage& page) {
        std::string text;
        for (const Transfer& t : page.rows) text += f.name_of(t.id) + " ";
        return text + (page.more ? "more" : "end");
    };
    const TransferPage first = f.ledger().transfers_of(f.account("buyer"), 0, 2);

    EXPECT_EQ(names(first), "t4 t2 more");
    EXPECT_EQ(
        names(f.ledger().transfers_of(f.account("buyer"), first.rows.back().seq, 2)),
        "t1 fund-buyer end"
    );
    EXPECT_EQ(names(f.ledger().transfers_of(f.account("buyer"), 5, 9)), "t2 t1 fund-buyer end");
    EXPECT_EQ(names(f.ledger().transfers_by_ref("task", "a", 0, 2)), "t4 t3 more");
    EXPECT_EQ(names(f.ledger().transfers_by_ref("task", "a", 5, 2)), "t1 end");
    EXPECT_EQ(names(f.ledger().transfers_by_ref("task", "c", 0, 2)), "end");
}

TEST(Ledger, AFailedChainLeavesNoTraceUnderItsRef) {
    LedgerFixture f("buyer 100, seller");
    f.apply("move buyer seller 1 t1 ref task:a -> ok");
    f.apply(
        "move buyer seller 1 t2 ref task:a + move buyer seller 1 t3 ref task:b + move buyer seller "
        "99 t4 -> linked_failed/linked_failed/debit_over_available"
    );
    f.apply("move buyer seller 1 t5 ref task:c -> ok");

    ASSERT_EQ(f.ledger().transfers_by_ref("task", "a", 0, 9).rows.size(), 1U);
    EXPECT_EQ(f.name_of(f.ledger().transfers_by_ref("task", "a", 0, 9).rows[0].id), "t1");
    EXPECT_TRUE(f.ledger().transfers_by_ref("task", "b", 0, 9).rows.empty());
    ASSERT_EQ(f.ledger().transfers_by_ref("task", "c", 0, 9).rows.size(), 1U);
    EXPECT_EQ(f.ledger().transfers_of(f.account("buyer"), 0, 9).rows.size(), 3U);
}

TEST(Ledger, EveryFieldOfARequestIsPartOfWhatItsIdStandsFor) {
    LedgerFixture f("buyer 100, seller, other");
    const TransferRequest request = f.request("hold buyer seller 1 h until 60s ref task:a");
    ASSERT_TRUE(f.ledger().submit(request, f.now()).ok());
    const auto answer_to = [&](auto change) {
        TransferRequest changed = request;
        change(changed);
        return f.ledger().submit(changed, f.now()).answers[0].reason;
    };
    EXPECT_EQ(answer_to([](TransferRequest&) {}), Reason::ok);
    EXPECT_EQ(
        answer_to([](TransferRequest& r) { std::swap(r.debit, r.credit); }), Reason::id_reused
    );
    EXPECT_EQ(
        answer_to([&](TransferRequest& r) { r.credit = f.account("other"); }), Reason::id_reused
    );
    EXPECT_EQ(answer_to([](TransferRequest& r) { r.amount = Money::micro(2); }), Reason::id_reused);
    EXPECT_EQ(answer_to([](TransferRequest& r) { *r.deadline += 1us; }), Reason::id_reused);
    EXPECT_EQ(answer_to([](TransferRequest& r) { r.deadline.reset(); }), Reason::id_reused);
    EXPECT_EQ(answer_to([](TransferRequest& r) { r.code = TransferCode::fee; }), Reason::id_reused);
    EXPECT_EQ(answer_to([](TransferRequest& r) { r.ref_type = "job"; }), Reason::id_reused);
    EXPECT_EQ(answer_to([](TransferRequest& r) { r.ref_id = "b"; }), Reason::id_reused);
    EXPECT_EQ(
        answer_to([](TransferRequest& r) { r.ref_type = "taska", r.ref_id = ""; }),
        Reason::id_reused
    );
}

TEST(Ledger, ListsOpenHoldsOldestFirst) {
    LedgerFixture f("buyer 100, seller");
    f.apply("hold buyer seller 1 h2 -> ok");
    f.apply("hold buyer seller 2 h1 until 5s -> ok");
    f.apply("hold buyer seller 3 h3 -> ok");
    f.apply("void h2 v -> ok");
    const auto holds = f.ledger().open_holds(f.account("buyer"));
    ASSERT_EQ(holds.size(), 2U);
    EXPECT_EQ(f.name_of(holds[0]->pending_id), "h1");
    EXPECT_EQ(f.name_of(holds[1]->pending_id), "h3");
    EXPECT_EQ(f.ledger().hold_state(f.transfer("h2")), HoldState::voided);
}

TEST(Ledger, StoredRowsRestoreTheSameLedger) {
    LedgerFixture f("buyer 100, seller, gone");
    f.apply("hold buyer seller 10 h1 until 5s ref task:a -> ok");
    f.apply("hold buyer seller 20 h2 -> ok");
    f.apply("post h2 5 p2 -> ok");
    f.apply("hold buyer seller 30 h3 until 90s -> ok");
    f.apply("move buyer seller 999 broke -> debit_over_available");
    f.at("10s");
    EXPECT_EQ(f.expire(), "h1");
    f.collect(*f.ledger().close_account(f.account("gone")));

    Result<Ledger> again = Ledger::restore(f.stored());

    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->render(), f.ledger().render());
    EXPECT_TRUE(again->verify());
    EXPECT_EQ(again->next_deadline(), f.ledger().next_deadline());
    EXPECT_EQ(
        again->submit(f.request("move buyer seller 999 broke"), f.now()).answers[0].reason,
        Reason::debit_over_available
    );
    EXPECT_TRUE(again->submit(f.request("post h2 5 p2"), f.now()).repeated);
    EXPECT_EQ(
        again->submit(f.request("post h1 5 p1"), f.now()).answers[0].reason, Reason::hold_expired
    );
}

TEST(Ledger, RestoreNamesTheFirstRowThatContradictsTheOthers) {
    LedgerFixture f("buyer 100, seller");
    f.apply("hold buyer seller 10 h1 until 5s -> ok");
    f.apply("post h1 5 p1 -> ok");
    const auto error_after = [&](auto tamper) {
        Rows rows = f.stored();
        tamper(rows);
        const Result<Ledger> ledger = Ledger::restore(std::move(rows));
        return ledger ? std::string("accepted") : ledger.error().message;
    };
    EXPECT_EQ(error_after([](Rows&) {}), "accepted");
    EXPECT_NE(error_after([](Rows& r) { r.transfers[1].amount = Money::micro(11); }), "accepted");
    EXPECT_NE(error_after([](Rows& r) { r.transfers[2].amount = Money::micro(11); }), "accepted");
    EXPECT_NE(error_after([](Rows& r) { r.transfers.erase(r.transfers.begin()); }), "accepted");
    EXPECT_NE(error_after([](Rows& r) { r.transfers.pop_back(); }), "accepted");
    EXPECT_NE(error_after([](Rows& r) { r.transfers[2].ts -= 1s; }), "accepted");
    EXPECT_NE(error_after([](Rows& r) { r.transfers[1].id = r.transfers[0].id; }), "accepted");
    EXPECT_NE(
        error_after([](Rows& r) { std::swap(r.transfers[2].debit, r.transfers[2].credit); }),
        "accepted"
    );
    EXPECT_NE(error_after([](Rows& r) { r.accounts[0].dr_post = Money::micro(1); }), "accepted");
    EXPECT_NE(error_after([](Rows& r) { r.holds[0].state = HoldState::open; }), "accepted");
    EXPECT_NE(error_after([](Rows& r) { r.holds.clear(); }), "accepted");
}

TEST(Ledger, NamesOfStoredEnumsReadBack) {
    for (int i = 0; i <= static_cast<int>(Reason::seq_exhausted); ++i)
        EXPECT_EQ(*parse_reason(to_string(static_cast<Reason>(i))), static_cast<Reason>(i));
    for (int i = 0; i <= static_cast<int>(TransferCode::expiry); ++i)
        EXPECT_EQ(
            *parse_transfer_code(to_string(static_cast<TransferCode>(i))),
            static_cast<TransferCode>(i)
        );
    for (int i = 0; i <= static_cast<int>(AccountKind::clearing); ++i)
        EXPECT_EQ(
            *parse_account_kind(to_string(static_cast<AccountKind>(i))), static_cast<AccountKind>(i)
        );
    EXPECT_EQ(*parse_transfer_kind("void"), TransferKind::void_);
    EXPECT_EQ(*parse_hold_state("expired"), HoldState::expired);
    EXPECT_EQ(
        parse_hold_state("x").error().message,
        "'x' is not a hold state: one of open, posted, voided, expired"
    );
    EXPECT_EQ(to_string(TransferCode::expiry), "expiry");
    EXPECT_EQ(to_string(AccountKind::clearing), "clearing");
    EXPECT_EQ(to_string(Reason::amount_over_hold), "amount_over_hold");
    EXPECT_EQ(to_string(Reason::overflow), "overflow");
}

}  // namespace
}  // namespace penstock::ledger
