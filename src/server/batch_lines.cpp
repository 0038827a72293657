// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "batches/life.h"
#include "batches/results.h"
#include "server/batch_files.h"
#include "server/batch_owner.h"
#include "server/gateway_answers.h"

// Lines of batches: their texts, and what becomes of their answers.
namespace penstock::server {

// ---- claims ----

// What a gateway says of itself: what an earlier process of its name had, and what this one has and
// does not name any more, waits again.
void BatchOwner::hear(const ClaimLines& wanted) {
    const auto known = runs_.find(wanted.replica);
    std::map<BatchId, std::set<std::int64_t>> kept;
    const Time until = platform_.now() + kClaimLives;
    for (const auto& [line, endpoint_id] : wanted.running) {
        const auto running = running_.find(line.batch_id);
        if (running != running_.end() &&
            running->second.book.renew(line, {wanted.run_id, endpoint_id, platform_.now(), until}))
            kept[line.batch_id].insert(line.line);
    }
    for (auto& [id, running] : running_) {
        running.book.give_back_all(wanted.run_id, kept[id]);
        if (known != runs_.end() && known->second != wanted.run_id)
            running.book.give_back_all(known->second, {});
    }
    runs_[wanted.replica] = wanted.run_id;
}

io::Task<Result<std::string>> BatchOwner::text_of(LineTry line) {
    Running& running = running_.at(line.batch_id);
    std::int64_t from = line.line / batches::kIndexEvery * batches::kIndexEvery;
    std::uint64_t at = running.index.at(static_cast<std::size_t>(line.line / batches::kIndexEvery));
    if (running.next_line <= line.line && running.next_line > from) {
        from = running.next_line;
        at = running.next_at;
    }
    const std::filesystem::path path =
        files_.path_of(platform_.batches.at(line.batch_id).input_file_id);
    LineText read =
        CO_TRY(co_await pool_.run([&] { return read_line_at(path, at, from, line.line); }));
    const auto still = running_.find(line.batch_id);
    if (still != running_.end()) {
        still->second.next_line = line.line + 1;
        still->second.next_at = read.next_at;
    }
    co_return std::move(read.text);
}

// Nothing: it is not to be run now.
io::Task<std::optional<ClaimedLine>> BatchOwner::claimed(RunningLine given) {
    const LineTry line = given.line;
    const Result<std::string> text = co_await text_of(line);
    const auto batch = platform_.batches.find(line.batch_id);
    if (batch == platform_.batches.end()) co_return std::nullopt;
    if (!text) {
        platform_.log().error("a line of a batch cannot be read", text.error());
        co_return std::nullopt;
    }
    const access::StoredKey* key = platform_.directory.find_key(batch->second.key_id);
    CHECK(key != nullptr, "keys are revoked, never removed");
    const Result<access::Principal> principal =
        platform_.directory.authenticate(key->sha256, platform_.now());
    if (!principal) {
        stop_without_key(batch->second, principal.error());
        co_return std::nullopt;
    }
    const auto read = batches::read_line(*text, batch->second.endpoint);
    CHECK(read.has_value(), "the input was checked, and files do not change");
    co_return ClaimedLine{
        .line = line,
        .endpoint_id = given.endpoint_id,
        .record_id = batches::record_id_of(line),
        .custom_id = read->custom_id,
        .url = read->url,
        .body = std::string(read->body),
        .key = resolved_key(platform_, *principal)
    };
}

void BatchOwner::stop_without_key(StoredBatch& batch, const Error& cause) {
    if (!batches::cancel(batch, platform_.now())) return;
    batch.errors = BatchFaults{
        .data =
            {{.code = "invalid_api_key",
              .message = "the key that the batch was made with can run no lines any more: " +
                         cause.message}}
    };
    Change change;
    store(change, batch);
    platform_.commit(std::move(change));
}

io::Task<ClaimedLines> BatchOwner::claim(ClaimLines wanted) {
    hear(wanted);
    const io::Deadline until = io::Deadline::after(std::min(wanted.wait, kClaimWaitMax));
    std::vector<RunningLine> chosen = choose(wanted);
    while (chosen.empty() && !until.passed() && !platform_.stopping()) {
        const io::Deadline soon = io::Deadline::after(kBatchTick);
        co_await changed_.wait(io::earlier(soon, until));
        chosen = choose(wanted);
    }
    ClaimedLines answer;
    std::size_t bytes = 0;
    for (const RunningLine& given : chosen) {
        const LineTry line = given.line;
        std::optional<ClaimedLine> made;
        const bool room = bytes == 0 || bytes < kClaimBytesMax;
        if (room && running_.contains(line.batch_id)) made = co_await claimed(given);
        if (made) {
            bytes += made->body.size();
            answer.lines.push_back(*std::move(made));
        } else if (const auto running = running_.find(line.batch_id); running != running_.end()) {
            running->second.book.give_back(line, wanted.run_id);
        }
    }
    // What a line is called and whose key it has may have changed a moment ago.
    (void)co_await platform_.committed(platform_.last_ticket());
    co_return answer;
}

// ---- reports ----

// What one request tells, while it is being stored.
struct BatchOwner::Taken {
    struct Line {
        LineTry line;
        batches::ResultKind kind;
    };
    struct Text {
        std::string text;
        std::int64_t at = 0;
    };
    std::vector<Line> lines;
    std::map<BatchId, Text> texts;  // what their results files get
    SettleCalls calls;
    std::int64_t repeated = 0;
};

// One report at a time; what was taken and not applied, for whatever reason, waits again.
class BatchOwner::Storing {
  public:
    Storing(BatchOwner& owner, const Taken& taken) : owner_(owner), taken_(taken) {
        owner_.storing_ = true;
    }
    ~Storing() {
        if (storing_) owner_.drop(taken_);
        if (storing_) end();
    }
    Storing(const Storing&) = delete;
    Storing& operator=(const Storing&) = delete;
    void end() {
        storing_ = false;
        owner_.storing_ = false;
        owner_.stored_.notify_one();
        owner_.changed_.notify_all();
    }

  private:
    BatchOwner& owner_;
    const Taken& taken_;
    bool storing_ = true;
};

namespace {

Result<void> check_record(const LineReport& report, const StoredBatch& batch) {
    const CallRecord& record = *report.record;
    if (record.id == batches::record_id_of(report.line) &&
        record.organisation_id == batch.organisation_id && record.project_id == batch.project_id &&
        record.key_id == batch.key_id)
        return {};
    return fail_field(
        ErrorCode::invalid_argument, "lines",
        "the record of line " + std::to_string(report.line.line + 1) + " of " +
            to_string(batch.id) + " is another call's"
    );
}

bool is_success(std::int64_t status) { return status >= 200 && status < 300; }

}  // namespace

// Takes the report, where it counts, and returns the text that is kept of it.
std::string BatchOwner::take(const LineReport& report, Taken& taken) {
    using batches::ResultKind;
    const auto running = running_.find(report.line.batch_id);
    measure(report);
    if (running == running_.end() || !running->second.book.take(report.line)) {
        ++taken.repeated;
        return {};
    }
    const StoredBatch& batch = platform_.batches.at(report.line.batch_id);
    std::string text;
    ResultKind kind = is_success(report.status) ? ResultKind::output : ResultKind::error;
    if (report.end == LineEnd::failed)
        kind = report.line.attempt < batches::kTriesMax ? ResultKind::retry : ResultKind::error;
    const auto id = batches::record_id_of(report.line);
    std::string line = kind == ResultKind::retry ? std::string() : batches::answer_line(report, id);
    const auto size = static_cast<std::int64_t>(line.size());
    if (batch.results_bytes + size > kResultsBytesMax) {
        kind = ResultKind::error;
        line = batches::error_line(
            report.custom_id, id, "results_too_large",
            "the answers of a batch may have 4 GiB together: split the batch"
        );
    }
    batches::append_record(text, kind, report.line.line, line);
    taken.lines.push_back({report.line, kind});
    if (report.record) taken.calls.records.push_back(*report.record);
    return text;
}

io::Task<Result<void>> BatchOwner::append(const Taken* taken) {
    for (const auto& [id, text] : taken->texts) {
        const std::filesystem::path path = results_of(id);
        const auto at = static_cast<std::uint64_t>(text.at);
        const std::string* bytes = &text.text;
        CO_TRY(co_await pool_.run([&path, at, bytes] { return write_durably(path, at, *bytes); }));
    }
    co_return Result<void>{};
}

void BatchOwner::apply(Change& change, const Taken& taken, const std::set<std::string>& before) {
    using batches::ResultKind;
    for (const Taken::Line& line : taken.lines) {
        batches::LineBook& book = running_.at(line.line.batch_id).book;
        if (line.kind == ResultKind::retry) {
            book.retry(line.line.line);
            // The engine is given time, more after each failure.
            running_.at(line.line.batch_id).not_before =
                platform_.now() + kRetryAfterFirst * (1 << line.line.attempt);
            lines_retried_->add();
        } else {
            const bool good = line.kind == ResultKind::output;
            book.end(line.line.line, good);
            (good ? lines_completed_ : lines_failed_)->add();
        }
    }
    for (const auto& [id, text] : taken.texts) {
        StoredBatch& batch = platform_.batches.at(id);
        const batches::LineBook& book = running_.at(id).book;
        batch.results_bytes = text.at + static_cast<std::int64_t>(text.text.size());
        batch.counts.completed = book.completed();
        batch.counts.failed = book.failed();
        platform_.put(change, batch);
        if (book.all_ended()) wake_.notify_all();
    }
    if (!taken.calls.records.empty()) (void)billing_.settle_calls(change, taken.calls, before);
}

void BatchOwner::drop(const Taken& taken) {
    for (const Taken::Line& line : taken.lines)
        running_.at(line.line.batch_id).book.drop(line.line);
}

void BatchOwner::give_back(const LineReport& line, RunId owner) {
    const auto running = running_.find(line.line.batch_id);
    if (running == running_.end()) return;
    running->second.book.give_back(line.line, owner);
    if (line.retry_after)
        running->second.not_before = platform_.now() + std::min(*line.retry_after, kRetryAfterMax);
}

void BatchOwner::take(const ReportLines& report, Taken& taken) {
    taken.calls.replica = report.replica;
    for (const LineReport& line : report.lines) {
        if (line.end == LineEnd::returned) {
            give_back(line, report.run_id);
            continue;
        }
        const std::string text = take(line, taken);
        if (text.empty()) continue;
        auto [to, is_new] = taken.texts.try_emplace(line.line.batch_id);
        if (is_new) to->second.at = platform_.batches.at(line.line.batch_id).results_bytes;
        to->second.text += text;
    }
}

ReportedLines BatchOwner::answer_to(
    const ReportLines& report, const Taken& taken, const std::set<std::string>& before
) const {
    ReportedLines answer{
        .accepted = static_cast<std::int64_t>(taken.lines.size()), .repeated = taken.repeated
    };
    for (const LineReport& line : report.lines) {
        if (!line.record) continue;
        const std::string id = to_string(UsageId(line.record->id.raw()));
        if (before.contains(id) || platform_.recent_usage.contains(id))
            answer.settled.push_back(line.record->id);
    }
    return answer;
}

io::Task<Result<ReportedLines>> BatchOwner::report(ReportLines report) {
    std::vector<std::string> ids;
    for (const LineReport& line : report.lines) {
        const auto batch = platform_.batches.find(line.line.batch_id);
        if (batch != platform_.batches.end() && line.record)
            CO_TRY(check_record(line, batch->second));
        if (line.record) ids.push_back(to_string(UsageId(line.record->id.raw())));
    }
    while (storing_) co_await stored_.wait();
    Taken taken;
    Storing storing(*this, taken);
    take(report, taken);
    Result<std::set<std::string>> before = std::set<std::string>();
    Result<void> kept = co_await append(&taken);
    if (kept && !ids.empty()) before = co_await settled_before(&platform_, &pool_, std::move(ids));
    if (kept && !before) kept = std::unexpected(before.error());
    if (!kept) co_return std::unexpected(kept.error());
    Change change;
    apply(change, taken, *before);
    if (!change.empty()) platform_.commit(std::move(change));
    storing.end();
    ReportedLines answer = answer_to(report, taken, *before);
    CO_TRY(co_await platform_.committed(platform_.last_ticket()));
    co_return answer;
}

}  // namespace penstock::server
