// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "tokenizer/hugging_face_file.h"

// tokenizer.json of Hugging Face's tokenizers, https://huggingface.co/docs/tokenizers; what each
// step does was checked against version 0.23 of that library.
namespace penstock::tokenizer {
namespace {

constexpr std::size_t kAddedTokensMax = 100'000;

Result<void> read_added(const Node& node, bool normalizes, std::vector<AddedToken>& added) {
    if (node.absent()) return {};
    for (const Node& entry : TRY(node.list(kAddedTokensMax))) {
        if (TRY(entry.at("single_word").flag(false)))
            return not_implemented(entry.path, "single_word");
        if (normalizes && TRY(entry.at("normalized").flag(false)))
            return not_implemented(entry.path, "normalized after other steps than NFC");
        AddedToken token{
            .text = TRY(entry.at("content").text()),
            .id = TRY(entry.at("id").id()),
            .special = TRY(entry.at("special").flag(false)),
            .strips_left = TRY(entry.at("lstrip").flag(false)),
            .strips_right = TRY(entry.at("rstrip").flag(false)),
        };
        if (token.text.empty()) return wrong(entry.at("content").path, "must not be empty");
        added.push_back(std::move(token));
    }
    return {};
}

bool only_nfc(const Node& normalizer) { return normalizer.absent() || normalizer.is("NFC"); }

}  // namespace

Result<Pipeline> read_hugging_face(std::string_view text) {
    const json::Value file = TRY(json::parse_value(text));
    const Node root{&file, ""};
    if (!file.is_object()) return wrong("", "expected a tokenizer.json: an object");
    Pipeline pipeline;
    bool byte_level = false;
    TRY(read_normalizer(root.at("normalizer"), pipeline.normalizers));
    TRY(read_splitter(root.at("pre_tokenizer"), pipeline.splitters, byte_level));
    TRY(read_model(root.at("model"), byte_level, pipeline));
    TRY(read_added(root.at("added_tokens"), !only_nfc(root.at("normalizer")), pipeline.added));
    for (const AddedToken& token : pipeline.added)
        pipeline.size = std::max<std::size_t>(pipeline.size, token.id + 1);
    return pipeline;
}

}  // namespace penstock::tokenizer
