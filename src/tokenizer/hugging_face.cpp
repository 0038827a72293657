// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <charconv>

#include "json/json.h"
#include "tokenizer/pipeline.h"

// tokenizer.json of Hugging Face's tokenizers, https://huggingface.co/docs/tokenizers; what each
// step does was checked against version 0.23 of that library.
namespace penstock::tokenizer {
namespace {

using json::Array;
using json::Object;
using json::Value;

constexpr std::size_t kStepsMax = 16;  // of one sequence
constexpr std::size_t kAddedTokensMax = 100'000;

std::unexpected<Error> wrong(std::string path, std::string message) {
    return fail_field(ErrorCode::invalid_argument, std::move(path), std::move(message));
}
std::unexpected<Error> not_implemented(const std::string& path, std::string_view what) {
    return wrong(
        path, "'" + std::string(what) + "' is not implemented here, and a count has to be exact"
    );
}

// A value of the file and the way to it, for errors.
struct Node {
    const Value* value;
    std::string path;

    bool absent() const { return value == nullptr || value->is_null(); }
    Node at(std::string_view name) const {
        const Object* object = value == nullptr ? nullptr : value->if_object();
        return {
            object == nullptr ? nullptr : object->if_contains(name),
            path.empty() ? std::string(name) : path + "." + std::string(name)
        };
    }
    Result<std::string> text() const {
        if (value == nullptr || !value->is_string()) return wrong(path, "expected a text");
        return std::string(value->get_string());
    }
    Result<bool> flag(bool otherwise) const {
        if (absent()) return otherwise;
        if (!value->is_bool()) return wrong(path, "expected true or false");
        return value->get_bool();
    }
    Result<TokenId> id() const {
        if (value == nullptr || !value->is_int64() || value->get_int64() < 0 ||
            value->get_int64() >= static_cast<std::int64_t>(kTokensMax))
            return wrong(path, "expected the number of a token");
        return static_cast<TokenId>(value->get_int64());
    }
    Result<std::vector<Node>> list(std::size_t most) const {
        if (value == nullptr || !value->is_array()) return wrong(path, "expected a list");
        const Array& array = value->get_array();
        if (array.size() > most)
            return wrong(path, "has more than " + std::to_string(most) + " entries");
        std::vector<Node> nodes;
        nodes.reserve(array.size());
        for (std::size_t i = 0; i < array.size(); ++i)
            nodes.push_back({&array[i], path + "[" + std::to_string(i) + "]"});
        return nodes;
    }
};

// {"String": "…"} or {"Regex": "…"}.
Result<Pattern> read_pattern(const Node& node) {
    if (!node.at("String").absent()) {
        std::string text = TRY(node.at("String").text());
        if (text.empty()) return wrong(node.at("String").path, "must not be empty");
        return Pattern::literal(std::move(text));
    }
    Result<Pattern> pattern = Pattern::compile(TRY(node.at("Regex").text()));
    if (!pattern) return wrong(node.at("Regex").path, pattern.error().message);
    return pattern;
}

Result<void> read_normalizer(const Node& node, std::vector<Normalizer>& out) {
    if (node.absent()) return {};
    const std::string type = TRY(node.at("type").text());
    if (type == "Sequence") {
        for (const Node& step : TRY(node.at("normalizers").list(kStepsMax))) {
            if (step.at("type").value != nullptr && *step.at("type").value == "Sequence")
                return not_implemented(step.path, "a Sequence in a Sequence");
            TRY(read_normalizer(step, out));
        }
    } else if (type == "NFC") {
        out.push_back(normalize_nfc());
    } else if (type == "Prepend") {
        out.push_back(prepend(TRY(node.at("prepend").text())));
    } else if (type == "Replace") {
        out.push_back(replace(TRY(read_pattern(node.at("pattern"))), TRY(node.at("content").text()))
        );
    } else {
        return not_implemented(node.at("type").path, type);
    }
    return {};
}

Result<void> read_split(const Node& node, std::vector<Splitter>& out) {
    const std::string behaviour = TRY(node.at("behavior").text());
    if (behaviour != "Isolated" && behaviour != "Removed")
        return not_implemented(node.at("behavior").path, behaviour);
    out.push_back(split_by(
        TRY(read_pattern(node.at("pattern"))),
        behaviour == "Isolated" ? Matches::isolated : Matches::removed,
        TRY(node.at("invert").flag(false))
    ));
    return {};
}

Result<void> read_metaspace(const Node& node, std::vector<Splitter>& out) {
    const std::string scheme = node.at("prepend_scheme").absent()
                                   ? std::string("always")
                                   : TRY(node.at("prepend_scheme").text());
    Prepend prepend = Prepend::always;
    if (scheme == "never")
        prepend = Prepend::never;
    else if (scheme == "first")
        prepend = Prepend::first;
    else if (scheme != "always")
        return not_implemented(node.at("prepend_scheme").path, scheme);
    out.push_back(split_at_marks(
        TRY(node.at("replacement").text()), prepend, TRY(node.at("split").flag(true))
    ));
    return {};
}

// `byte_level` is set when a step turns text into bytes.
Result<void> read_splitter(const Node& node, std::vector<Splitter>& out, bool& byte_level) {
    if (node.absent()) return {};
    const std::string type = TRY(node.at("type").text());
    if (byte_level) return not_implemented(node.path, "a step after ByteLevel");
    if (type == "Sequence") {
        for (const Node& step : TRY(node.at("pretokenizers").list(kStepsMax))) {
            if (step.at("type").value != nullptr && *step.at("type").value == "Sequence")
                return not_implemented(step.path, "a Sequence in a Sequence");
            TRY(read_splitter(step, out, byte_level));
        }
    } else if (type == "ByteLevel") {
        byte_level = true;
        if (TRY(node.at("add_prefix_space").flag(true))) out.push_back(prepend_space());
        if (TRY(node.at("use_regex").flag(true)))
            out.push_back(
                split_by(TRY(Pattern::compile(kByteLevelPattern)), Matches::isolated, false)
            );
    } else if (type == "Split") {
        TRY(read_split(node, out));
    } else if (type == "Digits") {
        const char* digits = TRY(node.at("individual_digits").flag(false)) ? "\\p{N}" : "\\p{N}+";
        out.push_back(split_by(TRY(Pattern::compile(digits)), Matches::isolated, false));
    } else if (type == "Metaspace") {
        TRY(read_metaspace(node, out));
    } else {
        return not_implemented(node.at("type").path, type);
    }
    return {};
}

Result<void> read_vocabulary(const Node& node, bool byte_level, Pipeline& out) {
    if (node.value == nullptr || !node.value->is_object())
        return wrong(node.path, "expected an object of tokens and their numbers");
    const Object& vocabulary = node.value->get_object();
    if (vocabulary.size() > kTokensMax) return wrong(node.path, "has more tokens than 4000000");
    Merges& merges = out.merges;
    merges.unit = byte_level ? Merges::Unit::byte : Merges::Unit::character;
    for (const auto& [text, number] : vocabulary) {
        const TokenId id = TRY((Node{&number, node.path + "['" + std::string(text) + "']"}.id()));
        out.size = std::max<std::size_t>(out.size, id + 1);
        if (!byte_level) {
            merges.ids.emplace(text, id);
            continue;
        }
        // Those that are not made of byte characters are reached as added tokens only.
        if (std::optional<std::string> bytes = bytes_of_byte_level(text))
            merges.ids.emplace(*std::move(bytes), id);
    }
    return {};
}

Result<void> add_merge(
    Merges& merges, const std::string& path, bool byte_level, std::string left, std::string right
) {
    if (byte_level) {
        const std::optional<std::string> a = bytes_of_byte_level(left);
        const std::optional<std::string> b = bytes_of_byte_level(right);
        if (!a || !b) return wrong(path, "is not made of the characters that stand for bytes");
        left = *a;
        right = *b;
    }
    if (const Result<void> added = merges.add(left, right); !added)
        return wrong(path, added.error().message);
    return {};
}

// "left right", or ["left", "right"] in newer files.
Result<void> read_merges(const Node& node, bool byte_level, Merges& merges) {
    for (const Node& entry : TRY(node.list(kTokensMax))) {
        if (entry.value->is_array()) {
            const std::vector<Node> pair = TRY(entry.list(2));
            if (pair.size() != 2) return wrong(entry.path, "expected two texts");
            TRY(add_merge(merges, entry.path, byte_level, TRY(pair[0].text()), TRY(pair[1].text()))
            );
            continue;
        }
        const std::string text = TRY(entry.text());
        const std::size_t space = text.find(' ');
        if (space == std::string::npos) return wrong(entry.path, "expected two texts and a space");
        TRY(add_merge(merges, entry.path, byte_level, text.substr(0, space), text.substr(space + 1))
        );
    }
    return {};
}

Result<void> read_fallback(const Node& model, Merges& merges) {
    if (!TRY(model.at("byte_fallback").flag(false))) return {};
    std::array<TokenId, 256> fallback{};
    for (unsigned byte = 0; byte < fallback.size(); ++byte) {
        constexpr std::string_view kHex = "0123456789ABCDEF";
        const std::string text = {'<', '0', 'x', kHex[byte / 16], kHex[byte % 16], '>'};
        const auto found = merges.ids.find(text);
        if (found == merges.ids.end())
            return wrong(model.at("byte_fallback").path, "the vocabulary lacks " + text);
        fallback.at(byte) = found->second;
    }
    merges.fallback = fallback;
    return {};
}

Result<void> read_model(const Node& model, bool byte_level, Pipeline& out) {
    const std::string type = model.at("type").absent() ? "BPE" : TRY(model.at("type").text());
    if (type != "BPE") return not_implemented(model.at("type").path, type);
    for (const char* name : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
        const Node option = model.at(name);
        const bool empty = option.absent() || (option.value->is_string() && *option.value == "");
        if (!empty) return not_implemented(option.path, name);
    }
    Merges& merges = out.merges;
    TRY(read_vocabulary(model.at("vocab"), byte_level, out));
    TRY(read_merges(model.at("merges"), byte_level, merges));
    TRY(read_fallback(model, merges));
    merges.whole_pieces_first = TRY(model.at("ignore_merges").flag(false));
    merges.fuse_unknown = TRY(model.at("fuse_unk").flag(false));
    if (const Node unknown = model.at("unk_token"); !unknown.absent()) {
        const Node token = model.at("vocab").at(TRY(unknown.text()));
        if (token.absent()) return wrong(unknown.path, "is not in the vocabulary");
        merges.unknown = TRY(token.id());
    }
    return {};
}

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

bool only_nfc(const Node& normalizer) {
    return normalizer.absent() ||
           (normalizer.at("type").value != nullptr && *normalizer.at("type").value == "NFC");
}

}  // namespace

Result<Pipeline> read_hugging_face(std::string_view text) {
    const Value file = TRY(json::parse_value(text));
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
