// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "gateway/idempotency_table.h"
#include "io/event.h"
#include "io/pool.h"
#include "io/task.h"
#include "model/endpoint.h"
#include "telemetry/log.h"

namespace penstock::gateway {

// Which Idempotency-Keys were used, with the answers to give again: "NNNNNNNNNN.idem" files of
// idempotency_record.h. Two processes of one gateway may share the folder: each looks at what the
// other wrote, and writes, under a lock, so that one key is begun once. A record is in the system's
// hands, and survives kill -9, when the function that writes it returns; the disk has it within
// kSyncInterval. Bounded in bytes: the oldest segment goes, its keys are written anew, its answers
// are not. Calls block for as long as a write to the page cache does, or kLockWaitMax.
class IdempotencyLog {
  public:
    static constexpr std::uint64_t kBytesMax = 256UL * 1024 * 1024;
    static constexpr std::uint64_t kSegmentBytes = 8UL * 1024 * 1024;
    static constexpr std::size_t kAnswerBytesMax = 1024UL * 1024;  // larger ones are not kept
    // What is over is off the disk within so long.
    static constexpr Duration kSegmentAge = 1h;
    static constexpr Duration kSyncInterval = 100ms;
    static constexpr Duration kLockWaitMax = 5ms;

    struct Options {
        std::filesystem::path directory;
        std::string owner;  // of this process: no other one that lives has it
        std::uint64_t bytes_max = kBytesMax;
        std::uint64_t segment_bytes = kSegmentBytes;
        std::size_t entries_max = IdempotencyTable::kEntriesMax;
    };
    // Blocking. Cuts a torn tail off.
    static Result<std::unique_ptr<IdempotencyLog>> open(
        telemetry::Logger log, Options options, Time now
    );
    ~IdempotencyLog();
    IdempotencyLog(const IdempotencyLog&) = delete;
    IdempotencyLog& operator=(const IdempotencyLog&) = delete;

    struct Use {
        Sha256 token{};
        Sha256 fingerprint{};
        RequestId call_id;
    };
    // Where the ruling is `begins`, the use is on record and end() is owed. Unavailable: the log
    // cannot be locked or written now, and nothing was begun.
    Result<IdempotencyTable::Judgement> begin(const Use& use, Time now);
    // The same use goes on with another call.
    void go_on(const Use& use, Time now);
    struct End {
        ExactMoney charge;
        KeptEnd end = KeptEnd::cut;
        const KeptAnswer* answer = nullptr;  // where it is to be kept
    };
    // What cannot be written now is written later; until then this process alone knows of it.
    void end(const Use& use, const End& end, Time now);
    // Nothing was charged, nothing answered: the key may be used again.
    void free(const Use& use, Time now);

    // Removes what is over, and writes what could not be written; cheap where there is nothing.
    void tidy(Time now);
    // The answer of an entry that has one. Blocking; safe on another thread.
    Result<KeptAnswer> read(const IdempotencyTable::Place& place) const;
    // The same where the system has it in memory; else nothing.
    std::optional<KeptAnswer> read_now(const IdempotencyTable::Place& place) const;

    // What the spool of a process that has ended tells of its calls (Spool::Options::on_record).
    class Findings {
      public:
        explicit Findings(IdempotencyLog& log) : log_(log) {}
        // The spool is ours by now: its process writes no more, here or there.
        void add(const CallRecord& settled);

      private:
        friend IdempotencyLog;
        void ask();
        IdempotencyLog& log_;
        std::optional<std::unordered_set<RequestId>> asked_;  // nothing: not looked yet
        std::unordered_map<RequestId, ExactMoney> charges_;
        std::unordered_set<RequestId> crashed_;
    };
    // The process `owner` has ended, and this is all that its spool had: uses that it left begun
    // were charged, or are free again.
    void resolve(std::string_view owner, const Findings& findings, Time now);
    // Those whose processes cannot be known any more.
    void resolve_all_but(const std::vector<std::string>& owners, Time now);

    // Makes records durable; runs until cancelled, on the executor of all calls, which is given.
    io::Task<void> sync_forever(io::Pool* pool, io::Executor executor);

    std::uint64_t bytes() const { return bytes_; }
    std::size_t keys() const { return table_.size(); }
    std::uint64_t keys_evicted() const { return table_.keys_evicted(); }
    std::uint64_t answers_evicted() const { return answers_evicted_; }

  private:
    struct Segment {
        std::uint64_t number = 0;
        std::uint64_t size = 0;  // whole records
        Time begun;              // about when its first record was written
        Time newest;             // of its records
    };
    enum class Patience : std::uint8_t { short_, long_ };
    class Lock;

    IdempotencyLog(telemetry::Logger log, Options options);
    std::filesystem::path path_of(std::uint64_t number) const;
    Result<void> load();
    Result<void> open_segment(std::uint64_t number, bool fresh);
    Result<std::vector<std::uint64_t>> numbers_behind(std::uint64_t number) const;
    Result<void> read_tail();
    Result<void> catch_up();
    Result<void> append(const IdempotencyRecord& record);
    void note(const IdempotencyRecord& record);
    Result<void> write(std::string_view bytes);
    bool has_space(std::uint64_t bytes) const;
    bool make_space(std::uint64_t bytes, Time now);
    void drop_old(Time now);
    Result<void> drop_oldest(Time now);
    void write_later(IdempotencyRecord record);
    bool write_pending();
    bool put(const IdempotencyRecord& record, Time now);

    telemetry::Logger log_;
    Options options_;
    int lock_file_ = -1;
    int active_ = -1;  // the last of `segments_`
    std::deque<Segment> segments_;
    IdempotencyTable table_;
    std::vector<IdempotencyRecord> pending_;  // borrow nothing
    Time latest_;                             // that was told
    std::uint64_t bytes_ = 0;
    std::uint64_t answers_evicted_ = 0;
    bool unsynced_ = false;
    io::Event* written_ = nullptr;  // while sync_forever() runs
    bool dropped_ = false;          // the other process has removed the active segment
};

}  // namespace penstock::gateway
