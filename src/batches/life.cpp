// SPDX-License-Identifier: Apache-2.0
#include "batches/life.h"

#include <array>

#include "base/check.h"

namespace penstock::batches {
namespace {

std::unexpected<Error> wrong(std::string field, std::string message) {
    return fail_field(ErrorCode::invalid_argument, std::move(field), std::move(message));
}

std::optional<std::int64_t> maybe_seconds(const std::optional<Time>& time) {
    return time ? std::optional(unix_seconds(*time)) : std::nullopt;
}

std::optional<std::string> maybe_text(const std::optional<FileId>& id) {
    return id ? std::optional(to_string(*id)) : std::nullopt;
}

}  // namespace

Result<void> check_metadata(const std::map<std::string, std::string>& metadata) {
    if (metadata.size() > kMetadataEntriesMax) return wrong("metadata", "at most 16 pairs");
    for (const auto& [key, value] : metadata)
        if (key.empty() || key.size() > kMetadataKeyMax || value.size() > kMetadataValueMax)
            return wrong(
                "metadata", "'" + key.substr(0, kMetadataKeyMax) +
                                "': a key has 1 to 64 bytes, a value at most 512"
            );
    return {};
}

std::int64_t unix_seconds(Time time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

Result<StoredBatch> new_batch(
    const CreateBatch& wanted, const BatchOwnerIds& owner, BatchId id, Time now
) {
    if (!is_batch_endpoint(wanted.endpoint))
        return wrong(
            "endpoint", "'" + wanted.endpoint +
                            "' is not one of /v1/chat/completions, /v1/responses, /v1/embeddings"
        );
    const Result<Duration> window = parse_duration(wanted.completion_window);
    if (!window || *window < kWindowMin || *window > kWindowMax)
        return wrong("completion_window", "expected 1h to 7d, for instance 24h");
    const Result<FileId> input = FileId::parse(wanted.input_file_id);
    if (!input) return wrong("input_file_id", input.error().message);
    if (wanted.metadata) TRY(check_metadata(*wanted.metadata));
    StoredBatch batch{
        .id = id,
        .organisation_id = owner.organisation_id,
        .project_id = owner.project_id,
        .key_id = owner.key_id,
        .endpoint = wanted.endpoint,
        .completion_window = wanted.completion_window,
        .input_file_id = *input,
        .metadata = wanted.metadata,
        .created_at = now,
        .expires_at = now + *window
    };
    if (const std::optional<OutputExpiry>& expiry = wanted.output_expires_after) {
        const Duration lives = std::chrono::seconds(expiry->seconds);
        if (expiry->anchor != "created_at")
            return wrong("output_expires_after.anchor", "expected created_at");
        if (expiry->seconds < unix_seconds(Time(kFileLivesMin)) || lives > kFileLivesMax)
            return wrong("output_expires_after.seconds", "expected 3600 to 2592000");
        batch.output_lives_seconds = expiry->seconds;
    }
    return batch;
}

bool has_ended(const StoredBatch& batch) { return ended_at(batch).has_value(); }

bool gives_lines(const StoredBatch& batch) { return batch.status == BatchStatus::in_progress; }

std::optional<Time> ended_at(const StoredBatch& batch) {
    switch (batch.status) {
        case BatchStatus::failed:
            return batch.failed_at;
        case BatchStatus::completed:
            return batch.completed_at;
        case BatchStatus::expired:
            return batch.expired_at;
        case BatchStatus::cancelled:
            return batch.cancelled_at;
        case BatchStatus::validating:
        case BatchStatus::in_progress:
        case BatchStatus::finalizing:
        case BatchStatus::cancelling:
            return std::nullopt;
    }
    return std::nullopt;
}

void fail_batch(StoredBatch& batch, BatchFault fault, Time now) {
    batch.status = BatchStatus::failed;
    batch.failed_at = now;
    batch.errors = BatchFaults{.data = {std::move(fault)}};
}

void on_checked(StoredBatch& batch, CheckedInput input, Time now) {
    CHECK(batch.status == BatchStatus::validating, "an input is checked once");
    if (!input.faults.empty()) {
        batch.status = BatchStatus::failed;
        batch.failed_at = now;
        batch.errors = BatchFaults{.data = std::move(input.faults)};
        return;
    }
    batch.status = BatchStatus::in_progress;
    batch.in_progress_at = now;
    batch.model = std::move(input.model);
    batch.counts.total = input.lines;
}

Result<void> cancel(StoredBatch& batch, Time now) {
    if (batch.status == BatchStatus::cancelling) return {};
    if (batch.status != BatchStatus::validating && batch.status != BatchStatus::in_progress)
        return fail_field(
            ErrorCode::conflict, "batch_id",
            "the batch cannot be cancelled any more: it has ended, or its files are being made"
        );
    batch.status = BatchStatus::cancelling;
    batch.cancelling_at = now;
    return {};
}

void begin_finalizing(StoredBatch& batch, BatchStatus ends_as, Time now) {
    batch.status = BatchStatus::finalizing;
    batch.ends_as = ends_as;
    batch.finalizing_at = now;
}

void on_finalized(StoredBatch& batch, Time now) {
    CHECK(batch.ends_as.has_value(), "what is finalized knows how it ends");
    batch.status = *batch.ends_as;
    batch.ends_as.reset();
    if (batch.status == BatchStatus::completed)
        batch.completed_at = now;
    else if (batch.status == BatchStatus::expired)
        batch.expired_at = now;
    else
        batch.cancelled_at = now;
}

std::string status_name(BatchStatus status) {
    constexpr std::array kNames = {"validating", "failed",  "in_progress", "finalizing",
                                   "completed",  "expired", "cancelling",  "cancelled"};
    return kNames.at(static_cast<std::size_t>(status));
}

BatchObject shown(const StoredBatch& batch) {
    BatchObject object{
        .id = to_string(batch.id),
        .endpoint = batch.endpoint,
        .errors = batch.errors,
        .input_file_id = to_string(batch.input_file_id),
        .completion_window = batch.completion_window,
        .status = batch.status,
        .output_file_id = maybe_text(batch.output_file_id),
        .error_file_id = maybe_text(batch.error_file_id),
        .created_at = unix_seconds(batch.created_at),
        .in_progress_at = maybe_seconds(batch.in_progress_at),
        .expires_at = unix_seconds(batch.expires_at),
        .finalizing_at = maybe_seconds(batch.finalizing_at),
        .completed_at = maybe_seconds(batch.completed_at),
        .failed_at = maybe_seconds(batch.failed_at),
        .expired_at = maybe_seconds(batch.expired_at),
        .cancelling_at = maybe_seconds(batch.cancelling_at),
        .cancelled_at = maybe_seconds(batch.cancelled_at),
        .request_counts = batch.counts,
        .metadata = batch.metadata
    };
    if (!batch.model.empty()) object.model = batch.model;
    return object;
}

FileObject shown(const StoredFile& file) {
    return {
        .id = to_string(file.id),
        .bytes = file.bytes,
        .created_at = unix_seconds(file.created_at),
        .expires_at = maybe_seconds(file.expires_at),
        .filename = file.filename,
        .purpose = file.purpose
    };
}

}  // namespace penstock::batches
