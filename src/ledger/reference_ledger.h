// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "ledger/ledger.h"

namespace penstock::ledger {

// The rules of the ledger written as plainly as they can be, to be compared with the real one. It
// keeps nothing but the list of what happened and adds it up anew for each question.
class ReferenceLedger {
  public:
    explicit ReferenceLedger(std::vector<AccountSpec> accounts) : accounts_(std::move(accounts)) {}

    struct Totals {
        __int128 dr_pend = 0, dr_post = 0, cr_pend = 0, cr_post = 0;
    };
    std::vector<Reason> submit(const std::vector<TransferRequest>& chain, Time now) {
        std::string text;
        for (const TransferRequest& r : chain) text += describe(r);
        std::vector<Reason> reasons = decide(chain, text, now);
        return reasons;
    }
    void expire(Time now) {
        for (std::size_t i = 0; i < log_.size(); ++i)
            if (is_open(i) && log_[i].deadline.value_or(Time::max()) <= now)
                log_[i].state = HoldState::expired;
    }
    Totals totals(AccountId id) const {
        Totals sum;
        for (std::size_t i = 0; i < log_.size(); ++i) {
            const Entry& e = log_[i];
            const bool held = is_open(i);
            if (!held && !e.moved) continue;
            if (e.debit == id) (held ? sum.dr_pend : sum.dr_post) += e.amount;
            if (e.credit == id) (held ? sum.cr_pend : sum.cr_post) += e.amount;
        }
        return sum;
    }

  private:
    struct Entry {
        TransferId id;
        AccountId debit, credit;
        __int128 amount = 0;
        bool moved = false;    // a single, or what a post moved
        bool pending = false;  // a hold, in `state`
        HoldState state = HoldState::open;
        std::optional<Time> deadline;
    };
    struct Remembered {
        std::string chain;
        std::size_t place = 0;
        Reason reason = Reason::ok;
    };
    bool is_open(std::size_t i) const {
        return log_[i].pending && log_[i].state == HoldState::open;
    }

    static std::string describe(const TransferRequest& r) {
        std::string text;
        for (const RawId& id : {r.id.raw(), r.debit.raw(), r.credit.raw(), r.pending_id.raw()})
            text += to_string(id) + ",";
        text += std::to_string(static_cast<int>(r.kind)) + ",";
        text += (r.amount ? std::to_string(r.amount->micro()) : "all") + ",";
        text +=
            (r.deadline ? std::to_string(r.deadline->time_since_epoch().count()) : "none") + ";";
        return text;
    }

    std::vector<Reason> decide(
        const std::vector<TransferRequest>& chain, const std::string& text, Time now
    ) {
        std::vector<Reason> reasons(chain.size(), Reason::linked_failed);
        for (std::size_t i = 0; i < chain.size(); ++i) {
            for (std::size_t k = 0; k < i; ++k)
                if (chain[k].id == chain[i].id) {
                    reasons[i] = Reason::id_reused;
                    return reasons;
                }
        }
        for (std::size_t i = 0; i < chain.size(); ++i) {
            const auto known = remembered_.find(chain[i].id);
            if (known == remembered_.end()) continue;
            if (known->second.chain != text || known->second.place != i) {
                reasons[i] = Reason::id_reused;
                return reasons;
            }
            reasons[i] = known->second.reason;
            if (i + 1 == chain.size()) return reasons;
        }
        const std::vector<Entry> before = log_;
        for (std::size_t i = 0; i < chain.size(); ++i) {
            const Reason reason = perform(chain[i], now);
            reasons[i] = reason;
            if (reason == Reason::ok) continue;
            log_ = before;
            std::ranges::fill(reasons, Reason::linked_failed);
            reasons[i] = reason;
            break;
        }
        for (std::size_t i = 0; i < chain.size(); ++i)
            remembered_[chain[i].id] = {text, i, reasons[i]};
        return reasons;
    }

    Reason perform(const TransferRequest& r, Time now) {
        if (r.kind == TransferKind::post || r.kind == TransferKind::void_) return resolve(r, now);
        const AccountSpec* debit = spec(r.debit);
        const AccountSpec* credit = spec(r.credit);
        if (debit == nullptr) return Reason::debit_not_found;
        if (credit == nullptr) return Reason::credit_not_found;
        if (debit->asset != credit->asset) return Reason::assets_differ;
        if (r.deadline && *r.deadline <= now) return Reason::deadline_passed;
        const Totals d = totals(r.debit), c = totals(r.credit);
        if (debit->debits_not_over_credits && d.dr_pend + d.dr_post + r.amount->micro() > d.cr_post)
            return Reason::debit_over_available;
        if (credit->credits_not_over_debits &&
            c.cr_pend + c.cr_post + r.amount->micro() > c.dr_post)
            return Reason::credit_over_limit;
        const bool pending = r.kind == TransferKind::pending;
        log_.push_back(
            {r.id, r.debit, r.credit, r.amount->micro(), !pending, pending, HoldState::open,
             r.deadline}
        );
        return Reason::ok;
    }

    Reason resolve(const TransferRequest& r, Time now) {
        for (std::size_t i = 0; i < log_.size(); ++i) {
            if (log_[i].id != r.pending_id || !log_[i].pending) continue;
            const Entry held = log_[i];
            if (held.state == HoldState::posted) return Reason::hold_already_posted;
            if (held.state == HoldState::voided) return Reason::hold_already_voided;
            if (held.state == HoldState::expired) return Reason::hold_expired;
            if (held.deadline && *held.deadline <= now) return Reason::hold_expired;
            const __int128 amount = r.amount ? r.amount->micro() : held.amount;
            if (amount > held.amount) return Reason::amount_over_hold;
            const bool posts = r.kind == TransferKind::post;
            log_[i].state = posts ? HoldState::posted : HoldState::voided;
            log_.push_back(
                {r.id, held.debit, held.credit, amount, posts, false, HoldState::open, {}}
            );
            return Reason::ok;
        }
        return Reason::hold_not_found;
    }

    const AccountSpec* spec(AccountId id) const {
        for (const AccountSpec& account : accounts_)
            if (account.id == id) return &account;
        return nullptr;
    }

    std::vector<AccountSpec> accounts_;
    std::vector<Entry> log_;
    std::map<TransferId, Remembered> remembered_;
};

}  // namespace penstock::ledger
