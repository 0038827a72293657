// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/endpoint.h"
#include "model/ids.h"

// Files and batches of OpenAI's API, as they are shown and as they are stored, and what gateways
// and server say to each other about lines of batches. Times that are shown are Unix seconds.
namespace penstock {

struct FileTag {
    static constexpr std::string_view kPrefix = "file";
};
using FileId = Id<FileTag>;
struct BatchTag {
    static constexpr std::string_view kPrefix = "batch";
};
using BatchId = Id<BatchTag>;

// ---- files

struct StoredFile {
    static constexpr bool kJsonDefaults = true;
    FileId id;
    OrganisationId organisation_id;
    ProjectId project_id;
    std::string filename;
    std::string purpose;  // batch, batch_output
    std::int64_t bytes = 0;
    std::string sha256;
    Time created_at;
    std::optional<Time> expires_at;
    bool operator==(const StoredFile&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    StoredFile, (),
    (id, organisation_id, project_id, filename, purpose, bytes, sha256, created_at, expires_at)
)

struct FileObject {
    std::string id;
    std::string object = "file";
    std::int64_t bytes = 0;
    std::int64_t created_at = 0;
    std::optional<std::int64_t> expires_at;
    std::string filename;
    std::string purpose;
    std::string status = "processed";
    bool operator==(const FileObject&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    FileObject, (), (id, object, bytes, created_at, expires_at, filename, purpose, status)
)

// A page of OpenAI's lists: goes on with after=last_id.
struct FileList {
    std::string object = "list";
    std::vector<FileObject> data;
    std::optional<std::string> first_id;
    std::optional<std::string> last_id;
    bool has_more = false;
};
BOOST_DESCRIBE_STRUCT(FileList, (), (object, data, first_id, last_id, has_more))

struct DeletedObject {
    std::string id;
    std::string object;
    bool deleted = true;
};
BOOST_DESCRIBE_STRUCT(DeletedObject, (), (id, object, deleted))

// ---- batches

enum class BatchStatus {
    validating,
    failed,
    in_progress,
    finalizing,
    completed,
    expired,
    cancelling,
    cancelled
};
BOOST_DESCRIBE_ENUM(
    BatchStatus, validating, failed, in_progress, finalizing, completed, expired, cancelling,
    cancelled
)

// What is wrong with the input: which line, why, and what to do.
struct BatchFault {
    std::string code;  // invalid_json_line, duplicate_custom_id …
    std::string message;
    std::optional<std::string> param;  // the member of the line
    std::optional<std::int64_t> line;  // counted from 1
    bool operator==(const BatchFault&) const = default;
};
BOOST_DESCRIBE_STRUCT(BatchFault, (), (code, message, param, line))
struct BatchFaults {
    std::string object = "list";
    std::vector<BatchFault> data;
    bool operator==(const BatchFaults&) const = default;
};
BOOST_DESCRIBE_STRUCT(BatchFaults, (), (object, data))

struct BatchCounts {
    std::int64_t total = 0;
    std::int64_t completed = 0;
    std::int64_t failed = 0;
    bool operator==(const BatchCounts&) const = default;
};
BOOST_DESCRIBE_STRUCT(BatchCounts, (), (total, completed, failed))

struct OutputExpiry {
    std::string anchor = "created_at";
    std::int64_t seconds = 0;
    bool operator==(const OutputExpiry&) const = default;
};
BOOST_DESCRIBE_STRUCT(OutputExpiry, (), (anchor, seconds))

struct CreateBatch {
    std::string input_file_id;
    std::string endpoint;  // /v1/chat/completions, /v1/responses or /v1/embeddings
    std::string completion_window;
    std::optional<std::map<std::string, std::string>> metadata;
    std::optional<OutputExpiry> output_expires_after;
    bool operator==(const CreateBatch&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    CreateBatch, (), (input_file_id, endpoint, completion_window, metadata, output_expires_after)
)

struct StoredBatch {
    static constexpr bool kJsonDefaults = true;
    BatchId id;
    OrganisationId organisation_id;
    ProjectId project_id;
    KeyId key_id;  // its lines are its calls
    std::string endpoint;
    std::string completion_window;
    FileId input_file_id;
    std::optional<std::map<std::string, std::string>> metadata;
    std::optional<std::int64_t> output_lives_seconds;
    BatchStatus status = BatchStatus::validating;
    std::optional<BatchStatus> ends_as;  // while finalizing
    std::string model;
    std::optional<BatchFaults> errors;
    BatchCounts counts;
    std::int64_t results_bytes = 0;  // of its results file, that count
    std::optional<FileId> output_file_id;
    std::optional<FileId> error_file_id;
    Time created_at;
    Time expires_at;
    std::optional<Time> in_progress_at;
    std::optional<Time> finalizing_at;
    std::optional<Time> completed_at;
    std::optional<Time> failed_at;
    std::optional<Time> expired_at;
    std::optional<Time> cancelling_at;
    std::optional<Time> cancelled_at;
    bool operator==(const StoredBatch&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    StoredBatch, (),
    (id, organisation_id, project_id, key_id, endpoint, completion_window, input_file_id, metadata,
     output_lives_seconds, status, ends_as, model, errors, counts, results_bytes, output_file_id,
     error_file_id, created_at, expires_at, in_progress_at, finalizing_at, completed_at, failed_at,
     expired_at, cancelling_at, cancelled_at)
)

struct BatchObject {
    std::string id;
    std::string object = "batch";
    std::string endpoint;
    std::optional<std::string> model;
    std::optional<BatchFaults> errors;
    std::string input_file_id;
    std::string completion_window;
    BatchStatus status = BatchStatus::validating;
    std::optional<std::string> output_file_id;
    std::optional<std::string> error_file_id;
    std::int64_t created_at = 0;
    std::optional<std::int64_t> in_progress_at;
    std::int64_t expires_at = 0;
    std::optional<std::int64_t> finalizing_at;
    std::optional<std::int64_t> completed_at;
    std::optional<std::int64_t> failed_at;
    std::optional<std::int64_t> expired_at;
    std::optional<std::int64_t> cancelling_at;
    std::optional<std::int64_t> cancelled_at;
    BatchCounts request_counts;
    std::optional<std::map<std::string, std::string>> metadata;
    bool operator==(const BatchObject&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    BatchObject, (),
    (id, object, endpoint, model, errors, input_file_id, completion_window, status, output_file_id,
     error_file_id, created_at, in_progress_at, expires_at, finalizing_at, completed_at, failed_at,
     expired_at, cancelling_at, cancelled_at, request_counts, metadata)
)

struct BatchList {
    std::string object = "list";
    std::vector<BatchObject> data;
    std::optional<std::string> first_id;
    std::optional<std::string> last_id;
    bool has_more = false;
};
BOOST_DESCRIBE_STRUCT(BatchList, (), (object, data, first_id, last_id, has_more))

// ---- gateway ⇄ server, under /v1/gateway

// One try of one line. The id of its record follows from it, so it is fixed before anybody runs it.
struct LineTry {
    BatchId batch_id;
    std::int64_t line = 0;     // counted from 0
    std::int64_t attempt = 1;  // counted from 1
    auto operator<=>(const LineTry&) const = default;
};
BOOST_DESCRIBE_STRUCT(LineTry, (), (batch_id, line, attempt))

// What one gateway carries at an endpoint that sells batches.
struct EndpointUse {
    static constexpr bool kJsonDefaults = true;
    EndpointId endpoint_id;
    bool open = true;        // calls may go there from here: ready, and not left alone
    std::int64_t calls = 0;  // in flight, without those of lines
    std::optional<double> cache_used_share;            // as the engine told this gateway of late
    std::optional<std::int64_t> engine_calls_waiting;  // likewise
    bool operator==(const EndpointUse&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    EndpointUse, (), (endpoint_id, open, calls, cache_used_share, engine_calls_waiting)
)

// Calls that wait at a gateway for the first replica of a model.
struct ModelHeld {
    std::string model;
    std::int64_t calls = 0;
    bool operator==(const ModelHeld&) const = default;
};
BOOST_DESCRIBE_STRUCT(ModelHeld, (), (model, calls))

// POST /v1/gateway/batches:uses. What is not named is not in the gateway's table. The answer comes
// when the server wants another report, or after `wait`.
struct ReportUses {
    static constexpr bool kJsonDefaults = true;
    std::string replica;
    RunId run_id;
    std::vector<EndpointUse> uses;
    std::vector<ModelHeld> held;
    Duration wait{};
    bool operator==(const ReportUses&) const = default;
};
BOOST_DESCRIBE_STRUCT(ReportUses, (), (replica, run_id, uses, held, wait))
struct TakenUses {
    bool watched = false;  // lines wait or run: tell each change at once
    bool operator==(const TakenUses&) const = default;
};
BOOST_DESCRIBE_STRUCT(TakenUses, (), (watched))

// A line that a gateway runs, and where.
struct RunningLine {
    LineTry line;
    EndpointId endpoint_id;
    bool operator==(const RunningLine&) const = default;
};
BOOST_DESCRIBE_STRUCT(RunningLine, (), (line, endpoint_id))

// POST /v1/gateway/batches:claim. Waits while there is nothing to run. Which lines, and at which
// endpoints, the server decides from the uses of all gateways.
struct ClaimLines {
    std::string replica;
    RunId run_id;  // of the gateway's process: what an earlier one had claimed is free again
    std::int64_t room = 0;             // lines that this process takes besides those that it runs
    std::vector<RunningLine> running;  // all that this process has, and keeps
    Duration wait{};
    bool operator==(const ClaimLines&) const = default;
};
BOOST_DESCRIBE_STRUCT(ClaimLines, (), (replica, run_id, room, running, wait))

struct ClaimedLine {
    LineTry line;
    EndpointId endpoint_id;  // where it is to run, and nowhere else
    RequestId record_id;
    std::string custom_id;
    std::string url;
    std::string body;  // the request, as it stands in the file
    ResolvedKey key;   // whose call it is
    bool operator==(const ClaimedLine&) const = default;
};
BOOST_DESCRIBE_STRUCT(ClaimedLine, (), (line, endpoint_id, record_id, custom_id, url, body, key))
struct ClaimedLines {
    std::vector<ClaimedLine> lines;
    bool operator==(const ClaimedLines&) const = default;
};
BOOST_DESCRIBE_STRUCT(ClaimedLines, (), (lines))

// answered: with whatever status; the line has ended. failed: by the engine; it is tried again.
// returned: nobody was asked; it waits again.
enum class LineEnd { answered, failed, returned };
BOOST_DESCRIBE_ENUM(LineEnd, answered, failed, returned)

struct LineReport {
    LineTry line;
    LineEnd end = LineEnd::answered;
    std::string custom_id;
    std::int64_t status = 0;
    std::string body;                  // the answer
    std::optional<CallRecord> record;  // absent: no engine was asked
    std::optional<Duration> retry_after;
    bool operator==(const LineReport&) const = default;
};
BOOST_DESCRIBE_STRUCT(LineReport, (), (line, end, custom_id, status, body, record, retry_after))

// POST /v1/gateway/batches:report. What it tells of a line and the line's bill are one change, made
// once however often it is sent.
struct ReportLines {
    std::string replica;
    RunId run_id;
    std::vector<LineReport> lines;
    bool operator==(const ReportLines&) const = default;
};
BOOST_DESCRIBE_STRUCT(ReportLines, (), (replica, run_id, lines))
struct ReportedLines {
    std::int64_t accepted = 0;
    std::int64_t repeated = 0;       // known before, or of another's try: nothing changed
    std::vector<RequestId> settled;  // of the records told, now or before
    bool operator==(const ReportedLines&) const = default;
};
BOOST_DESCRIBE_STRUCT(ReportedLines, (), (accepted, repeated, settled))

}  // namespace penstock
