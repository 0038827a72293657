// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/time.h"
#include "batches/input_check.h"
#include "model/batch.h"

// States and times of a batch, and how it is shown.
//     validating → failed
//     validating → in_progress → finalizing → completed | expired
//     validating | in_progress → cancelling → finalizing → cancelled
namespace penstock::batches {

constexpr Duration kWindowMin = 1h;
constexpr Duration kWindowMax = 7 * 24h;
constexpr Duration kFileLivesMin = 1h;
constexpr Duration kFileLivesMax = 30 * 24h;
constexpr std::size_t kMetadataEntriesMax = 16;
constexpr std::size_t kMetadataKeyMax = 64;
constexpr std::size_t kMetadataValueMax = 512;
// Lines in flight when a batch is cancelled or expires may end and are charged until then.
constexpr Duration kLinesFinishWithin = 10min;

struct BatchOwnerIds {
    OrganisationId organisation_id;
    ProjectId project_id;
    KeyId key_id;
};
// invalid_argument, naming the field.
Result<StoredBatch> new_batch(
    const CreateBatch& wanted, const BatchOwnerIds& owner, BatchId id, Time now
);

// OpenAI's bounds of metadata, of whatever object; names `metadata`.
Result<void> check_metadata(const std::map<std::string, std::string>& metadata);

bool has_ended(const StoredBatch& batch);
// Lines may be claimed.
bool gives_lines(const StoredBatch& batch);

// The input was read. With faults the batch has failed.
void on_checked(StoredBatch& batch, CheckedInput input, Time now);
// The input cannot run, whatever its lines say.
void fail_batch(StoredBatch& batch, BatchFault fault, Time now);
// conflict: it has ended or is about to.
Result<void> cancel(StoredBatch& batch, Time now);
// No lines any more: the files are to be made. `ends_as`: completed, expired or cancelled.
void begin_finalizing(StoredBatch& batch, BatchStatus ends_as, Time now);
void on_finalized(StoredBatch& batch, Time now);
std::optional<Time> ended_at(const StoredBatch& batch);

std::string status_name(BatchStatus status);
BatchObject shown(const StoredBatch& batch);
FileObject shown(const StoredFile& file);
std::int64_t unix_seconds(Time time);

}  // namespace penstock::batches
