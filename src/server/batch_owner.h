// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "batches/input_check.h"
#include "batches/line_book.h"
#include "batches/line_pace.h"
#include "batches/room_book.h"
#include "io/event.h"
#include "io/pool.h"
#include "io/task.h"
#include "model/batch_explanation.h"
#include "scheduler/line_queue.h"
#include "server/billing.h"
#include "server/file_shelf.h"
#include "server/platform.h"

namespace penstock::server {

class OpenAiRoutes;

constexpr std::size_t kBatchesOpenPerOrganisationMax = 100;
constexpr std::size_t kBatchesPerOrganisationMax = 10'000;
constexpr Duration kBatchKept = 30 * 24h;  // after its end
constexpr Duration kBatchTick = 1s;
// A claim that its gateway does not renew is free after it.
constexpr Duration kClaimLives = 60s;
constexpr Duration kClaimWaitMax = 30s;
constexpr std::int64_t kClaimLinesMax = 64;
constexpr Duration kRetryAfterFirst = 250ms;  // doubles with each try of a line
constexpr Duration kRetryAfterMax = 5min;     // that a batch rests when a limit of its key is met
constexpr std::size_t kClaimBytesMax = 16UL * 1024 * 1024;  // beyond: one line at a time
// After a start gateways tell what they run before lines are given to others.
constexpr Duration kClaimsRest = 3s;
constexpr Duration kUsesWaitMax = 30s;
// Lines wait so long at most for gateways that have not told what they carry since there are any.
constexpr Duration kUsesHeardWithin = 2s;
constexpr std::int64_t kResultsBytesMax = 4LL * 1024 * 1024 * 1024;  // of one batch

// The serial owner of batches: reads inputs, decides whose line runs next and where, from what all
// gateways tell of the endpoints that sell batches, takes the answers and settles their calls in
// one change with them, and makes the files at the end. Rows lie in the platform; answers of a
// batch that has not ended lie in an append-only file, whose committed length is part of the row.
// The platform's executor.
class BatchOwner {
  public:
    struct Options {
        std::filesystem::path directory;  // of results
    };
    BatchOwner(
        Platform& platform, Billing& billing, FileShelf& files, io::Pool& pool, Options options
    );
    // Blocking: makes the folder.
    Result<void> open();
    io::Task<void> run();

    Result<BatchId> create(
        Change& change, const access::Principal& principal, const CreateBatch& wanted
    );
    Result<void> cancel(Change& change, BatchId id);
    // The caller's own; not_found for a foreign one as for a missing one.
    Result<const StoredBatch*> find(const access::Principal& principal, std::string_view id) const;

    // What a gateway carries. Answers when another report is wanted, or `report.wait` is over.
    io::Task<Result<TakenUses>> report_uses(ReportUses report);
    // Waits until there are lines or `wanted.wait` is over.
    io::Task<ClaimedLines> claim(ClaimLines wanted);
    io::Task<Result<ReportedLines>> report(ReportLines report);

    BatchExplanation explain(const StoredBatch& batch) const;
    // Of the service, that lines of batches near their end ask for.
    std::int64_t replicas_for_lines(const Task& task);

  private:
    // Of a batch whose input was read.
    struct Running {
        batches::LineBook book;
        std::vector<std::uint64_t> index;
        Time not_before;  // a limit of its key was met
        // Where the line after the last one that was read begins.
        std::int64_t next_line = 0;
        std::uint64_t next_at = 0;
        bool near_end = false;  // it asked for replicas: it does until its end
    };

    io::Task<void> look_at(BatchId id);
    io::Task<void> load(BatchId id);
    void judge(Change& change, StoredBatch& batch, batches::CheckedInput input);
    void follow(StoredBatch& batch, Running& running);
    io::Task<void> finalize(BatchId id);
    struct Output {
        FileId id;
        std::string_view ending;  // of its name
    };
    void keep_output(
        Change& change, const StoredBatch& batch, const Output& named, IncomingFile& file
    );
    void sweep(Change& change);
    void store(Change& change, const StoredBatch& batch);
    void stop_without_key(StoredBatch& batch, const Error& cause);

    void hear(const ClaimLines& wanted);
    io::Task<Result<std::string>> text_of(LineTry line);
    io::Task<std::optional<ClaimedLine>> claimed(RunningLine line);

    // ---- batch_room.cpp
    // An endpoint that sells batches, as lines see it.
    struct Place {
        const Endpoint* endpoint = nullptr;
        batches::EndpointLoad load;
        batches::Room room;
        bool open = false;  // at a gateway
    };
    // Ready endpoints that sell batches of the model, by id.
    const std::vector<EndpointId>& sellers(const std::string& model) const;
    // The same as they are now.
    std::vector<Place> places(const std::string& model) const;
    // Batches of the model that have lines left, by id.
    std::vector<scheduler::LineDemand> demands(const std::string& model) const;
    bool may_give(const StoredBatch& batch, const Running& running) const;
    bool is_allowed(const StoredBatch& batch, const Endpoint& endpoint) const;
    Place* place_for(
        const StoredBatch& batch, std::vector<Place>& among, const std::string& replica
    ) const;
    std::vector<RunningLine> choose(const ClaimLines& wanted);
    void choose(
        const ClaimLines& wanted, const std::string& model, std::vector<RunningLine>& chosen
    );
    // Of batches that have lines left.
    std::set<std::string> models() const;
    bool is_watched() const;
    void look_at_room();
    void measure(const LineReport& report);
    void take_weights(const scheduler::Tenant& tenant);
    void explain_turn(const StoredBatch& batch, BatchExplanation& explanation) const;

    struct Taken;
    class Storing;
    void take(const ReportLines& report, Taken& taken);
    std::string take(const LineReport& report, Taken& taken);
    void give_back(const LineReport& line, RunId owner);
    ReportedLines answer_to(
        const ReportLines& report, const Taken& taken, const std::set<std::string>& before
    ) const;
    io::Task<Result<void>> append(const Taken* taken);
    void apply(Change& change, const Taken& taken, const std::set<std::string>& before);
    void drop(const Taken& taken);

    std::filesystem::path results_of(BatchId id) const {
        return options_.directory / (to_string(id) + ".results");
    }

    Platform& platform_;
    Billing& billing_;
    FileShelf& files_;
    io::Pool& pool_;
    Options options_;
    Time started_at_;
    std::map<BatchId, Running> running_;
    std::map<std::string, RunId> runs_;  // of gateways, by replica
    batches::RoomBook rooms_;
    batches::LinePace pace_;
    scheduler::LineQueue queue_;
    mutable std::map<std::string, std::vector<EndpointId>> sellers_;  // by model, of:
    mutable std::int64_t sellers_version_ = 0;
    std::optional<Time> watched_since_;  // gateways tell each change; absent: no line is left
    bool storing_ = false;               // one report at a time
    io::Event stored_;
    io::Event changed_;  // there may be lines
    io::Event wake_;     // a batch came or ended
    io::Event watch_;    // gateways are to tell what they carry
    telemetry::Counter* lines_completed_;
    telemetry::Counter* lines_failed_;
    telemetry::Counter* lines_retried_;
    telemetry::Counter* given_pressed_;
    telemetry::Counter* given_by_shares_;
    telemetry::Gauge* waiting_;
    telemetry::Gauge* room_;
    telemetry::Gauge* late_;
};

// What routes of files and batches work with.
struct StatefulParts {
    Platform* platform;
    FileShelf* files;
    BatchOwner* batches;
};
void add_openai_file_routes(OpenAiRoutes& routes, StatefulParts parts);
// /v1/batches, and what gateways ask.
void add_batch_routes(OpenAiRoutes& routes, StatefulParts parts);

}  // namespace penstock::server
