// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "batches/line_book.h"

namespace penstock::batches {
namespace {

LineClaim by(RunId owner, Time until) { return {.owner = owner, .until = until}; }

const Time kNow{std::chrono::hours(1)};

// Whatever order claims, losses, repetitions and reports come in, each line ends once, and no two
// records of a batch have one id.
RC_GTEST_PROP(LineBookProperty, EveryLineEndsOnceUnderIdsOfItsOwn, ()) {
    const auto total = *rc::gen::inRange<std::int64_t>(1, 12);
    const BatchId batch(
        RawId{*rc::gen::arbitrary<std::uint64_t>(), *rc::gen::arbitrary<std::uint64_t>()}
    );
    LineBook book(batch, total);
    std::vector<LineTry> seen;
    std::map<std::int64_t, int> ends;
    std::set<std::pair<std::int64_t, std::int64_t>> counted;
    std::set<RequestId> ids;
    const auto steps = *rc::gen::container<std::vector<int>>(200, rc::gen::inRange(0, 1000));
    Time now = kNow;
    for (const int step : steps) {
        const RunId owner(RawId{1, static_cast<std::uint64_t>(step % 3)});
        switch (step % 7) {
            case 0:
            case 1:
                if (const auto line = book.claim(by(owner, now + 10s))) seen.push_back(*line);
                break;
            case 2:
                now += 4s;
                book.expire(now);
                break;
            case 3:
                book.give_back_all(owner, {});
                break;
            case 4:
                if (!seen.empty())
                    book.renew(
                        seen[static_cast<std::size_t>(step) % seen.size()], by(owner, now + 10s)
                    );
                break;
            default:
                if (seen.empty()) break;
                // A report of any try that anybody ever had.
                const LineTry line = seen[static_cast<std::size_t>(step) % seen.size()];
                if (!book.take(line)) break;
                RC_ASSERT(counted.emplace(line.line, line.attempt).second);
                RC_ASSERT(ids.insert(record_id_of(line)).second);
                if (step % 2 == 0 && line.attempt < kTriesMax) {
                    book.retry(line.line);
                } else {
                    book.end(line.line, step % 3 == 0);
                    RC_ASSERT(++ends[line.line] == 1);
                }
        }
        RC_ASSERT(book.completed() + book.failed() == static_cast<std::int64_t>(ends.size()));
    }
    // What is left can be finished by one owner.
    book.expire(now + 1h);
    while (const auto line = book.claim(by(RunId(RawId{9, 9}), now))) {
        RC_ASSERT(book.take(*line));
        RC_ASSERT(ids.insert(record_id_of(*line)).second);
        book.end(line->line, true);
        RC_ASSERT(++ends[line->line] == 1);
    }
    RC_ASSERT(book.all_ended());
}

}  // namespace
}  // namespace penstock::batches
