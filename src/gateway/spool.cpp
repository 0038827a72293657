// SPDX-License-Identifier: Apache-2.0
#include "gateway/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "base/check.h"

namespace penstock::gateway {
namespace {

namespace fs = std::filesystem;
using routing::SpoolKind;
using routing::SpoolReading;

constexpr std::string_view kExtension = ".spool";
constexpr std::string_view kDamagedExtension = ".damaged";
// A segment is ended at twice its usual size at the latest, and one append adds a record at most.
constexpr std::size_t kSegmentReadMax = 3 * Spool::kSegmentBytes;

std::unexpected<Error> system_failure(std::string_view what, const fs::path& path) {
    return fail(
        ErrorCode::internal,
        fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(errno))
    );
}

// At most `max` bytes from `offset`.
Result<std::string> read_at(const fs::path& path, std::uint64_t offset, std::size_t max) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return system_failure("open", path);
    std::string out(max, '\0');
    std::size_t size = 0;
    while (size < max) {
        const ssize_t got =
            ::pread(file, out.data() + size, max - size, static_cast<off_t>(offset + size));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            const auto failure = system_failure("read", path);
            ::close(file);
            return failure;
        }
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    ::close(file);
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

// New names in a directory are durable only when the directory is.
void sync_directory(const fs::path& path) {
    const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return;
    ::fsync(directory);
    ::close(directory);
}

CallRecord crashed(CallRecord call, Time now) {
    call.ended_at = std::max(now, call.started_at);
    call.status = 500;
    call.tokens = {.input_fresh = 0, .output_visible = 0};
    call.basis = UsageBasis::counted;
    call.end_reason = EndReason::gateway_crash;
    return call;
}

}  // namespace

Spool::Spool(io::Executor executor, io::Pool& pool, telemetry::Logger log, Options options)
    : pool_(pool),
      log_(std::move(log)),
      options_(std::move(options)),
      writing_(executor, [this] { write_out(); }),
      appended_(executor),
      grown_(executor),
      committed_(std::move(executor)) {}

Spool::~Spool() {
    if (!unwritten_.empty()) write_out();
    if (lock_file_ >= 0) ::close(lock_file_);
}

Result<std::unique_ptr<Spool>> Spool::open(
    io::Executor executor, io::Pool& pool, telemetry::Logger log, Options options, Time now
) {
    std::error_code error;
    fs::create_directories(options.directory, error);
    if (error)
        return fail(
            ErrorCode::internal,
            "cannot make " + options.directory.string() + ": " + error.message()
        );
    fs::permissions(options.directory, fs::perms::owner_all, error);
    std::unique_ptr<Spool> spool(
        new Spool(std::move(executor), pool, std::move(log), std::move(options))
    );
    const fs::path lock = spool->options_.directory / "lock";
    spool->lock_file_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (spool->lock_file_ < 0) return system_failure("open", lock);
    if (::flock(spool->lock_file_, LOCK_EX | LOCK_NB) != 0)
        return fail(
            ErrorCode::conflict, "another gateway uses " + spool->options_.directory.string() +
                                     "; give each replica a state folder of its own"
        );
    TRY(spool->recover(now));
    spool->look_at_disk();
    spool->tell_room();
    return spool;
}

Result<void> Spool::recover(Time now) {
    std::vector<std::uint64_t> numbers;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(options_.directory, error))
        if (const auto number = number_of(entry.path())) numbers.push_back(*number);
    if (error)
        return fail(
            ErrorCode::internal,
            "cannot list " + options_.directory.string() + ": " + error.message()
        );
    std::ranges::sort(numbers);
    OpenCalls open;
    for (const std::uint64_t number : numbers) {
        const std::uint64_t size = TRY(recover_segment(number, number == numbers.back(), open));
        segments_.push_back({.number = number, .size = size, .synced = size});
        closed_bytes_ += size;
    }
    read_segment_ = segments_.empty() ? 1 : segments_.front().number;
    backlog_segment_ = segments_.empty() ? 1 : segments_.back().number + 1;
    TRY(start_segment());
    for (const auto& [id, call] : open) {
        const CallRecord record = crashed(call, now);
        append(SpoolKind::settled, record);
        if (options_.on_record) options_.on_record(record, segments_.back().number);
    }
    options_.on_record = {};
    recovered_ = open.size();
    if (!write_out()) return system_failure("write", path_of(segments_.back().number));
    if (recovered_ > 0) {
        log_.warning("calls were cut by a crash of the gateway", {{"calls", recovered_}});
        // They belong to the backlog: it is done when these are acknowledged too.
        ++backlog_segment_;
        TRY(start_segment());
    }
    forget_segments();
    return {};
}

// Which calls it leaves open; its size after a torn tail was cut off.
Result<std::uint64_t> Spool::recover_segment(std::uint64_t number, bool last, OpenCalls& open) {
    const fs::path path = path_of(number);
    std::string bytes = TRY(read_at(path, 0, kSegmentReadMax));
    bytes.resize(SpoolSegment::text_end(bytes));
    SpoolReading reading = routing::read_spool(bytes);
    for (routing::SpoolRecord& record : reading.records) {
        if (record.kind == SpoolKind::settled && options_.on_record)
            options_.on_record(record.call, number);
        if (record.kind == SpoolKind::settled)
            open.erase(record.call.id);
        else
            open.insert_or_assign(record.call.id, std::move(record.call));
    }
    if (reading.clean) return bytes.size();
    log_.write(
        last ? telemetry::Level::warning : telemetry::Level::error,
        last ? "the spool's last record was torn by a crash and is dropped"
             : "a spool segment is damaged",
        {{"segment", number}, {"offset", reading.consumed}, {"problem", reading.problem}}
    );
    if (!last) return bytes.size();
    if (::truncate(path.c_str(), static_cast<off_t>(reading.consumed)) != 0)
        return system_failure("truncate", path);
    return reading.consumed;
}

fs::path Spool::path_of(std::uint64_t number) const {
    return options_.directory / fmt::format("{:010}{}", number, kExtension);
}

Result<void> Spool::start_segment() {
    const std::uint64_t number = segments_.empty() ? 1 : segments_.back().number + 1;
    SpoolSegment fresh = TRY(SpoolSegment::create(path_of(number)));
    if (active_.file() >= 0) {
        // Whoever starts a segment has synced the one before, or does so here (at start only).
        if (segments_.back().synced < segments_.back().size) ::fdatasync(active_.file());
        segments_.back().synced = segments_.back().size;
        closed_bytes_ += segments_.back().size;
    }
    active_ = std::move(fresh);
    segments_.push_back({.number = number, .size = 0, .synced = 0});
    sync_directory(options_.directory);
    return {};
}

void Spool::append_opened(const CallRecord& call) { append(SpoolKind::opened, call); }

void Spool::append_settled(const CallRecord& call) {
    append(SpoolKind::settled, call);
    const Segment& active = segments_.back();
    settled_ = {active.number, active.size + unwritten_.size()};
    appended_.notify_one();
}

void Spool::append(SpoolKind kind, const CallRecord& call) {
    routing::append_spool_record(unwritten_, kind, call);
    writing_.ask();
}

// False when the disk did not take everything; the rest is kept and tried again.
bool Spool::write_out() {
    writing_.take_back();
    if (broken_) return false;
    const std::size_t written = active_.append(unwritten_);
    segments_.back().size += written;
    unwritten_.erase(0, written);
    stuck_ = !unwritten_.empty();
    if (unsynced_bytes() >= kUnsyncedBytesMax) grown_.notify_one();
    return !stuck_;
}

std::uint64_t Spool::unsynced_bytes() const {
    return segments_.back().size - segments_.back().synced;
}

bool Spool::is_acknowledged(Place place) const {
    const bool own = read_segment_ > place.segment ||
                     (read_segment_ == place.segment && read_offset_ >= place.end);
    return own && backlog_done();
}

std::optional<std::uint64_t> Spool::cut() {
    if (syncing_ || !write_out()) return std::nullopt;
    if (segments_.back().size > 0) {
        if (const Result<void> started = start_segment(); !started) {
            log_.error("cannot start a spool segment", started.error());
            return std::nullopt;
        }
        committed_.notify_all();
    }
    return segments_.back().number;
}

// What is not kept any more was durable.
bool Spool::is_durable(Place place) const {
    const auto segment = std::ranges::find(segments_, place.segment, &Segment::number);
    return segment == segments_.end() || segment->synced >= place.end;
}

bool Spool::has_room() const {
    return !broken_ && !stuck_ && bytes() < options_.bytes_max && disk_left_ > kDiskLeftMin;
}

void Spool::look_at_disk() {
    struct statvfs disk{};
    if (::statvfs(options_.directory.c_str(), &disk) != 0) return;  // writes will tell
    disk_left_ = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

void Spool::tell_room() const {
    const std::uint64_t usable = disk_left_ > kDiskLeftMin ? disk_left_ - kDiskLeftMin : 0;
    if (bytes() + usable >= options_.bytes_max) return;
    log_.warning(
        "the disk has less room than the spool may take: while the server is away, so many calls "
        "are served and then refused; make room, or move the state folder",
        {{"folder", options_.directory.string()},
         {"bytes_free", usable},
         {"bytes_max", options_.bytes_max},
         {"calls", (bytes() + usable) / kCallBytesUsual}}
    );
}

std::uint64_t Spool::bytes() const {
    return closed_bytes_ + segments_.back().size + unwritten_.size();
}

io::Task<void> Spool::commit_forever() {
    while (true) {
        if (!unwritten_.empty() && !write_out()) {
            log_.error(
                "the spool cannot be written; new calls are refused",
                {{"error", std::strerror(errno)}}
            );
            co_await io::sleep_for(kRetryInterval);
            continue;
        }
        if (is_durable(settled_) || broken_) {
            co_await appended_.wait();
            continue;
        }
        co_await commit_once();
        look_at_disk();
        co_await pause();
    }
}

io::Task<void> Spool::pause() {
    const io::Deadline until = io::Deadline::after(kCommitInterval);
    const io::Deadline soonest = io::Deadline::after(kCommitIntervalMin);
    while (unsynced_bytes() < kUnsyncedBytesMax && !until.passed()) co_await grown_.wait(until);
    if (!soonest.passed()) co_await io::sleep_until(soonest);
}

// One fsync for all records written so far; then the next segment if this one is full.
io::Task<void> Spool::commit_once() {
    const std::uint64_t size = segments_.back().size;
    const int file = active_.file();
    syncing_ = true;
    const int error = co_await pool_.run([file] { return ::fdatasync(file) == 0 ? 0 : errno; });
    syncing_ = false;
    if (error != 0) {
        // After a failed fsync the system may have dropped the pages: a later success would prove
        // nothing.
        broken_ = true;
        log_.error(
            "the spool cannot be made durable; the gateway refuses calls until it is restarted",
            {{"error", std::strerror(error)}}
        );
        co_return;
    }
    segments_.back().synced = size;
    // Best between two appends; under steady load the rest is synced here, on the loop.
    const bool quiet = segments_.back().size == size;
    if (unwritten_.empty() &&
        ((size >= options_.segment_bytes && quiet) || size >= 2 * options_.segment_bytes)) {
        if (const Result<void> started = start_segment(); !started)
            log_.error("cannot start a spool segment", started.error());
    }
    committed_.notify_all();
}

io::Task<bool> Spool::flush(io::Deadline deadline) {
    const Place end = settled_;
    while (!is_durable(end)) {
        if (!co_await committed_.wait(deadline)) co_return false;
    }
    co_return true;
}

bool Spool::has_records() const {
    for (const Segment& segment : segments_)
        if (segment.number >= read_segment_ &&
            segment.synced > (segment.number == read_segment_ ? read_offset_ : 0))
            return true;
    return false;
}

io::Task<void> Spool::wait_for_records() {
    while (!has_records()) co_await committed_.wait();
}

io::Task<Result<std::unique_ptr<Spool::Batch>>> Spool::next_batch(std::size_t records_max) {
    auto batch = std::make_unique<Batch>();
    batch->segment = read_segment_;
    batch->end = read_offset_;
    while (has_records()) {
        const auto segment = std::ranges::find(segments_, batch->segment, &Segment::number);
        CHECK(segment != segments_.end(), "a segment is kept until it is acknowledged");
        const std::size_t max = static_cast<std::size_t>(
            std::min<std::uint64_t>(kReadBytesMax, segment->synced - batch->end)
        );
        const bool whole = batch->end + max == segment->synced;
        const fs::path path = path_of(batch->segment);
        const std::uint64_t from = batch->end;
        batch->bytes =
            CO_TRY(co_await pool_.run([path, from, max] { return read_at(path, from, max); }));
        const routing::SpoolTexts reading = routing::read_spool_texts(batch->bytes, records_max);
        for (const routing::SpoolText& record : reading.records)
            if (record.kind == SpoolKind::settled) batch->records.push_back(record.json);
        batch->end += reading.consumed;
        // A cut at the end of the piece is only the end of the piece.
        batch->damaged = !reading.clean && (whole || reading.consumed == 0);
        if (batch->damaged || !batch->records.empty()) break;
        // Only opened markers: they need no acknowledgement.
        read_offset_ = batch->end;
        forget_segments();
        batch->segment = read_segment_;
        batch->end = read_offset_;
    }
    co_return batch;
}

void Spool::acknowledge(const Batch& batch) {
    if (batch.segment < read_segment_) return;
    read_segment_ = batch.segment;
    read_offset_ = batch.end;
    if (batch.damaged) {
        const auto segment = std::ranges::find(segments_, batch.segment, &Segment::number);
        CHECK(segment != segments_.end(), "the segment was read just now");
        const fs::path path = path_of(batch.segment);
        log_.error(
            "a damaged spool segment is put aside",
            {{"segment", batch.segment}, {"offset", batch.end}}
        );
        // Its readable part is acknowledged; a person may look at the rest.
        std::error_code error;
        fs::copy_file(
            path, fs::path(path).replace_extension(kDamagedExtension),
            fs::copy_options::overwrite_existing, error
        );
        read_offset_ = segment->size;
    }
    forget_segments();
}

void Spool::forget_segments() {
    while (segments_.size() > 1 && segments_.front().number <= read_segment_) {
        const Segment& first = segments_.front();
        if (first.number == read_segment_ && read_offset_ < first.size) return;
        std::error_code error;
        fs::remove(path_of(first.number), error);
        if (error)
            log_.warning("cannot remove a settled spool segment", {{"error", error.message()}});
        closed_bytes_ -= first.size;
        segments_.pop_front();
        read_segment_ = segments_.front().number;
        read_offset_ = 0;
    }
}

void Spool::close() {
    const Segment& active = segments_.back();
    if (segments_.size() > 1 || read_segment_ != active.number || read_offset_ < active.size ||
        !unwritten_.empty())
        return;
    std::error_code error;
    fs::remove(path_of(active.number), error);
}

bool Spool::backlog_done() const { return segments_.front().number >= backlog_segment_; }

}  // namespace penstock::gateway
