// SPDX-License-Identifier: Apache-2.0
#include "dialects/embeddings.h"

#include <gtest/gtest.h>

namespace penstock::dialects {
namespace {

std::string asked(Dialect from, const std::string& body, Dialect to) {
    const Result<EmbeddingsRequest> request = read_embeddings_request(from, *parse_json(body));
    if (!request) return to_string(request.error());
    const Result<Written> written = write_embeddings_request(*request, to);
    if (!written) return to_string(written.error());
    std::string text = print_json(written->body);
    for (const std::string& name : written->dropped) text += " -" + name;
    return text;
}

TEST(Embeddings, ARequestOfOpenAiIsOneOfOllama) {
    EXPECT_EQ(
        asked(
            Dialect::chat,
            R"({"model":"m","input":["a","b"],"dimensions":64,"encoding_format":"base64"})",
            Dialect::ollama
        ),
        R"({"model":"m","input":["a","b"],"dimensions":64})"
    );
    EXPECT_EQ(
        asked(Dialect::chat, R"({"model":"m","input":"a","user":"u"})", Dialect::ollama),
        R"({"model":"m","input":"a"} -user)"
    );
}

TEST(Embeddings, ARequestOfOllamaIsOneOfOpenAi) {
    EXPECT_EQ(
        asked(
            Dialect::ollama,
            R"({"model":"m","input":"a","truncate":false,"keep_alive":"5m","options":{"num_ctx":1}})",
            Dialect::chat
        ),
        R"({"model":"m","input":"a","encoding_format":"float"} -keep_alive -options)"
    );
    EXPECT_EQ(
        asked(Dialect::ollama, R"({"model":"m","input":"a","truncate":true})", Dialect::chat),
        R"({"model":"m","input":"a","encoding_format":"float"} -truncate)"
    );
}

TEST(Embeddings, NamesWhatCannotBeAsked) {
    EXPECT_EQ(
        asked(Dialect::chat, R"({"model":"m","input":[1,2]})", Dialect::ollama),
        "invalid_argument: input: the model's engine speaks 'ollama', which embeds texts and no "
        "numbers of tokens: send texts"
    );
    EXPECT_EQ(
        asked(Dialect::chat, R"({"model":"m"})", Dialect::chat),
        "invalid_argument: input: 'input' is missing"
    );
    EXPECT_EQ(
        asked(Dialect::ollama, R"({"model":"m","input":[1]})", Dialect::chat),
        "invalid_argument: input: expected a text or a list of texts"
    );
    EXPECT_EQ(
        asked(Dialect::chat, R"({"model":"m","input":"a","encoding_format":"hex"})", Dialect::chat),
        "invalid_argument: encoding_format: expected 'float' or 'base64'"
    );
}

std::string told(Dialect engine, const std::string& body, const EmbeddingsRequest& request) {
    const Result<Embeddings> read = read_embeddings(engine, *parse_json(body, JsonFrom::engine));
    return read ? print_json(write_embeddings(*read, request, "m")) : to_string(read.error());
}

TEST(Embeddings, AnAnswerOfOllamaIsOneOfOpenAi) {
    const std::string answer =
        R"({"model":"e","embeddings":[[0.10,-2e-5],[1,0]],"total_duration":5,"prompt_eval_count":7})";
    EXPECT_EQ(
        told(Dialect::ollama, answer, {}),
        R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-2e-5]},)"
        R"({"object":"embedding","index":1,"embedding":[1,0]}],"model":"m",)"
        R"("usage":{"prompt_tokens":7,"total_tokens":7}})"
    );
    // As NumPy reads them: np.frombuffer(base64.b64decode("zczMPazFp7c="), "<f4").
    EmbeddingsRequest packed;
    packed.base64 = true;
    EXPECT_NE(
        told(Dialect::ollama, answer, packed).find(R"("embedding":"zczMPazFp7c=")"),
        std::string::npos
    ) << told(Dialect::ollama, answer, packed);
}

TEST(Embeddings, AnAnswerOfOpenAiIsOneOfOllama) {
    EmbeddingsRequest ollama;
    ollama.dialect = Dialect::ollama;
    EXPECT_EQ(
        told(
            Dialect::chat,
            R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10]}],)"
            R"("model":"e","usage":{"prompt_tokens":5,"total_tokens":5}})",
            ollama
        ),
        R"({"model":"m","embeddings":[[0.10]],"prompt_eval_count":5})"
    );
}

TEST(Embeddings, AnAnswerWithoutNumbersIsNone) {
    EXPECT_EQ(
        told(Dialect::ollama, R"({"embeddings":["x"]})", {}),
        "unavailable: embedding: expected numbers"
    );
    EXPECT_EQ(
        told(Dialect::chat, R"({"error":"no"})", {}),
        "unavailable: data: the engine's answer has no embeddings"
    );
}

}  // namespace
}  // namespace penstock::dialects
