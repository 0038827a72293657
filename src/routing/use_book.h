// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "model/allowance.h"

namespace penstock::routing {

// What settled calls have used.
struct Tally {
    Units charge;
    std::int64_t requests = 0;
    std::int64_t tokens = 0;
    bool operator==(const Tally&) const = default;
};
BOOST_DESCRIBE_STRUCT(Tally, (), (charge, requests, tokens))
// Of the period that began at `start`, and of the one before it: a call counts where it began.
struct PeriodTally {
    Time start{};
    Tally current;
    Tally before;
    bool operator==(const PeriodTally&) const = default;
};
BOOST_DESCRIBE_STRUCT(PeriodTally, (), (start, current, before))
struct SubjectUse {
    std::string subject;  // og_…, pj_… or ky_…
    std::string model;    // empty: all models together
    Tally total;
    PeriodTally day;
    PeriodTally week;
    PeriodTally month;
    bool operator==(const SubjectUse&) const = default;
};
BOOST_DESCRIBE_STRUCT(SubjectUse, (), (subject, model, total, day, week, month))

// The settled use of every subject: a running fold of the bill lines, with the period as a part of
// each counter, so that a new period invalidates nothing. Pure; one owner, who stores what was
// touched in the same change as the calls.
class UseBook {
  public:
    void add(const std::string& subject, const std::string& model, const Tally& call, Time began);
    // Of a budget or of a day's count; zero for periods that are past and for other measures.
    Units used(const AllowanceAccount& account) const;
    Spending spending(const std::string& subject, Time now) const;

    std::vector<SubjectUse> take_touched();
    void restore(SubjectUse use);

  private:
    using Key = std::pair<std::string, std::string>;
    std::map<Key, SubjectUse> uses_;
    std::map<Key, bool> touched_;
};

}  // namespace penstock::routing
