// SPDX-License-Identifier: Apache-2.0
#include "client/api_error.h"

#include <gtest/gtest.h>

#include "http/problem.h"

namespace penstock::client {
namespace {

std::string shown(const Refusal& refusal) {
    return to_string(refusal.error) +
           (refusal.retry_after ? " after " + to_string(*refusal.retry_after) : "");
}

TEST(ApiError, TakesCodeDetailAndWaitFromTheProblem) {
    EXPECT_EQ(
        shown(decode_refusal(
            402, "",
            R"({"type":"about:blank","title":"x","status":402,"detail":"the wallet has 0.00","code":"insufficient_funds","retry_after":30})"
        )),
        "insufficient_funds: the wallet has 0.00 after 30s"
    );
}

TEST(ApiError, NamesTheFieldOfASingleMistake) {
    EXPECT_EQ(
        shown(decode_refusal(
            400, "",
            R"({"detail":"x","code":"invalid_argument","errors":[{"field":"name","detail":"is taken","code":"invalid_argument"}],"newer":1})"
        )),
        "invalid_argument: name: is taken"
    );
}

TEST(ApiError, TellsSeveralMistakesLineByLine) {
    EXPECT_EQ(
        shown(decode_refusal(
            400, "",
            R"({"detail":"x","code":"invalid_argument","errors":[{"field":"run","message":"is missing"},{"field":"name","message":"is taken"}]})"
        )),
        "invalid_argument: run: is missing\nname: is taken"
    );
}

TEST(ApiError, ReadsWhatOurOwnServersWrite) {
    const std::vector<Error> mistakes = {
        {ErrorCode::invalid_argument, "is missing", "run"},
        {ErrorCode::invalid_argument, "is taken", "name"}
    };
    const http::Response response = http::problem_response(mistakes, http::Request{});
    EXPECT_EQ(
        shown(decode_refusal(response.status, "", std::get<std::string>(response.body))),
        "invalid_argument: run: is missing\nname: is taken"
    );
}

TEST(ApiError, GoesByTheStatusWhenTheCodeIsUnknown) {
    EXPECT_EQ(
        shown(decode_refusal(429, "2", R"({"detail":"slow down","code":"something_newer"})")),
        "resource_exhausted: slow down after 2s"
    );
}

TEST(ApiError, QuotesABodyThatIsNoProblem) {
    EXPECT_EQ(
        shown(decode_refusal(502, "", "<html>\nBad Gateway")),
        "unavailable: the server answered with status 502: <html> Bad Gateway"
    );
}

}  // namespace
}  // namespace penstock::client
