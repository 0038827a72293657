// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "gateway/spool_segment.h"
#include "io/before_sending.h"
#include "io/event.h"
#include "io/pool.h"
#include "io/task.h"
#include "model/endpoint.h"
#include "routing/spool_record.h"
#include "telemetry/log.h"

namespace penstock::gateway {

// The local write-ahead log of calls: "NNNNNNNNNN.spool" files of routing/spool_record.h, written
// in order (spool_segment.h), read back from the front, deleted when the server has acknowledged
// them. A record is in the system's hands (and survives kill -9) before anything more is sent by a
// stream of the loop, at the end of the loop's turn at the latest, and on the disk within
// kCommitInterval and the time of one fsync, which a thread of the pool makes: the records of a
// turn share one write, and many turns one fsync. One process at a time (lock file).
class Spool {
  public:
    static constexpr std::uint64_t kSegmentBytes = 4UL * 1024 * 1024;
    // At the most read into memory at once, for a batch.
    static constexpr std::size_t kReadBytesMax = 256UL * 1024;
    // A write that failed (disk full) is tried again this often.
    static constexpr Duration kRetryInterval = 500ms;
    // At least so long between two fsyncs, and no longer once so much was written since the last
    // one: only the report to the server waits for them. A machine that loses its power may forget
    // what was written in that time. An fsync costs 0.15 ms of CPU, as much as five frames of
    // streams.
    static constexpr Duration kCommitIntervalMin = 20ms;
    static constexpr Duration kCommitInterval = 100ms;
    static constexpr std::uint64_t kUnsyncedBytesMax = 1024UL * 1024;
    // So much of the disk is left to others: with less, new calls are refused.
    static constexpr std::uint64_t kDiskLeftMin = 256UL * 1024 * 1024;
    // Of one call: when it was opened, and how it ended.
    static constexpr std::uint64_t kCallBytesUsual = 1400;

    struct Options {
        std::filesystem::path directory;
        std::uint64_t bytes_max = 0;
        std::uint64_t segment_bytes = kSegmentBytes;
        // While it is opened: each settled record that an earlier process left, in order, and the
        // segment that it is in.
        std::function<void(const CallRecord&, std::uint64_t segment)> on_record = {};
    };
    // Blocking. Cuts a torn tail off, and writes "gateway crashed" records for calls that an
    // earlier process opened and never settled. `now` is their end.
    static Result<std::unique_ptr<Spool>> open(
        io::Executor executor, io::Pool& pool, telemetry::Logger log, Options options, Time now
    );
    ~Spool();
    Spool(const Spool&) = delete;
    Spool& operator=(const Spool&) = delete;

    // The call was dispatched: what is settled if this process dies.
    void append_opened(const CallRecord& call);
    // The call has ended.
    void append_settled(const CallRecord& call);
    // False when new calls must be refused: over bytes_max, or the disk is full or takes nothing.
    bool has_room() const;

    // Makes records durable; runs until cancelled.
    io::Task<void> commit_forever();
    // Returns when everything appended so far is durable, or false when the deadline passed.
    io::Task<bool> flush(io::Deadline deadline);

    // The oldest durable settled records that are not yet acknowledged, at most `records_max`;
    // empty when there are none. Ask again only after acknowledge().
    struct Batch {
        std::string bytes;                      // what was read
        std::vector<std::string_view> records;  // JSON of CallRecords, within them
        std::uint64_t segment = 0;
        std::uint64_t end = 0;  // offset in the segment, behind the batch
        bool damaged = false;   // nothing behind `end` can be read
        Batch() = default;
        Batch(Batch&&) = delete;  // `records` point into it
    };
    io::Task<Result<std::unique_ptr<Batch>>> next_batch(std::size_t records_max);
    // The server has them (or they are kept elsewhere): the log may forget them.
    void acknowledge(const Batch& batch);
    // Begins another segment (blocking, of what is not synced yet): its number. All that was
    // appended so far is in earlier ones. Nothing where the disk does not take it, or while a
    // thread syncs the present one: try again.
    std::optional<std::uint64_t> cut();
    // Behind the last record of a call that ended in this process; and whether all up to there is
    // acknowledged, what earlier processes left included.
    struct Place {
        std::uint64_t segment = 0;
        std::uint64_t end = 0;  // offset in it
    };
    Place settled_end() const { return settled_; }
    bool is_acknowledged(Place place) const;
    // Waits for durable records behind the last acknowledged ones.
    io::Task<void> wait_for_records();

    std::uint64_t bytes() const;                            // on the disk, or about to be
    std::uint64_t recovered() const { return recovered_; }  // calls that a crash had left open
    // Durable records wait for an acknowledgement.
    bool has_records() const;
    // Those, or records of ended calls that are not durable yet.
    bool has_unsettled() const { return has_records() || !is_durable(settled_); }
    // Records that an earlier process left are all acknowledged.
    bool backlog_done() const;
    // Last call: removes the log when everything in it is acknowledged.
    void close();

  private:
    struct Segment {
        std::uint64_t number = 0;
        std::uint64_t size = 0;  // whole records
        std::uint64_t synced = 0;
    };
    using OpenCalls = std::unordered_map<RequestId, CallRecord>;

    Spool(io::Executor executor, io::Pool& pool, telemetry::Logger log, Options options);
    Result<void> recover(Time now);
    Result<void> start_segment();
    std::filesystem::path path_of(std::uint64_t number) const;
    void append(routing::SpoolKind kind, const CallRecord& call);
    Result<std::uint64_t> recover_segment(std::uint64_t number, bool last, OpenCalls& open);
    bool write_out();
    io::Task<void> commit_once();
    io::Task<void> pause();
    void look_at_disk();
    void tell_room() const;
    std::uint64_t unsynced_bytes() const;
    bool is_durable(Place place) const;
    void forget_segments();

    io::Pool& pool_;
    telemetry::Logger log_;
    Options options_;
    int lock_file_ = -1;
    SpoolSegment active_;  // the last one of `segments_`
    std::deque<Segment> segments_;
    std::string unwritten_;  // of this turn, or what the disk did not take
    bool stuck_ = false;     // the disk did not take all of it
    io::BeforeSending writing_;
    Place settled_;                   // behind the last record of a call that ended
    std::uint64_t read_segment_ = 0;  // the next batch begins here
    std::uint64_t read_offset_ = 0;
    std::uint64_t backlog_segment_ = 0;  // the first one of this process
    std::uint64_t recovered_ = 0;
    std::uint64_t closed_bytes_ = 0;        // of all segments but the active one
    std::uint64_t disk_left_ = UINT64_MAX;  // that may be used, when it was looked at last
    bool syncing_ = false;                  // a thread has the active segment's file
    bool broken_ = false;                   // fsync failed: nothing can be promised any more
    io::Event appended_;
    io::Event grown_;
    io::Event committed_;
};

}  // namespace penstock::gateway
