// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/time.h"
#include "model/batch.h"

namespace penstock::batches {

constexpr std::int64_t kTriesMax = 5;  // the last failure ends the line
static_assert(kTriesMax < 16, "record_id_of() has room for fifteen");

// Of the record of a try, fixed before it is dispatched. Ids of one batch's tries are distinct.
RequestId record_id_of(const LineTry& line);

// Who has a line, where, and until when without a word.
struct LineClaim {
    RunId owner;  // a gateway's process
    EndpointId endpoint_id;
    Time since;
    Time until;
};

// Which lines of one batch wait, are claimed by which gateway's process, and have ended. Pure; one
// owner. A claim that is not renewed in time is free again.
class LineBook {
  public:
    LineBook(BatchId batch_id, std::int64_t total);

    // The next line that waits; nothing: none does.
    std::optional<LineTry> claim(const LineClaim& claim);
    // The owner says that it runs the line: its claim lives on, or is known again after a restart.
    // False: the line has ended, is another's, or its try is over.
    bool renew(const LineTry& line, const LineClaim& claim);
    // Waits again under the same try; nothing where it is not the owner's.
    void give_back(const LineTry& line, RunId owner);
    // What `owner` has and does not name among `kept`.
    void give_back_all(RunId owner, const std::set<std::int64_t>& kept);
    void expire(Time now);

    // A report is being stored: until end(), retry() or drop() no other one counts. False: this one
    // does not count either. Whoever reports first is taken, claimed or not.
    bool take(const LineTry& line);
    void end(std::int64_t line, bool succeeded);
    void retry(std::int64_t line);   // waits again, under the next try
    void drop(const LineTry& line);  // could not be stored: waits again

    std::int64_t total() const { return static_cast<std::int64_t>(states_.size()); }
    std::int64_t completed() const { return completed_; }
    std::int64_t failed() const { return failed_; }
    bool all_ended() const { return completed_ + failed_ == total(); }
    bool has_ended(std::int64_t line) const { return state(line) == State::ended; }
    // Lines that somebody has, or whose report is being stored.
    std::size_t busy() const { return claims_.size() + storing_; }
    bool is_storing() const { return storing_ > 0; }
    std::int64_t attempt_of(std::int64_t line) const;
    // Of a line that is claimed.
    const LineClaim* find_claim(std::int64_t line) const;
    // Lines that gateways have.
    const std::map<std::int64_t, LineClaim>& claims() const { return claims_; }
    std::int64_t waiting() const {
        return total() - completed_ - failed_ - static_cast<std::int64_t>(busy());
    }

  private:
    enum class State : std::uint8_t { waiting, claimed, storing, ended };
    State state(std::int64_t line) const { return states_[static_cast<std::size_t>(line)]; }
    void set(std::int64_t line, State state) { states_[static_cast<std::size_t>(line)] = state; }
    bool is_present(const LineTry& line) const;
    void wait_again(std::int64_t line);

    BatchId batch_id_;
    std::vector<State> states_;
    std::int64_t next_ = 0;                          // none before has never been claimed
    std::set<std::int64_t> again_;                   // before next_, waiting
    std::map<std::int64_t, LineClaim> claims_;       // by line
    std::map<std::int64_t, std::int64_t> attempts_;  // of lines beyond their first try
    std::size_t storing_ = 0;
    std::int64_t completed_ = 0;
    std::int64_t failed_ = 0;
};

}  // namespace penstock::batches
