// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "json/json.h"
#include "tokenizer/prefix_index.h"

namespace penstock::tokenizer {
namespace {

constexpr std::size_t kGgufHeadBytes = 16U << 20;  // the metadata of the weights fits into it

std::string read_file(const std::filesystem::path& path, std::size_t most = SIZE_MAX) {
    std::ifstream file(path, std::ios::binary);
    std::string text(std::min<std::size_t>(most, std::filesystem::file_size(path)), '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    return text;
}

std::string ids_text(const std::vector<TokenId>& ids) {
    std::string text;
    for (const TokenId id : ids) text += std::to_string(id) + " ";
    return text;
}

struct Case {
    std::string text;
    SpecialTokens special = SpecialTokens::recognised;
    std::string ids;
};

std::vector<Case> read_cases(const std::string& name) {
    std::vector<Case> cases;
    const json::Value file = *json::parse_value(read_file("testdata/" + name + ".ids.json"));
    for (const json::Value& entry : file.as_array()) {
        const json::Object& object = entry.as_object();
        Case made{std::string(object.at("text").as_string())};
        if (const json::Value* special = object.if_contains("special");
            special && !special->as_bool())
            made.special = SpecialTokens::as_text;
        for (const json::Value& id : object.at("ids").as_array())
            made.ids += std::to_string(id.as_int64()) + " ";
        cases.push_back(std::move(made));
    }
    return cases;
}

void expect_ids(const Tokenizer& tokenizer, const std::vector<Case>& cases) {
    ASSERT_GT(cases.size(), 100U);
    for (const Case& one : cases) {
        const Result<std::vector<TokenId>> ids = tokenizer.encode(one.text, one.special);
        ASSERT_TRUE(ids) << to_string(ids.error());
        EXPECT_EQ(ids_text(*ids), one.ids) << '"' << one.text << '"';
    }
}

class HuggingFace : public testing::TestWithParam<const char*> {};

TEST_P(HuggingFace, GivesTheIdsOfTheReferenceImplementation) {
    const std::string file = read_file(std::string("testdata/") + GetParam() + ".tokenizer.json");
    const Result<Tokenizer> tokenizer = Tokenizer::from_hugging_face(file);
    ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
    expect_ids(*tokenizer, read_cases(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(
    Files, HuggingFace,
    testing::Values(
        "byte_level", "prefix_space", "split", "digits_nfc", "removed", "characters", "replaced",
        "unigram", "unigram_bytes", "bert", "bert_cased", "word_level"
    )
);

class GgufHead : public testing::TestWithParam<const char*> {};

TEST_P(GgufHead, GivesTheIdsOfLlamaCpp) {
    const std::string head = read_file(std::string("testdata/") + GetParam() + ".head.gguf");
    const Result<Tokenizer> tokenizer = Tokenizer::from_gguf(head);
    ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
    expect_ids(*tokenizer, read_cases(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(
    Files, GgufHead, testing::Values("gguf_llama", "gguf_llama_bare", "gguf_t5", "gguf_bert")
);

TEST(Gguf, GivesTheIdsOfLlamaCpp) {
    const std::string head = read_file(PENSTOCK_TEST_GGUF, kGgufHeadBytes);
    const Result<Tokenizer> tokenizer = Tokenizer::from_gguf(head);
    ASSERT_TRUE(tokenizer) << to_string(tokenizer.error());
    EXPECT_EQ(tokenizer->size(), 49152U);
    expect_ids(*tokenizer, read_cases("smollm2"));
}

std::string refusal(Result<Tokenizer> tokenizer) {
    return tokenizer ? "none" : to_string(tokenizer.error());
}

TEST(HuggingFace, NamesTheStepThatIsNotImplemented) {
    EXPECT_EQ(
        refusal(Tokenizer::from_hugging_face(R"({"model": {"type": "Characters"}})")),
        "invalid_argument: model.type: 'Characters' is not implemented here, and a count has to be "
        "exact"
    );
    EXPECT_EQ(
        refusal(Tokenizer::from_hugging_face(
            R"({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "UnicodeScripts"}]}})"
        )),
        "invalid_argument: pre_tokenizer.pretokenizers[0].type: 'UnicodeScripts' is not "
        "implemented "
        "here, and a count has to be exact"
    );
}

TEST(HuggingFace, NamesThePlaceOfAMistake) {
    EXPECT_EQ(
        refusal(Tokenizer::from_hugging_face(
            R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}})"
        )),
        "invalid_argument: model.merges[0]: the merge 'a b' names a token that is not in the "
        "vocabulary"
    );
    EXPECT_EQ(
        refusal(Tokenizer::from_hugging_face(R"({"model": {"vocab": {"a": -1}, "merges": []}})")),
        "invalid_argument: model.vocab['a']: expected the number of a token"
    );
}

TEST(HuggingFace, NamesWhatAModelLacks) {
    const auto refused = [](const std::string& model) {
        return refusal(Tokenizer::from_hugging_face(R"({"model": )" + model + "}"));
    };
    EXPECT_EQ(
        refused(R"({"type": "Unigram", "unk_id": 1, "vocab": [["a", -1.5]]})"),
        "invalid_argument: model.unk_id: is not in the vocabulary"
    );
    EXPECT_EQ(
        refused(R"({"type": "Unigram", "unk_id": 0, "vocab": [["a", -1], ["b"]]})"),
        "invalid_argument: model.vocab[1]: expected a text and a score"
    );
    EXPECT_EQ(
        refused(R"({"type": "Unigram", "unk_id": 0, "byte_fallback": true, "vocab": [["a", 0]]})"),
        "invalid_argument: model.byte_fallback: the vocabulary lacks <0x00>"
    );
    EXPECT_EQ(
        refused(
            R"({"type": "Unigram", "unk_id": 0, "vocab": [[")" +
            std::string(kTokenBytesMax + 1, 'a') + R"(", 0]]})"
        ),
        "invalid_argument: model.vocab[0]: is a token of 1025 bytes; at most 1024 are read"
    );
    EXPECT_EQ(
        refused(R"({"type": "WordPiece", "unk_token": "?", "vocab": {"a": 0}})"),
        "invalid_argument: model.unk_token: is not in the vocabulary"
    );
    EXPECT_EQ(
        refusal(Tokenizer::from_hugging_face(
            R"({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}, "model": {}})"
        )),
        "invalid_argument: normalizer.precompiled_charsmap: is not a whole table of SentencePiece"
    );
}

TEST(Gguf, SaysWhereAFileEndsTooSoon) {
    const std::string head = read_file(PENSTOCK_TEST_GGUF, 4096);
    EXPECT_NE(
        refusal(Tokenizer::from_gguf(head)).find("ends inside its metadata, at byte 4096"),
        std::string::npos
    );
    EXPECT_NE(refusal(Tokenizer::from_gguf("GGML")).find("not GGUF"), std::string::npos);
}

TEST(Tokenizer, RefusesWhatIsNotUtf8) {
    const Tokenizer tokenizer =
        *Tokenizer::from_hugging_face(read_file("testdata/byte_level.tokenizer.json"));
    for (const char* text : {"\xff", "\xc0\x80", "a\xed\xa0\x80", "\xe2\x82", "\xf5\x80\x80\x80"})
        EXPECT_EQ(
            tokenizer.encode(text, SpecialTokens::as_text).error().code, ErrorCode::invalid_argument
        );
}

TEST(Tokenizer, TakesALongPieceInLittleTime) {
    const Tokenizer tokenizer =
        *Tokenizer::from_hugging_face(read_file("testdata/byte_level.tokenizer.json"));
    const std::string word(1U << 20, 'a');
    EXPECT_GT(*tokenizer.count(word, SpecialTokens::as_text), 0);
    for (const char* name : {"gguf_llama", "gguf_t5", "gguf_bert"}) {
        const Tokenizer other =
            *Tokenizer::from_gguf(read_file(std::string("testdata/") + name + ".head.gguf"));
        EXPECT_GT(*other.count(word, SpecialTokens::as_text), 0) << name;
    }
}

}  // namespace
}  // namespace penstock::tokenizer
