// SPDX-License-Identifier: Apache-2.0
#include "batches/line_book.h"

#include "base/check.h"

namespace penstock::batches {

// Multiplying by an odd number is one to one, so two tries of a batch never meet.
RequestId record_id_of(const LineTry& line) {
    constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15ULL;
    constexpr std::uint64_t kTriesRoom = 16;
    const std::uint64_t number = static_cast<std::uint64_t>(line.line) * kTriesRoom +
                                 static_cast<std::uint64_t>(line.attempt);
    const RawId& batch = line.batch_id.raw();
    return RequestId(RawId{batch.high, batch.low + number * kOdd});
}

LineBook::LineBook(BatchId batch_id, std::int64_t total)
    : batch_id_(batch_id), states_(static_cast<std::size_t>(total), State::waiting) {}

std::int64_t LineBook::attempt_of(std::int64_t line) const {
    const auto found = attempts_.find(line);
    return found == attempts_.end() ? 1 : found->second;
}

bool LineBook::is_present(const LineTry& line) const {
    return line.line >= 0 && line.line < total() && line.attempt == attempt_of(line.line) &&
           (state(line.line) == State::waiting || state(line.line) == State::claimed);
}

const LineClaim* LineBook::find_claim(std::int64_t line) const {
    const auto found = claims_.find(line);
    return found == claims_.end() ? nullptr : &found->second;
}

std::optional<LineTry> LineBook::claim(const LineClaim& claim) {
    while (next_ < total() && state(next_) != State::waiting) ++next_;
    std::int64_t line = next_;
    if (!again_.empty())
        line = again_.extract(again_.begin()).value();
    else if (line == total())
        return std::nullopt;
    else
        ++next_;
    set(line, State::claimed);
    claims_[line] = claim;
    return LineTry{batch_id_, line, attempt_of(line)};
}

bool LineBook::renew(const LineTry& line, const LineClaim& claim) {
    if (!is_present(line)) return false;
    const auto [known, is_new] = claims_.try_emplace(line.line, claim);
    if (known->second.owner != claim.owner) return false;
    known->second.until = claim.until;
    again_.erase(line.line);
    set(line.line, State::claimed);
    return true;
}

void LineBook::wait_again(std::int64_t line) {
    claims_.erase(line);
    set(line, State::waiting);
    if (line < next_) again_.insert(line);
}

void LineBook::give_back(const LineTry& line, RunId owner) {
    if (!is_present(line)) return;
    const auto claim = claims_.find(line.line);
    if (claim != claims_.end() && claim->second.owner == owner) wait_again(line.line);
}

void LineBook::give_back_all(RunId owner, const std::set<std::int64_t>& kept) {
    std::vector<std::int64_t> free;
    for (const auto& [line, claim] : claims_)
        if (claim.owner == owner && !kept.contains(line)) free.push_back(line);
    for (const std::int64_t line : free) wait_again(line);
}

void LineBook::expire(Time now) {
    std::vector<std::int64_t> free;
    for (const auto& [line, claim] : claims_)
        if (claim.until <= now) free.push_back(line);
    for (const std::int64_t line : free) wait_again(line);
}

bool LineBook::take(const LineTry& line) {
    if (line.batch_id != batch_id_ || !is_present(line)) return false;
    claims_.erase(line.line);
    again_.erase(line.line);
    set(line.line, State::storing);
    ++storing_;
    return true;
}

void LineBook::end(std::int64_t line, bool succeeded) {
    CHECK(state(line) == State::storing, "a line ends by a report that was taken");
    --storing_;
    set(line, State::ended);
    attempts_.erase(line);
    ++(succeeded ? completed_ : failed_);
}

void LineBook::retry(std::int64_t line) {
    CHECK(state(line) == State::storing, "a try is over by a report that was taken");
    const std::int64_t attempt = attempt_of(line) + 1;
    CHECK(attempt <= kTriesMax, "the last try ends the line");
    --storing_;
    attempts_[line] = attempt;
    wait_again(line);
}

void LineBook::drop(const LineTry& line) {
    CHECK(state(line.line) == State::storing, "what was taken is dropped");
    --storing_;
    wait_again(line.line);
}

}  // namespace penstock::batches
