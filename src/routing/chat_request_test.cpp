// SPDX-License-Identifier: Apache-2.0
#include "routing/chat_request.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

constexpr std::string_view kMessages = R"("messages":[{"role":"user","content":"hello"}])";

std::string error_of(std::string_view body) {
    const Result<ChatRequest> request = scan_chat_request(body);
    return request ? "no error" : to_string(request.error());
}

std::string with(std::string_view fields) {
    return R"({"model":"m",)" + std::string(kMessages) + (fields.empty() ? "" : ",") +
           std::string(fields) + "}";
}

std::string rewritten(std::string_view body, std::string_view model = "m") {
    const Result<ChatRequest> request = scan_chat_request(body);
    return request ? upstream_body(body, *request, {.model = model, .output_tokens_default = 64})
                   : to_string(request.error());
}

TEST(ChatRequest, FindsWhatTheGatewayNeeds) {
    const std::string body =
        R"({ "model" : "qwen", "messages":[{"role":"system","content":"be \u4e2d"},{"role":"user","content":[{"type":"text","text":"abc"},{"type":"image_url","image_url":{"url":"data:,"}}]}],
 "stream":true,"stream_options":{"include_usage":true,"x":1},"max_tokens":100,"max_completion_tokens":200,"n":2,"temperature":0.5})";

    const Result<ChatRequest> request = scan_chat_request(body);

    ASSERT_TRUE(request) << to_string(request.error());
    EXPECT_EQ(request->model, "qwen");
    EXPECT_TRUE(request->stream);
    EXPECT_TRUE(request->include_usage);
    EXPECT_EQ(request->prompt_text_bytes, 3 + 3 + 3);
    const TokenBound bound = token_bound(*request, 64);
    EXPECT_EQ(bound.output, 400);
    EXPECT_EQ(
        bound.input, static_cast<std::int64_t>(body.size()) + kTemplateTokensMax + kMediaTokensMax
    );
}

TEST(ChatRequest, LeavesOutWhatIsSaidToTheGatewayAlone) {
    EXPECT_EQ(
        rewritten(R"({"provider":{"zdr":true},"model":"m",)" + std::string(kMessages) + "}"),
        R"({"max_tokens":64,"model":"m",)" + std::string(kMessages) + "}"
    );
    EXPECT_EQ(
        rewritten(with(R"("max_tokens":5,"models":["n"] , "session_id":"s")")),
        with(R"("max_tokens":5)")
    );
    EXPECT_EQ(
        error_of(with(R"("models":1)")),
        "invalid_argument: models: expected an array of models' names"
    );
    EXPECT_EQ(
        error_of(with(R"("models":[],"models":[])")),
        "invalid_argument: models: 'models' appears twice"
    );
}

TEST(ChatRequest, NamesPromptsByTheirBeginnings) {
    const auto chain = [](const std::string& text, std::string_view more = "") {
        return *scan_chat_request(
            R"({"model":"m","messages":[{"role":"user","content":")" + text + "\"}]" +
            std::string(more) + "}"
        );
    };
    const std::string text(3 * kBlockBytes, 'x');

    EXPECT_EQ(chain(text + "1").prompt_chain.size(), 3U);
    EXPECT_EQ(chain(text + "1").prompt_chain, chain(text + "2").prompt_chain);
    EXPECT_EQ(chain(R"(\u0078)" + text).prompt_chain, chain("x" + text).prompt_chain);
    EXPECT_NE(chain("y" + text).prompt_chain, chain("x" + text).prompt_chain);
    EXPECT_NE(chain(text, R"(,"tools":[{"a":1}])").tools_digest, chain(text).tools_digest);
}

TEST(ChatRequest, NamesTheFieldThatIsWrong) {
    EXPECT_EQ(error_of(with(R"("stream":1)")), "invalid_argument: stream: expected true or false");
    EXPECT_EQ(
        error_of(with(R"("max_tokens":0)")),
        "invalid_argument: max_tokens: expected a whole number from 1 to 10000000"
    );
    EXPECT_EQ(
        error_of(with(R"("max_completion_tokens":1.5)")),
        "invalid_argument: max_completion_tokens: expected a whole number from 1 to 10000000"
    );
    EXPECT_EQ(
        error_of(with(R"("n":129)")), "invalid_argument: n: expected a whole number from 1 to 128"
    );
    EXPECT_EQ(
        error_of(with(R"("n_predict":-1)")),
        "invalid_argument: n_predict: expected a whole number from 1 to 10000000"
    );
    EXPECT_EQ(
        error_of(with(R"("stream_options":[])")),
        "invalid_argument: stream_options: expected an object"
    );
    EXPECT_EQ(
        error_of(with(R"("stream_options":{"include_usage":1})")),
        "invalid_argument: stream_options.include_usage: expected true or false"
    );
    EXPECT_EQ(error_of(R"({"messages":[{}]})"), "invalid_argument: model: 'model' is missing");
    EXPECT_EQ(error_of(R"({"model":"m"})"), "invalid_argument: messages: 'messages' is missing");
    EXPECT_EQ(
        error_of(R"({"model":"m","messages":[]})"),
        "invalid_argument: messages: expected at least one message"
    );
    EXPECT_EQ(
        error_of(R"({"model":"m","messages":[{},3]})"),
        "invalid_argument: messages[1]: expected an object"
    );
    EXPECT_EQ(
        error_of(R"({"model":"","messages":[{}]})"),
        "invalid_argument: model: expected a name of 1 to 256 bytes"
    );
    EXPECT_EQ(error_of("[]"), "invalid_argument: the body must be a JSON object");
}

TEST(ChatRequest, RefusesMalformedJsonAndUtf8WithThePlace) {
    EXPECT_EQ(
        error_of(R"({"model":"m" "messages":[]})"),
        "invalid_argument: the body is not valid JSON: expected ',' or a closing bracket at byte 13"
    );
    EXPECT_EQ(
        error_of("{\"model\":\"\xFF\"}"),
        "invalid_argument: the body is not valid JSON: invalid UTF-8 at byte 10"
    );
}

TEST(ChatRequest, RefusesARepeatedFieldEvenWhenItIsWrittenWithEscapes) {
    EXPECT_EQ(
        error_of(with(R"("max_tokens":1,"max_tokens":9)")),
        "invalid_argument: max_tokens: 'max_tokens' appears twice"
    );
    EXPECT_EQ(
        error_of(with(R"("max_tokens":1,"max\u005ftokens":9)")),
        "invalid_argument: max_tokens: 'max_tokens' appears twice"
    );
    EXPECT_EQ(
        error_of(with(R"("stream_options":{"include_usage":true,"include_usage":false})")),
        "invalid_argument: stream_options.include_usage: 'include_usage' appears twice"
    );
}

TEST(UpstreamBody, PassesUnknownFieldsByteForByte) {
    const std::string body = R"({"x":{"a" : [1.00, "\u00e9"]},"model":"m" ,)" +
                             std::string(kMessages) + R"(, "max_tokens" : 7 })";
    EXPECT_EQ(rewritten(body), body);
    EXPECT_EQ(
        rewritten(body, "up/\"stream\""),
        R"({"x":{"a" : [1.00, "\u00e9"]},"model":"up/\"stream\"" ,)" + std::string(kMessages) +
            R"(, "max_tokens" : 7 })"
    );
}

TEST(UpstreamBody, BoundsTheOutputWhereTheClientDidNot) {
    EXPECT_EQ(
        rewritten(with("")), R"({"max_tokens":64,"model":"m",)" + std::string(kMessages) + "}"
    );
    EXPECT_EQ(rewritten(with(R"("max_tokens":null)")), with(R"("max_tokens":64)"));
    EXPECT_EQ(
        rewritten(with(R"("max_completion_tokens":5)")), with(R"("max_completion_tokens":5)")
    );
}

TEST(UpstreamBody, AsksForUsageWhenStreaming) {
    const auto streaming = [](std::string_view options) {
        return with(R"("max_tokens":1,"stream":true)" + std::string(options));
    };
    EXPECT_EQ(
        rewritten(streaming("")),
        R"({"stream_options":{"include_usage":true},)" + streaming("").substr(1)
    );
    EXPECT_EQ(
        rewritten(streaming(R"(,"stream_options":null)")),
        streaming(R"(,"stream_options":{"include_usage":true})")
    );
    EXPECT_EQ(
        rewritten(streaming(R"(,"stream_options":{ })")),
        streaming(R"(,"stream_options":{"include_usage":true })")
    );
    EXPECT_EQ(
        rewritten(streaming(R"(,"stream_options":{"x":1})")),
        streaming(R"(,"stream_options":{"include_usage":true,"x":1})")
    );
    EXPECT_EQ(
        rewritten(streaming(R"(,"stream_options":{"include_usage":false})")),
        streaming(R"(,"stream_options":{"include_usage":true})")
    );
    EXPECT_EQ(
        rewritten(streaming(R"(,"stream_options":{"include_usage":true})")),
        streaming(R"(,"stream_options":{"include_usage":true})")
    );
}

}  // namespace
}  // namespace penstock::routing
