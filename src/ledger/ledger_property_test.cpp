// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "ledger/ledger.h"
#include "ledger/reference_ledger.h"

namespace penstock::ledger {
namespace {

constexpr std::uint64_t kAccounts = 6;  // the last is never opened
constexpr std::uint64_t kIds = 40;      // few, so that ids and holds meet again

AccountId account(std::uint64_t n) { return AccountId(RawId{1, n + 1}); }
TransferId transfer(std::uint64_t n) { return TransferId(RawId{2, n + 1}); }

std::vector<AccountSpec> accounts() {
    return {
        {.id = account(0), .kind = AccountKind::bank},
        {.id = account(1), .owner = "buyer", .debits_not_over_credits = true},
        {.id = account(2), .owner = "seller", .debits_not_over_credits = true},
        {.id = account(3), .credits_not_over_debits = true},
        {.id = account(4), .asset = "BEAN:acme"},
    };
}

// One step of a history: a chain, or the clock moving on, with or without the platform expiring.
struct Step {
    std::vector<TransferRequest> chain;
    Duration wait{};
    bool expire = false;
};

TransferRequest random_request(Time now) {
    TransferRequest request{.id = transfer(*rc::gen::inRange<std::uint64_t>(0, kIds))};
    const int kind = *rc::gen::weightedElement<int>({{4, 0}, {4, 1}, {3, 2}, {1, 3}});
    request.kind = static_cast<TransferKind>(kind);
    const Money amount = Money::micro(*rc::gen::inRange<std::int64_t>(1, 60));
    if (kind <= 1) {
        request.debit = account(*rc::gen::inRange<std::uint64_t>(0, kAccounts));
        const auto further = *rc::gen::inRange<std::uint64_t>(1, kAccounts);
        request.credit = account((request.debit.raw().low - 1 + further) % kAccounts);
        request.amount = amount;
        if (kind == 1 && *rc::gen::arbitrary<bool>())
            request.deadline = now + Duration(*rc::gen::inRange(0, 20));
        return request;
    }
    request.pending_id = transfer(*rc::gen::inRange<std::uint64_t>(0, kIds));
    if (kind == 2 && *rc::gen::arbitrary<bool>()) request.amount = amount;
    return request;
}

std::string render(const std::vector<Answer>& answers) {
    std::string text;
    for (const Answer& answer : answers) text += std::string(to_string(answer.reason)) + " ";
    return text;
}
std::string render(const std::vector<Reason>& reasons) {
    std::string text;
    for (const Reason reason : reasons) text += std::string(to_string(reason)) + " ";
    return text;
}

void assert_same_balances(const Ledger& ledger, const ReferenceLedger& reference) {
    __int128 sum = 0;
    for (const AccountSpec& spec : accounts()) {
        const Account& real = *ledger.find_account(spec.id);
        const ReferenceLedger::Totals wanted = reference.totals(spec.id);
        RC_ASSERT(real.dr_pend.micro() == wanted.dr_pend);
        RC_ASSERT(real.dr_post.micro() == wanted.dr_post);
        RC_ASSERT(real.cr_pend.micro() == wanted.cr_pend);
        RC_ASSERT(real.cr_post.micro() == wanted.cr_post);
        if (spec.debits_not_over_credits) RC_ASSERT(!real.available().is_negative());
        sum += real.balance().micro();
    }
    RC_ASSERT(sum == 0);  // the bank test: what one has, another owes
}

// What the rows handed out so far amount to, as a store would keep them.
struct Stored {
    std::map<AccountId, Account> accounts;
    std::map<TransferId, Hold> holds;
    Rows appended;

    void put(const Rows& rows) {
        for (const Account& one : rows.accounts) accounts[one.id()] = one;
        for (const Hold& one : rows.holds) holds[one.pending_id] = one;
        appended.transfers.insert(appended.transfers.end(), rows.transfers.begin(), rows.transfers.end());
        appended.burnt.insert(appended.burnt.end(), rows.burnt.begin(), rows.burnt.end());
    }
    Rows rows() const {
        Rows all = appended;
        for (const auto& [id, one] : accounts) all.accounts.push_back(one);
        for (const auto& [id, one] : holds) all.holds.push_back(one);
        return all;
    }
};

TEST(LedgerProperty, AgreesWithTheReferenceOnEveryHistory) {
    EXPECT_TRUE(rc::check([]() {
        Ledger ledger;
        ReferenceLedger reference(accounts());
        Stored stored;
        for (const AccountSpec& spec : accounts()) stored.put(ledger.open_account(spec)->rows);
        Time now(Duration(1'000'000));
        std::vector<std::vector<TransferRequest>> sent;
        const int steps = *rc::gen::inRange(1, 60);
        for (int i = 0; i < steps; ++i) {
            now += Duration(*rc::gen::inRange(0, 4));
            if (*rc::gen::inRange(0, 6) == 0) {
                stored.put(ledger.expire(now).rows);
                reference.expire(now);
            }
            std::vector<TransferRequest> chain;
            if (!sent.empty() && *rc::gen::inRange(0, 5) == 0) {
                chain = sent[*rc::gen::inRange<std::size_t>(0, sent.size())];  // a retry
            } else {
                const int members = *rc::gen::weightedElement<int>({{6, 1}, {2, 2}, {1, 4}});
                for (int m = 0; m < members; ++m) chain.push_back(random_request(now));
            }
            sent.push_back(chain);
            const std::string previewed = render(ledger.preview(chain, now));
            const ChainResult done = ledger.submit(chain, now);
            stored.put(done.rows);
            RC_ASSERT(render(done.answers) == render(reference.submit(chain, now)));
            RC_ASSERT(render(done.answers) == previewed);
            assert_same_balances(ledger, reference);
        }
        const Result<void> sound = ledger.verify();
        RC_ASSERT(sound.has_value());
        const Result<Ledger> restored = Ledger::restore(stored.rows());
        RC_ASSERT(restored.has_value());
        RC_ASSERT(restored->render() == ledger.render());
    }));
}

TEST(LedgerProperty, ARestartInTheMiddleChangesNoAnswer) {
    EXPECT_TRUE(rc::check([]() {
        Ledger ledger;
        Stored stored;
        for (const AccountSpec& spec : accounts()) stored.put(ledger.open_account(spec)->rows);
        Ledger restarted;
        for (const AccountSpec& spec : accounts()) RC_ASSERT(restarted.open_account(spec).has_value());
        Time now(Duration(1'000'000));
        for (int i = 0; i < 25; ++i) {
            now += Duration(*rc::gen::inRange(0, 4));
            const std::vector<TransferRequest> chain = {random_request(now), random_request(now)};
            const ChainResult done = ledger.submit(chain, now);
            RC_ASSERT(restarted.submit(chain, now).answers == done.answers);
            stored.put(done.rows);
            restarted = *Ledger::restore(stored.rows());
        }
        RC_ASSERT(restarted.render() == ledger.render());
    }));
}

}  // namespace
}  // namespace penstock::ledger
