// SPDX-License-Identifier: Apache-2.0
#include "gateway/departed_calls.h"

#include <gtest/gtest.h>

namespace penstock::gateway {
namespace {

const Time kStart{std::chrono::hours(1'000'000)};
const DepartedCalls::Mark kMark{KeyId(RawId{1, 2}), "m", 42, 100, 50};
const RequestId kCall(RawId{3, 4});

int status_of(
    DepartedCalls& calls, const DepartedCalls::Mark& mark, http::Headers headers, Time now = kStart
) {
    const ApiResult<void> checked = calls.check(mark, headers, now);
    return checked ? 200 : checked.error().status;
}

TEST(DepartedCalls, ADeclaredRepetitionIsNotMadeOnceMore) {
    DepartedCalls calls;
    calls.add(kMark, kCall, ExactMoney(5), kStart);
    EXPECT_EQ(status_of(calls, kMark, {{"x-stainless-retry-count", "1"}}), 409);
    const auto refused = calls.check(kMark, {{"x-stainless-retry-count", "10"}}, kStart);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find(to_string(kCall)), std::string::npos);
    EXPECT_TRUE(refused.error().final);
}

TEST(DepartedCalls, AlikeRequestsThatDeclareNothingAreCallsOfTheirOwn) {
    DepartedCalls calls;
    calls.add(kMark, kCall, ExactMoney(5), kStart);
    EXPECT_EQ(status_of(calls, kMark, {}), 200);
    EXPECT_EQ(status_of(calls, kMark, {{"x-stainless-retry-count", "0"}}), 200);
    EXPECT_EQ(status_of(calls, kMark, {{"x-stainless-retry-count", "one"}}), 200);
}

TEST(DepartedCalls, AnotherRequestOrKeyOrLaterIsNoRepetition) {
    DepartedCalls calls;
    calls.add(kMark, kCall, ExactMoney(5), kStart);
    const http::Headers again{{"x-stainless-retry-count", "1"}};
    auto key = kMark, model = kMark, prompt = kMark, output = kMark;
    key.key_id = KeyId(RawId{1, 3});
    model.model = "n";
    prompt.prompt = 43;
    output.output_bound = 51;
    EXPECT_EQ(status_of(calls, key, again), 200);
    EXPECT_EQ(status_of(calls, model, again), 200);
    EXPECT_EQ(status_of(calls, prompt, again), 200);
    EXPECT_EQ(status_of(calls, output, again), 200);
    EXPECT_EQ(status_of(calls, kMark, again, kStart + DepartedCalls::kKeptFor), 200);
    EXPECT_TRUE(calls.empty());
}

TEST(DepartedCalls, TheOldestMakesRoom) {
    DepartedCalls calls;
    auto mark = kMark;
    for (std::size_t n = 0; n <= DepartedCalls::kCallsMax; ++n) {
        mark.prompt = n;
        calls.add(mark, kCall, ExactMoney(5), kStart);
    }
    const http::Headers again{{"x-stainless-retry-count", "1"}};
    EXPECT_EQ(status_of(calls, mark, again), 409);
    mark.prompt = 1;
    EXPECT_EQ(status_of(calls, mark, again), 409);
    mark.prompt = 0;
    EXPECT_EQ(status_of(calls, mark, again), 200);
}

}  // namespace
}  // namespace penstock::gateway
