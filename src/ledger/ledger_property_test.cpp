// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "ledger/ledger.h"
#include "ledger/reference_ledger.h"

namespace penstock::ledger {
namespace {

constexpr int kAccounts = 6;  // the last is never opened

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

// What was asked for so far, so that later requests can meet it again.
struct Past {
    std::vector<std::vector<TransferRequest>> chains;
    std::vector<TransferId> ids, holds;
};

template <class T>
T any_of(const std::vector<T>& values) {
    return values[*rc::gen::resize(1'000, rc::gen::inRange<std::size_t>(0, values.size()))];
}
// RapidCheck shrinks ranges with the size of a case; small cases are to be as mixed as large ones.
int below(int bound) { return *rc::gen::resize(1'000, rc::gen::inRange(0, bound)); }

TransferRequest random_request(Past& past, Time now) {
    TransferRequest request{.id = transfer(past.ids.size())};
    if (!past.ids.empty() && below(12) == 0) request.id = any_of(past.ids);
    past.ids.push_back(request.id);
    request.kind =
        static_cast<TransferKind>(*rc::gen::weightedElement<int>({{4, 0}, {5, 1}, {3, 2}, {1, 3}}));
    const bool resolves = request.kind == TransferKind::post || request.kind == TransferKind::void_;
    const Money amount = Money::micro(below(60) + 1);
    if (!resolves) {
        request.debit = account(static_cast<std::uint64_t>(below(kAccounts)));
        const auto further = static_cast<std::uint64_t>(below(kAccounts - 1)) + 1;
        request.credit = account((request.debit.raw().low - 1 + further) % kAccounts);
        request.amount = amount;
        if (request.kind == TransferKind::single) return request;
        past.holds.push_back(request.id);
        if (below(2) == 0) request.deadline = now + Duration(below(20));
        return request;
    }
    request.pending_id = past.holds.empty() || below(20) == 0 ? transfer(999) : any_of(past.holds);
    if (request.kind == TransferKind::post && below(2) == 0) request.amount = amount;
    return request;
}

std::vector<TransferRequest> random_chain(Past& past, Time now) {
    if (!past.chains.empty() && below(6) == 0) return any_of(past.chains);  // a retry
    const int members = *rc::gen::weightedElement<int>({{6, 1}, {2, 2}, {1, 4}});
    std::vector<TransferRequest> chain;
    chain.reserve(static_cast<std::size_t>(members));
    for (int i = 0; i < members; ++i) chain.push_back(random_request(past, now));
    past.chains.push_back(chain);
    return chain;
}

// The limited accounts begin with some money each.
std::vector<TransferRequest> funding() {
    std::vector<TransferRequest> chain;
    for (const std::uint64_t to : {1U, 2U})
        chain.push_back(
            {.id = TransferId(RawId{3, to}),
             .debit = account(0),
             .credit = account(to),
             .amount = Money::micro(100)}
        );
    chain.push_back(
        {.id = TransferId(RawId{3, 3}),
         .debit = account(3),
         .credit = account(0),
         .amount = Money::micro(100)}
    );
    return chain;
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
        appended.transfers.insert(
            appended.transfers.end(), rows.transfers.begin(), rows.transfers.end()
        );
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
        stored.put(ledger.submit(funding(), now).rows);
        reference.submit(funding(), now);
        Past past;
        const int steps = below(60);
        for (int i = 0; i < steps; ++i) {
            now += Duration(below(4));
            if (below(6) == 0) {
                stored.put(ledger.expire(now).rows);
                reference.expire(now);
            }
            const std::vector<TransferRequest> chain = random_chain(past, now);
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
        for (const AccountSpec& spec : accounts())
            RC_ASSERT(restarted.open_account(spec).has_value());
        Time now(Duration(1'000'000));
        stored.put(ledger.submit(funding(), now).rows);
        RC_ASSERT(restarted.submit(funding(), now).ok());
        Past past;
        for (int i = 0; i < 25; ++i) {
            now += Duration(below(4));
            const std::vector<TransferRequest> chain = random_chain(past, now);
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
