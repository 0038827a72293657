// SPDX-License-Identifier: Apache-2.0
#include "batches/life.h"

#include <gtest/gtest.h>

namespace penstock::batches {
namespace {

const Time kNow{std::chrono::hours(1'000'000)};

CreateBatch wanted() {
    return {
        .input_file_id = to_string(FileId(RawId{1, 2})),
        .endpoint = "/v1/embeddings",
        .completion_window = "24h"
    };
}

Result<StoredBatch> made(const CreateBatch& create) {
    return new_batch(create, {}, BatchId(RawId{3, 4}), kNow);
}

std::string field_of(const CreateBatch& create) {
    const Result<StoredBatch> batch = made(create);
    return batch ? "fine" : batch.error().field;
}

TEST(BatchLife, IsValidatedThenRunsThenIsCompleted) {
    StoredBatch batch = *made(wanted());
    EXPECT_EQ(batch.expires_at, kNow + 24h);

    on_checked(batch, {.lines = 7, .model = "m", .index = {0}, .faults = {}}, kNow + 1s);
    EXPECT_TRUE(gives_lines(batch));
    begin_finalizing(batch, BatchStatus::completed, kNow + 2s);
    EXPECT_FALSE(gives_lines(batch));
    EXPECT_FALSE(has_ended(batch));
    on_finalized(batch, kNow + 3s);

    EXPECT_EQ(batch.status, BatchStatus::completed);
    EXPECT_EQ(ended_at(batch), kNow + 3s);
    const BatchObject object = shown(batch);
    EXPECT_EQ(object.request_counts.total, 7);
    EXPECT_EQ(object.model, "m");
    EXPECT_EQ(*object.completed_at - object.created_at, 3);
    EXPECT_EQ(object.cancelled_at, std::nullopt);
}

TEST(BatchLife, FaultsInTheInputEndIt) {
    StoredBatch batch = *made(wanted());
    on_checked(batch, {.faults = {{.code = "invalid_json_line"}}}, kNow);
    EXPECT_EQ(batch.status, BatchStatus::failed);
    EXPECT_EQ(shown(batch).errors->data.size(), 1U);
    EXPECT_EQ(cancel(batch, kNow).error().code, ErrorCode::conflict);
}

TEST(BatchLife, CancellingIsAskedForAsOftenAsOneLikes) {
    StoredBatch batch = *made(wanted());
    EXPECT_TRUE(cancel(batch, kNow + 1s));
    EXPECT_TRUE(cancel(batch, kNow + 2s));
    EXPECT_EQ(batch.cancelling_at, kNow + 1s);
    begin_finalizing(batch, BatchStatus::cancelled, kNow + 3s);
    EXPECT_FALSE(cancel(batch, kNow + 3s));
    on_finalized(batch, kNow + 4s);
    EXPECT_EQ(batch.cancelled_at, kNow + 4s);
}

TEST(BatchLife, ARefusalNamesTheField) {
    CreateBatch create = wanted();
    EXPECT_EQ(field_of(create), "fine");
    create.endpoint = "/v1/images";
    EXPECT_EQ(field_of(create), "endpoint");
    create = wanted();
    create.completion_window = "5m";
    EXPECT_EQ(field_of(create), "completion_window");
    create = wanted();
    create.input_file_id = "fi";
    EXPECT_EQ(field_of(create), "input_file_id");
    create = wanted();
    create.metadata = std::map<std::string, std::string>{{"k", std::string(513, 'v')}};
    EXPECT_EQ(field_of(create), "metadata");
    create = wanted();
    create.output_expires_after = OutputExpiry{.seconds = 3599};
    EXPECT_EQ(field_of(create), "output_expires_after.seconds");
    create.output_expires_after = OutputExpiry{.anchor = "never", .seconds = 3600};
    EXPECT_EQ(field_of(create), "output_expires_after.anchor");
}

}  // namespace
}  // namespace penstock::batches
