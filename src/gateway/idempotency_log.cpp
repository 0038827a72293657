// SPDX-License-Identifier: Apache-2.0
#include "gateway/idempotency_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <thread>

#include "base/check.h"
#include "routing/class_prices.h"

namespace penstock::gateway {
namespace {

namespace fs = std::filesystem;
using Kind = IdempotencyRecord::Kind;

constexpr std::string_view kExtension = ".idem";
constexpr Duration kLockLookEvery = 50us;
constexpr Duration kLockWaitLong = 1s;  // when a process begins, or learns that another has ended

std::unexpected<Error> system_failure(std::string_view what, const fs::path& path) {
    return fail(
        ErrorCode::unavailable,
        fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno))
    );
}

Result<std::string> read_at(int file, std::uint64_t offset, std::size_t max) {
    std::string out(max, '\0');
    std::size_t size = 0;
    while (size < max) {
        const ssize_t got =
            ::pread(file, out.data() + size, max - size, static_cast<off_t>(offset + size));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_failure("read", "a segment of idempotency keys");
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    out.resize(size);
    return out;
}

std::optional<std::uint64_t> number_of(const fs::path& path) {
    const std::string name = path.stem().string();
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (path.extension() != kExtension || error != std::errc() || end != name.data() + name.size())
        return std::nullopt;
    return number;
}

Result<KeptAnswer> answer_in(std::string_view bytes) {
    const IdempotencyReading reading = read_idempotency_records(bytes);
    if (reading.records.size() != 1 || reading.records[0].record.end != KeptEnd::answered)
        return fail(ErrorCode::internal, "a kept answer is not where it was written");
    return decode_answer(reading.records[0].record.answer);
}

IdempotencyRecord record_of(Kind kind, const IdempotencyLog::Use& use, Time now) {
    return {
        .kind = kind,
        .token = use.token,
        .fingerprint = kind == Kind::freed ? Sha256{} : use.fingerprint,
        .call_id = use.call_id,
        .at = now
    };
}

}  // namespace

// Held by one process at a time, for the time of a few system calls.
class IdempotencyLog::Lock {
  public:
    explicit Lock(int file, Patience patience = Patience::short_) : file_(file) {
        const Duration most = patience == Patience::short_ ? kLockWaitMax : kLockWaitLong;
        for (Duration waited{0}; waited <= most; waited += kLockLookEvery) {
            held_ = ::flock(file_, LOCK_EX | LOCK_NB) == 0;
            if (held_ || (errno != EWOULDBLOCK && errno != EINTR)) return;
            std::this_thread::sleep_for(kLockLookEvery);
        }
    }
    ~Lock() {
        if (held_) ::flock(file_, LOCK_UN);
    }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    explicit operator bool() const { return held_; }

  private:
    int file_;
    bool held_ = false;
};

// ---- opening and reading ----

IdempotencyLog::IdempotencyLog(telemetry::Logger log, Options options)
    : log_(std::move(log)), options_(std::move(options)), table_(options_.entries_max) {}

IdempotencyLog::~IdempotencyLog() {
    if (!pending_.empty() && lock_file_ >= 0)
        if (const Lock lock(lock_file_); lock && catch_up()) write_pending();
    if (active_ >= 0) ::close(active_);
    if (lock_file_ >= 0) ::close(lock_file_);
}

Result<std::unique_ptr<IdempotencyLog>> IdempotencyLog::open(
    telemetry::Logger log, Options options, Time now
) {
    std::error_code error;
    fs::create_directories(options.directory, error);
    if (error)
        return fail(
            ErrorCode::internal,
            "cannot make " + options.directory.string() + ": " + error.message()
        );
    fs::permissions(options.directory, fs::perms::owner_all, error);
    std::unique_ptr<IdempotencyLog> opened(new IdempotencyLog(std::move(log), std::move(options)));
    const fs::path lock = opened->options_.directory / "lock";
    opened->lock_file_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (opened->lock_file_ < 0) return system_failure("open", lock);
    while (::flock(opened->lock_file_, LOCK_EX) != 0)
        if (errno != EINTR) return system_failure("lock", lock);
    opened->latest_ = now;
    const Result<void> loaded = opened->load();
    if (loaded) opened->drop_old(now);
    ::flock(opened->lock_file_, LOCK_UN);
    TRY(Result<void>(loaded));
    return opened;
}

fs::path IdempotencyLog::path_of(std::uint64_t number) const {
    return options_.directory / fmt::format("{:010}{}", number, kExtension);
}

// In order, those after it.
Result<std::vector<std::uint64_t>> IdempotencyLog::numbers_behind(std::uint64_t number) const {
    std::vector<std::uint64_t> numbers;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(options_.directory, error))
        if (const auto found = number_of(entry.path()); found && *found > number)
            numbers.push_back(*found);
    if (error)
        return fail(
            ErrorCode::internal,
            "cannot list " + options_.directory.string() + ": " + error.message()
        );
    std::ranges::sort(numbers);
    return numbers;
}

Result<void> IdempotencyLog::load() {
    const std::vector<std::uint64_t> numbers = TRY(numbers_behind(0));
    for (const std::uint64_t number : numbers) {
        TRY(open_segment(number, false));
        TRY(read_tail());
    }
    return numbers.empty() ? open_segment(1, true) : Result<void>();
}

// The segment before is not written any more.
Result<void> IdempotencyLog::open_segment(std::uint64_t number, bool fresh) {
    const fs::path path = path_of(number);
    const int flags = O_RDWR | O_APPEND | O_CLOEXEC | (fresh ? O_CREAT | O_EXCL : 0);
    const int file = ::open(path.c_str(), flags, 0600);
    if (file < 0) return system_failure("open", path);
    if (active_ >= 0) {
        if (unsynced_) ::fdatasync(active_);
        ::close(active_);
    }
    active_ = file;
    segments_.push_back({.number = number, .size = 0, .begun = latest_, .newest = Time()});
    return {};
}

// What was written to the last segment since it was looked at. What does not read as a record was
// torn by the end of its writer: the lock is ours, so nobody is writing it now.
Result<void> IdempotencyLog::read_tail() {
    struct stat about{};
    if (::fstat(active_, &about) != 0)
        return system_failure("look at", path_of(segments_.back().number));
    dropped_ = about.st_nlink == 0;
    Segment& segment = segments_.back();
    const auto size = static_cast<std::uint64_t>(about.st_size);
    if (size <= segment.size) return {};
    const std::string bytes = TRY(read_at(active_, segment.size, size - segment.size));
    const std::uint64_t from = segment.size;
    const IdempotencyReading reading = read_idempotency_records(bytes);
    for (const IdempotencyReading::At& at : reading.records) {
        note(at.record);
        if (segment.size == 0) segment.begun = at.record.at;
        table_.apply(at.record, {segment.number, from + at.offset, at.bytes});
        segment.size = from + at.offset + at.bytes;
    }
    bytes_ += reading.consumed;
    if (reading.problem.empty()) return {};
    log_.warning(
        "a record of idempotency keys was torn by a crash, and what follows it is dropped",
        {{"segment", segment.number}, {"offset", segment.size}, {"problem", reading.problem}}
    );
    if (::ftruncate(active_, static_cast<off_t>(segment.size)) != 0)
        return system_failure("truncate", path_of(segment.number));
    return {};
}

// What the other process wrote meanwhile; it may have begun new segments, and removed old ones.
Result<void> IdempotencyLog::catch_up() {
    TRY(read_tail());
    while (dropped_ || ::access(path_of(segments_.back().number + 1).c_str(), F_OK) == 0) {
        const std::vector<std::uint64_t> numbers = TRY(numbers_behind(segments_.back().number));
        const bool fresh = numbers.empty();
        TRY(open_segment(fresh ? segments_.back().number + 1 : numbers.front(), fresh));
        TRY(read_tail());
    }
    return {};
}

Result<KeptAnswer> IdempotencyLog::read(const IdempotencyTable::Place& place) const {
    const fs::path path = path_of(place.segment);
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return system_failure("open", path);
    const Result<std::string> bytes = read_at(file, place.offset, place.bytes);
    ::close(file);
    if (!bytes) return std::unexpected(bytes.error());
    return answer_in(*bytes);
}

std::optional<KeptAnswer> IdempotencyLog::read_now(const IdempotencyTable::Place& place) const {
    const int file = ::open(path_of(place.segment).c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return std::nullopt;
    std::string bytes(place.bytes, '\0');
    const iovec all{bytes.data(), bytes.size()};
    const ssize_t got = ::preadv2(file, &all, 1, static_cast<off_t>(place.offset), RWF_NOWAIT);
    ::close(file);
    if (got != static_cast<ssize_t>(place.bytes)) return std::nullopt;
    Result<KeptAnswer> answer = answer_in(bytes);
    return answer ? std::optional(*std::move(answer)) : std::nullopt;
}

// ---- writing ----

// All of it or nothing.
Result<void> IdempotencyLog::write(std::string_view bytes) {
    Segment& segment = segments_.back();
    std::size_t written = 0;
    while (written < bytes.size()) {
        const ssize_t took = ::write(active_, bytes.data() + written, bytes.size() - written);
        if (took < 0 && errno == EINTR) continue;
        if (took <= 0) {
            const auto failure = system_failure("write", path_of(segment.number));
            if (written > 0)
                static_cast<void>(::ftruncate(active_, static_cast<off_t>(segment.size)));
            return failure;
        }
        written += static_cast<std::size_t>(took);
    }
    segment.size += bytes.size();
    bytes_ += bytes.size();
    unsynced_ = true;
    if (written_ != nullptr) written_->notify_all();
    return {};
}

Result<void> IdempotencyLog::append(const IdempotencyRecord& record) {
    const Segment& last = segments_.back();
    const bool full = last.size >= options_.segment_bytes;
    if (full || (last.size > 0 && last.begun + kSegmentAge <= latest_))
        TRY(open_segment(last.number + 1, true));
    std::string bytes;
    append_idempotency_record(bytes, record);
    const std::uint64_t offset = segments_.back().size;
    note(record);
    TRY(write(bytes));
    table_.apply(record, {segments_.back().number, offset, bytes.size()});
    return {};
}

// Before its bytes are counted.
void IdempotencyLog::note(const IdempotencyRecord& record) {
    Segment& segment = segments_.back();
    segment.newest = segment.size == 0 ? record.at : std::max(segment.newest, record.at);
}

// With room to write the keys of the oldest segment anew, and the ends of all that runs.
bool IdempotencyLog::has_space(std::uint64_t bytes) const {
    const std::uint64_t owed =
        segments_.front().size + (table_.running() + 1) * kIdempotencyRecordBytes;
    return bytes_ + bytes + owed <= options_.bytes_max;
}

bool IdempotencyLog::make_space(std::uint64_t bytes, Time now) {
    for (std::size_t left = segments_.size(); left > 1 && !has_space(bytes); --left)
        if (!drop_oldest(now)) return false;
    return has_space(bytes);
}

void IdempotencyLog::drop_old(Time now) {
    while (segments_.size() > 1 && segments_.front().newest + IdempotencyTable::kKeptFor <= now)
        if (!drop_oldest(now)) return;
}

void IdempotencyLog::tidy(Time now) {
    latest_ = std::max(latest_, now);
    const Time over = now - IdempotencyTable::kKeptFor;
    const auto is_over = [&](const Segment& segment) {
        return segment.size > 0 && segment.newest <= over;
    };
    if (!is_over(segments_.front()) && pending_.empty()) return;
    const Lock lock(lock_file_);
    if (!lock || !catch_up() || !write_pending()) return;
    if (is_over(segments_.back()) && !open_segment(segments_.back().number + 1, true)) return;
    drop_old(now);
}

// What is kept of it is written before it goes.
Result<void> IdempotencyLog::drop_oldest(Time now) {
    const Segment oldest = segments_.front();
    for (const IdempotencyRecord& record : table_.carried_over(oldest.number, now)) {
        const IdempotencyTable::Entry* entry = table_.find(record.token, now);
        if (entry != nullptr && entry->end == KeptEnd::answered) ++answers_evicted_;
        TRY(append(record));
    }
    std::error_code error;
    fs::remove(path_of(oldest.number), error);  // the other process may have done it
    if (error) return fail(ErrorCode::unavailable, "cannot remove a segment: " + error.message());
    table_.forget_segment(oldest.number);
    bytes_ -= oldest.size;
    segments_.pop_front();
    return {};
}

Result<IdempotencyTable::Judgement> IdempotencyLog::begin(const Use& use, Time now) {
    using Ruling = IdempotencyTable::Ruling;
    latest_ = std::max(latest_, now);
    const Lock lock(lock_file_);
    if (!lock) return fail(ErrorCode::unavailable, "the record of idempotency keys is in use");
    TRY(catch_up());
    if (!write_pending())
        return fail(ErrorCode::unavailable, "the record of idempotency keys cannot be written");
    drop_old(now);
    IdempotencyTable::Judgement judged = table_.judge(use.token, use.fingerprint, now);
    if (judged.ruling != Ruling::begins) return judged;
    if (!make_space(2 * kIdempotencyRecordBytes, now)) {
        judged.ruling = Ruling::full;
        return judged;
    }
    IdempotencyRecord record = record_of(Kind::begun, use, now);
    record.owner = options_.owner;
    TRY(append(record));
    return judged;
}

void IdempotencyLog::go_on(const Use& use, Time now) {
    IdempotencyRecord record = record_of(Kind::begun, use, now);
    record.owner = options_.owner;
    // Unwritten: after a crash the key is free, or was charged, by what became of the call before.
    if (!put(record, now)) table_.apply(record, {});
}

void IdempotencyLog::end(const Use& use, const End& end, Time now) {
    IdempotencyRecord record = record_of(Kind::ended, use, now);
    record.charge = end.charge;
    record.end = end.end;
    std::string answer;
    if (end.answer != nullptr && end.answer->body.size() > kAnswerBytesMax) {
        record.end = KeptEnd::too_large;
    } else if (end.answer != nullptr) {
        answer = encode_answer(*end.answer);
        record.end = KeptEnd::answered;
        record.answer = answer;
    }
    if (put(record, now)) return;
    record.answer = {};
    if (record.end == KeptEnd::answered) record.end = KeptEnd::unwritten;
    write_later(record);
}

void IdempotencyLog::free(const Use& use, Time now) {
    const IdempotencyRecord record = record_of(Kind::freed, use, now);
    if (!put(record, now)) write_later(record);
}

// Where there is no room for an answer, without it.
bool IdempotencyLog::put(const IdempotencyRecord& record, Time now) {
    latest_ = std::max(latest_, now);
    const Lock lock(lock_file_);
    if (!lock || !catch_up() || !write_pending()) return false;
    const bool fits = make_space(record.answer.size() + kIdempotencyRecordBytes, now);
    if (record.kind == Kind::begun && !fits) return false;
    if (record.answer.empty() || fits) return append(record).has_value();
    IdempotencyRecord without = record;
    without.answer = {};
    without.end = KeptEnd::evicted;
    ++answers_evicted_;
    return append(without).has_value();
}

void IdempotencyLog::write_later(IdempotencyRecord record) {
    log_.error("the end of a call with an Idempotency-Key cannot be written yet");
    table_.apply(record, {});
    pending_.push_back(record);
}

// With the lock. False when something is left.
bool IdempotencyLog::write_pending() {
    while (!pending_.empty()) {
        if (!append(pending_.front())) return false;
        pending_.erase(pending_.begin());
    }
    return true;
}

// ---- what a process left begun ----

// Not before something was found: what the other process wrote last counts.
void IdempotencyLog::Findings::ask() {
    asked_.emplace();
    const Lock lock(log_.lock_file_, Patience::long_);
    if (!lock || !log_.catch_up())
        log_.log_.error("what a process before has written of idempotency keys cannot be read");
    log_.table_.for_each([&](const Sha256&, const IdempotencyTable::Entry& entry) {
        asked_->insert(entry.call_id);
    });
}

void IdempotencyLog::Findings::add(const CallRecord& settled) {
    if (!asked_) ask();
    if (!asked_->contains(settled.id)) return;
    if (settled.end_reason == EndReason::gateway_crash) crashed_.insert(settled.id);
    const Result<ExactMoney> charge =
        routing::charge_of(settled.tokens, routing::prices_of(settled));
    if (charge) charges_[settled.id] = *charge;
}

void IdempotencyLog::resolve(std::string_view owner, const Findings& findings, Time now) {
    const Lock lock(lock_file_, Patience::long_);
    if (!lock || !catch_up())
        log_.error("what a process before has written of idempotency keys cannot be read");
    std::vector<IdempotencyRecord> records;
    table_.for_each([&](const Sha256& token, const IdempotencyTable::Entry& entry) {
        const bool left = !entry.end && table_.owner_name(entry) == owner;
        // The spool is what the ledger is told: what it has not was neither charged nor answered.
        const bool undone = entry.end && findings.crashed_.contains(entry.call_id);
        if (!left && !undone) return;
        const Use use{token, entry.fingerprint, entry.call_id};
        const auto found = findings.charges_.find(entry.call_id);
        const bool charged = found != findings.charges_.end() && found->second > ExactMoney();
        IdempotencyRecord record = record_of(charged ? Kind::ended : Kind::freed, use, now);
        if (charged) record.charge = found->second;
        record.end = KeptEnd::crashed;
        records.push_back(record);
    });
    for (const IdempotencyRecord& record : records)
        if (!lock || !append(record)) write_later(record);
}

void IdempotencyLog::resolve_all_but(const std::vector<std::string>& owners, Time now) {
    std::vector<std::string> gone;
    table_.for_each([&](const Sha256&, const IdempotencyTable::Entry& entry) {
        const std::string& owner = table_.owner_name(entry);
        if (!entry.end && std::ranges::find(owners, owner) == owners.end()) gone.push_back(owner);
    });
    for (const std::string& owner : gone) resolve(owner, Findings(*this), now);
}

io::Task<void> IdempotencyLog::sync_forever(io::Pool* pool, io::Executor executor) {
    io::Event written(std::move(executor));
    struct Told {
        io::Event*& place;
        ~Told() { place = nullptr; }
    };
    const Told told{written_ = &written};
    while (true) {
        while (!unsynced_) co_await written.wait();
        co_await io::sleep_for(kSyncInterval);
        unsynced_ = false;
        const int file = ::dup(active_);
        if (file < 0) continue;
        const int error = co_await pool->run([file] { return ::fdatasync(file) == 0 ? 0 : errno; });
        ::close(file);
        if (error != 0)
            log_.error(
                "the record of idempotency keys cannot be made durable",
                {{"error", std::strerror(error)}}
            );
    }
}

}  // namespace penstock::gateway
