// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace penstock {
namespace {

Result<int> half(int value) {
    if (value % 2 != 0) return fail(ErrorCode::invalid_argument, "odd");
    return value / 2;
}
Result<int> quarter(int value) { return TRY(half(TRY(half(value)))); }
Result<void> check_even(int value) {
    TRY(half(value));
    return {};
}
Result<std::unique_ptr<int>> boxed(int value) { return std::make_unique<int>(TRY(half(value))); }

TEST(Result, TryNestsAndPassesTheFirstErrorOn) {
    EXPECT_EQ(quarter(8), 2);
    EXPECT_EQ(quarter(6).error().message, "odd");
    EXPECT_TRUE(check_even(2));
    EXPECT_FALSE(check_even(3));
    EXPECT_EQ(**boxed(4), 2);
}

TEST(Result, EveryCodeHasARowOfItsOwnInTheTable) {
    EXPECT_EQ(info(ErrorCode::internal).name, "internal");
    EXPECT_EQ(info(ErrorCode::invalid_argument).exit_code, 2);
    EXPECT_EQ(error_code_from_name("insufficient_funds"), ErrorCode::insufficient_funds);
    EXPECT_EQ(error_code_from_http_status(413), ErrorCode::resource_exhausted);
}

TEST(Result, PrintsCodeFieldAndMessage) {
    EXPECT_EQ(
        to_string(Error{ErrorCode::not_found, "no such task", "task"}),
        "not_found: task: no such task"
    );
}

}  // namespace
}  // namespace penstock
