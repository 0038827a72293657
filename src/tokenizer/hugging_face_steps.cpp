// SPDX-License-Identifier: Apache-2.0
#include <openssl/evp.h>

#include "tokenizer/hugging_face_file.h"

// The steps before the model.
namespace penstock::tokenizer {
namespace {

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

constexpr std::pair<std::string_view, Form> kForms[] = {
    {"NFC", Form::nfc}, {"NFD", Form::nfd}, {"NFKC", Form::nfkc}, {"NFKD", Form::nfkd}
};

Result<Normalizer> read_bert_normalizer(const Node& node) {
    BertOptions options;
    options.cleans = TRY(node.at("clean_text").flag(true));
    options.parts_chinese = TRY(node.at("handle_chinese_chars").flag(true));
    options.lowers = TRY(node.at("lowercase").flag(true));
    options.strips_accents = TRY(node.at("strip_accents").flag(options.lowers));
    return normalize_as_bert(options);
}

// Base64, as the library writes it.
Result<std::string> read_bytes(const Node& node) {
    const std::string text = TRY(node.text());
    std::string bytes(text.size() / 4 * 3, '\0');
    const int length =
        text.empty() || text.size() % 4 != 0 || text.size() > kFileBytesMax
            ? -1
            : EVP_DecodeBlock(
                  reinterpret_cast<unsigned char*>(bytes.data()),
                  reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size())
              );
    if (length < 0) return wrong(node.path, "is not in base64");
    return bytes;
}

Result<Normalizer> read_precompiled(const Node& node) {
    const Node table = node.at("precompiled_charsmap");
    Result<Charsmap> map = Charsmap::read(TRY(read_bytes(table)));
    if (!map) return wrong(table.path, map.error().message);
    return replace_by(*std::move(map));
}

Result<Normalizer> read_one_normalizer(const Node& node) {
    const std::string type = TRY(node.at("type").text());
    for (const auto& [name, form] : kForms)
        if (type == name) return normalize_to(form);
    if (type == "Prepend") return prepend(TRY(node.at("prepend").text()));
    if (type == "Replace")
        return replace(TRY(read_pattern(node.at("pattern"))), TRY(node.at("content").text()));
    if (type == "Lowercase") return lower_case();
    if (type == "StripAccents") return strip_marks();
    if (type == "Strip")
        return strip_space(
            TRY(node.at("strip_left").flag(true)), TRY(node.at("strip_right").flag(true))
        );
    if (type == "BertNormalizer") return read_bert_normalizer(node);
    if (type == "Precompiled") return read_precompiled(node);
    return not_implemented(node.at("type").path, type);
}

Result<Matches> read_behaviour(const Node& node) {
    const Node behaviour = node.at("behavior");
    const std::string name = TRY(behaviour.text());
    if (name == "Isolated") return Matches::isolated;
    if (name == "Removed") return Matches::removed;
    return not_implemented(behaviour.path, name);
}

Result<void> read_split(const Node& node, std::vector<Splitter>& out) {
    out.push_back(split_by(
        TRY(read_pattern(node.at("pattern"))), TRY(read_behaviour(node)),
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

Result<void> read_byte_level(const Node& node, std::vector<Splitter>& out) {
    if (TRY(node.at("add_prefix_space").flag(true))) out.push_back(prepend_space());
    if (TRY(node.at("use_regex").flag(true)))
        out.push_back(split_by(TRY(Pattern::compile(kByteLevelPattern)), Matches::isolated, false));
    return {};
}

Result<void> split_at(const char* pattern, Matches matches, std::vector<Splitter>& out) {
    out.push_back(split_by(TRY(Pattern::compile(pattern)), matches, false));
    return {};
}

// Letters, marks, digits and connectors, or a run of anything but those and white space.
Result<void> read_whitespace(std::vector<Splitter>& out) {
    constexpr const char* kWord = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200C}\x{200D})";
    const std::string space(kSpacePattern);
    const std::string inside = space.substr(1, space.size() - 2);
    const std::string pattern = std::string("[") + kWord + "]+|[^" + kWord + inside + "]+";
    // What matches is kept, the rest goes.
    out.push_back(split_by(TRY(Pattern::compile(pattern)), Matches::removed, true));
    return {};
}

Result<void> read_one_splitter(const Node& node, std::vector<Splitter>& out) {
    const std::string type = TRY(node.at("type").text());
    if (type == "Split") return read_split(node, out);
    if (type == "Digits") {
        const bool each = TRY(node.at("individual_digits").flag(false));
        return split_at(each ? "\\p{N}" : "\\p{N}+", Matches::isolated, out);
    }
    if (type == "Metaspace") return read_metaspace(node, out);
    if (type == "WhitespaceSplit") return split_at(kSpacePattern, Matches::removed, out);
    if (type == "Whitespace") return read_whitespace(out);
    if (type == "Punctuation") return split_at(kPunctuationPattern, TRY(read_behaviour(node)), out);
    if (type == "BertPreTokenizer") {
        TRY(split_at(kSpacePattern, Matches::removed, out));
        return split_at(kPunctuationPattern, Matches::isolated, out);
    }
    return not_implemented(node.at("type").path, type);
}

}  // namespace

Result<void> read_normalizer(const Node& node, std::vector<Normalizer>& out) {
    if (node.absent()) return {};
    if (!node.is("Sequence")) return out.push_back(TRY(read_one_normalizer(node))), Result<void>{};
    for (const Node& step : TRY(node.at("normalizers").list(kStepsMax))) {
        if (step.is("Sequence")) return not_implemented(step.path, "a Sequence in a Sequence");
        out.push_back(TRY(read_one_normalizer(step)));
    }
    return {};
}

Result<void> read_splitter(const Node& node, std::vector<Splitter>& out, bool& byte_level) {
    if (node.absent()) return {};
    if (byte_level) return not_implemented(node.path, "a step after ByteLevel");
    if (node.is("Sequence")) {
        for (const Node& step : TRY(node.at("pretokenizers").list(kStepsMax))) {
            if (step.is("Sequence")) return not_implemented(step.path, "a Sequence in a Sequence");
            TRY(read_splitter(step, out, byte_level));
        }
        return {};
    }
    byte_level = node.is("ByteLevel");
    return byte_level ? read_byte_level(node, out) : read_one_splitter(node, out);
}

}  // namespace penstock::tokenizer
