// SPDX-License-Identifier: Apache-2.0
#include "cli/batch_explain.h"

#include <gtest/gtest.h>

namespace penstock::cli {
namespace {

BatchExplanation waiting() {
    return {
        .batch = "batch/batch_1",
        .status = BatchStatus::in_progress,
        .model = "m",
        .wait = BatchWait::no_idle_capacity,
        .message = "no room",
        .message_zh = "无空位",
        .remedy = "wait",
        .remedy_zh = "等待",
        .request_counts = {.total = 10, .completed = 3, .failed = 1},
        .lines_running = 2,
        .lines_waiting = 4,
        .pressure = BatchPressure::pressed,
        .projects_ahead = 1,
        .weight = 2,
        .seconds_per_line = 1.25,
        .places = 4,
        .expected_end = Time(1'700'000'000s),
        .expires_at = Time(1'700'003'600s)
    };
}

TEST(BatchExplain, SaysWhyLinesWaitAndWhenTheyAreExpectedToEnd) {
    EXPECT_EQ(
        batch_lines(waiting(), Language::en),
        "batch/batch_1 is in_progress\n"
        "lines      10: 3 done, 1 failed, 2 running, 4 waiting\n"
        "because    no room\n"
        "remedy     wait\n"
        "share      weight 2 of its project, 1 of its organisation; 1 projects come first\n"
        "pace       1.2 s a line, 4.0 places on an average\n"
        "end        expected 2023-11-14T22:13:20Z: it goes first, its window ends "
        "2023-11-14T23:13:20Z\n"
    );
    EXPECT_EQ(
        batch_lines(waiting(), Language::zh),
        "batch/batch_1 的状态是 in_progress\n"
        "行数   10：完成 3，失败 1，运行中 2，等待 4\n"
        "原因   无空位\n"
        "对策   等待\n"
        "份额   项目权重 2，组织权重 1；前面有 1 个项目\n"
        "速度   每行 1.2 秒，平均 4.0 个空位\n"
        "结束   预计 2023-11-14T22:13:20Z：优先运行，窗口于 2023-11-14T23:13:20Z 结束\n"
    );
}

TEST(BatchExplain, WhatIsUnknownIsNotMadeUpAndWhatHasEndedHasNoEndToCome) {
    BatchExplanation unknown = waiting();
    unknown.expected_end.reset();
    unknown.seconds_per_line.reset();
    EXPECT_NE(batch_lines(unknown, Language::en).find("expected ?:"), std::string::npos);
    EXPECT_NE(batch_lines(unknown, Language::en).find("? s a line"), std::string::npos);

    const BatchExplanation ended{
        .batch = "batch/batch_1",
        .status = BatchStatus::completed,
        .request_counts = {.total = 1, .completed = 1}
    };
    EXPECT_EQ(
        batch_lines(ended, Language::en),
        "batch/batch_1 is completed\n"
        "lines      1: 1 done, 0 failed, 0 running, 0 waiting\n"
    );
}

TEST(BatchExplain, ABatchIsNamedByItsIdOrByItsNoun) {
    EXPECT_TRUE(names_batch("batch/batch_1"));
    EXPECT_TRUE(names_batch("batch_1"));
    EXPECT_FALSE(names_batch("batches"));
    EXPECT_FALSE(names_batch("task/batch_1"));
    EXPECT_EQ(batch_id_of("batch/batch_1"), "batch_1");
}

}  // namespace
}  // namespace penstock::cli
