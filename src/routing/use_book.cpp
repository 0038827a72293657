// SPDX-License-Identifier: Apache-2.0
#include "routing/use_book.h"

namespace penstock::routing {
namespace {

void add_to(Tally& sum, const Tally& call) {
    sum.charge += call.charge;
    sum.requests += call.requests;
    sum.tokens += call.tokens;
}

void add_to(PeriodTally& tally, BudgetPeriod period, const Tally& call, Time began) {
    const Time start = period_start(period, began);
    if (start > tally.start) {
        // What came before the new period began is the previous one only if they touch.
        const bool adjoins = period_end(period, tally.start) == start;
        tally.before = adjoins ? tally.current : Tally{};
        tally.current = {};
        tally.start = start;
    }
    if (start == tally.start)
        add_to(tally.current, call);
    else if (period_end(period, start) == tally.start)
        add_to(tally.before, call);
}

Tally tally_at(const PeriodTally& tally, BudgetPeriod period, Time start) {
    if (start == tally.start) return tally.current;
    if (start < tally.start && period_end(period, start) == tally.start) return tally.before;
    return {};
}

const PeriodTally* tally_of(const SubjectUse& use, BudgetPeriod period) {
    switch (period) {
        case BudgetPeriod::none:
            return nullptr;
        case BudgetPeriod::daily:
            return &use.day;
        case BudgetPeriod::weekly:
            return &use.week;
        case BudgetPeriod::monthly:
            return &use.month;
    }
    return nullptr;
}

}  // namespace

void UseBook::add(
    const std::string& subject, const std::string& model, const Tally& call, Time began
) {
    const Key key{subject, model};
    SubjectUse& use = uses_[key];
    use.subject = subject;
    use.model = model;
    add_to(use.total, call);
    add_to(use.day, BudgetPeriod::daily, call, began);
    add_to(use.week, BudgetPeriod::weekly, call, began);
    add_to(use.month, BudgetPeriod::monthly, call, began);
    touched_[key] = true;
}

Units UseBook::used(const AllowanceAccount& account) const {
    const auto found = uses_.find({account.subject, account.model});
    if (found == uses_.end()) return {};
    const PeriodTally* period = tally_of(found->second, account.period);
    const Tally tally = period == nullptr ? found->second.total
                                          : tally_at(*period, account.period, account.period_start);
    switch (account.measure) {
        case Measure::budget:
            return tally.charge;
        case Measure::requests_day:
            return Units::whole(tally.requests);
        case Measure::tokens_day:
            return Units::whole(tally.tokens);
        case Measure::wallet:
        case Measure::requests_minute:
        case Measure::tokens_minute:
        case Measure::concurrency:
            return {};
    }
    return {};
}

Spending UseBook::spending(const std::string& subject, Time now) const {
    const auto found = uses_.find({subject, std::string()});
    if (found == uses_.end()) return {};
    const SubjectUse& use = found->second;
    const auto at = [&](BudgetPeriod period) {
        return tally_at(*tally_of(use, period), period, period_start(period, now));
    };
    const Tally day = at(BudgetPeriod::daily);
    Spending out;
    out.total = use.total.charge;
    out.day = day.charge;
    out.week = at(BudgetPeriod::weekly).charge;
    out.month = at(BudgetPeriod::monthly).charge;
    out.requests = use.total.requests;
    out.requests_today = day.requests;
    out.tokens = use.total.tokens;
    out.tokens_today = day.tokens;
    return out;
}

std::vector<SubjectUse> UseBook::take_touched() {
    std::vector<SubjectUse> out;
    for (const auto& [key, unused] : touched_) out.push_back(uses_.at(key));
    touched_.clear();
    return out;
}

void UseBook::restore(SubjectUse use) {
    Key key{use.subject, use.model};
    uses_[std::move(key)] = std::move(use);
}

}  // namespace penstock::routing
