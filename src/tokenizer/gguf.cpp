// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <map>
#include <span>

#include "tokenizer/gguf_pieces.h"
#include "tokenizer/pipeline.h"

// The metadata of a GGUF file, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, little
// endian: "GGUF", version, counts of tensors and of pairs, then the pairs: name, type, value.
namespace penstock::tokenizer {
namespace {

constexpr std::uint32_t kVersionMin = 2;
constexpr std::uint32_t kVersionMax = 3;
constexpr std::uint64_t kPairsMax = 65'536;
constexpr int kArrayDepthMax = 4;

// The kinds of values, by their number in the file.
enum class Kind : std::uint32_t {
    u8,
    i8,
    u16,
    i16,
    u32,
    i32,
    f32,
    boolean,
    text,
    array,
    u64,
    i64,
    f64
};
constexpr std::array<std::size_t, 13> kSizes{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

// Of llama.cpp's token types: those that are found in the text before anything else.
constexpr std::int32_t kControlToken = 3;
constexpr std::int32_t kUserDefinedToken = 4;

std::unexpected<Error> wrong(std::string field, std::string message) {
    return fail_field(ErrorCode::invalid_argument, std::move(field), std::move(message));
}

class Reader {
  public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}

    Result<std::string_view> take(std::uint64_t size) {
        if (size > bytes_.size() - at_)
            return wrong(
                "", "the file ends inside its metadata, at byte " + std::to_string(bytes_.size())
            );
        const std::string_view taken = bytes_.substr(at_, size);
        at_ += size;
        return taken;
    }
    template <class T>
    Result<T> number() {
        T value;
        std::memcpy(&value, TRY(take(sizeof(T))).data(), sizeof(T));
        return value;
    }
    Result<std::string_view> text() { return take(TRY(number<std::uint64_t>())); }
    Result<Kind> kind() {
        const std::uint32_t number = TRY(this->number<std::uint32_t>());
        if (number >= kSizes.size())
            return wrong("", "there is no kind of value with number " + std::to_string(number));
        return static_cast<Kind>(number);
    }
    Result<void> skip(Kind kind, int depth = 0) {
        if (kind == Kind::text) return TRY(text()), Result<void>{};
        if (kind != Kind::array)
            return TRY(take(kSizes.at(static_cast<std::size_t>(kind)))), Result<void>{};
        if (depth >= kArrayDepthMax) return wrong("", "lists are nested too deeply");
        const Kind inner = TRY(this->kind());
        const auto count = TRY(number<std::uint64_t>());
        const std::size_t size = kSizes.at(static_cast<std::size_t>(inner));
        if (size > 0) {
            if (count > bytes_.size()) return wrong("", "a list is longer than the file");
            return TRY(take(count * size)), Result<void>{};
        }
        for (std::uint64_t i = 0; i < count; ++i) TRY(skip(inner, depth + 1));
        return {};
    }
    // A list of `wanted`; its length.
    Result<std::uint64_t> list_of(Kind wanted, std::uint64_t most) {
        if (TRY(kind()) != wanted) return wrong("", "is a list of another kind");
        const auto count = TRY(number<std::uint64_t>());
        if (count > most) return wrong("", "has more than " + std::to_string(most) + " entries");
        return count;
    }

  private:
    std::string_view bytes_;
    std::size_t at_ = 0;
};

struct Vocabulary {
    std::string model;
    std::string pieces;
    std::vector<std::string_view> tokens;
    std::vector<std::int32_t> types;
    std::vector<std::string_view> merges;
};

Result<void> read_texts(Reader& reader, std::vector<std::string_view>& out) {
    const std::uint64_t count = TRY(reader.list_of(Kind::text, kTokensMax));
    for (std::uint64_t i = 0; i < count; ++i) out.push_back(TRY(reader.text()));
    return {};
}

Result<void> read_pair(Reader& reader, std::string_view name, Kind kind, Vocabulary& out) {
    if (name == "tokenizer.ggml.model" && kind == Kind::text)
        out.model = TRY(reader.text());
    else if (name == "tokenizer.ggml.pre" && kind == Kind::text)
        out.pieces = TRY(reader.text());
    else if (name == "tokenizer.ggml.tokens" && kind == Kind::array)
        TRY(read_texts(reader, out.tokens));
    else if (name == "tokenizer.ggml.merges" && kind == Kind::array)
        TRY(read_texts(reader, out.merges));
    else if (name == "tokenizer.ggml.token_type" && kind == Kind::array) {
        const std::uint64_t count = TRY(reader.list_of(Kind::i32, kTokensMax));
        for (std::uint64_t i = 0; i < count; ++i)
            out.types.push_back(TRY(reader.number<std::int32_t>()));
    } else {
        TRY(reader.skip(kind));
    }
    return {};
}

Result<Vocabulary> read_metadata(std::string_view bytes) {
    Reader reader(bytes);
    if (!bytes.starts_with("GGUF")) return wrong("", "the file is not GGUF: it begins otherwise");
    TRY(reader.take(4));
    const auto version = TRY(reader.number<std::uint32_t>());
    if (version < kVersionMin || version > kVersionMax)
        return wrong("version", "is " + std::to_string(version) + "; 2 and 3 can be read");
    TRY(reader.number<std::uint64_t>());  // tensors
    const auto pairs = TRY(reader.number<std::uint64_t>());
    if (pairs > kPairsMax) return wrong("", "has more than 65536 pairs of metadata");
    Vocabulary vocabulary;
    for (std::uint64_t i = 0; i < pairs; ++i) {
        const std::string_view name = TRY(reader.text());
        const Kind kind = TRY(reader.kind());
        if (const Result<void> read = read_pair(reader, name, kind, vocabulary); !read)
            return wrong(std::string(name), read.error().message);
    }
    return vocabulary;
}

Result<void> add_tokens(const Vocabulary& vocabulary, Pipeline& pipeline) {
    const std::string field = "tokenizer.ggml.tokens";
    if (vocabulary.tokens.empty()) return wrong(field, "is missing");
    if (!vocabulary.types.empty() && vocabulary.types.size() != vocabulary.tokens.size())
        return wrong("tokenizer.ggml.token_type", "is not as long as " + field);
    pipeline.size = vocabulary.tokens.size();
    for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i) {
        const std::int32_t type = vocabulary.types.empty() ? 1 : vocabulary.types[i];
        const std::string_view text = vocabulary.tokens[i];
        const auto id = static_cast<TokenId>(i);
        if (type == kControlToken || type == kUserDefinedToken) {
            if (text.empty()) return wrong(field, "an added token is empty");
            pipeline.added.push_back(
                {.text = std::string(text), .id = id, .special = type == kControlToken}
            );
        } else if (std::optional<std::string> raw = bytes_of_byte_level(text)) {
            pipeline.merges.ids.emplace(*std::move(raw), id);
        }
    }
    return {};
}

Result<void> add_merges(const Vocabulary& vocabulary, Merges& merges) {
    const std::string field = "tokenizer.ggml.merges";
    if (vocabulary.merges.empty()) return wrong(field, "is missing");
    for (const std::string_view entry : vocabulary.merges) {
        const std::size_t space = entry.find(' ', 1);
        if (space == std::string_view::npos) return wrong(field, "expected two texts and a space");
        const auto left = bytes_of_byte_level(entry.substr(0, space));
        const auto right = bytes_of_byte_level(entry.substr(space + 1));
        if (!left || !right)
            return wrong(field, "is not made of the characters that stand for bytes");
        if (const Result<void> added = merges.add(*left, *right); !added)
            return wrong(field, added.error().message);
    }
    return {};
}

}  // namespace

Result<Pipeline> read_gguf(std::string_view bytes) {
    const Vocabulary vocabulary = TRY(read_metadata(bytes));
    if (vocabulary.model != "gpt2")
        return wrong(
            "tokenizer.ggml.model", "'" + vocabulary.model +
                                        "' is not implemented here, and a count has to be exact; "
                                        "give the model's tokenizer.json instead"
        );
    Pipeline pipeline;
    TRY(add_tokens(vocabulary, pipeline));
    TRY(add_merges(vocabulary, pipeline.merges));
    const std::span<const char* const> patterns = gguf_patterns(vocabulary.pieces);
    if (patterns.empty())
        return wrong(
            "tokenizer.ggml.pre", "'" + vocabulary.pieces +
                                      "' is not known here, and a count has to be exact; give the "
                                      "model's tokenizer.json instead"
        );
    for (const char* pattern : patterns)
        pipeline.splitters.push_back(
            split_by(TRY(Pattern::compile(pattern)), Matches::isolated, false)
        );
    pipeline.merges.whole_pieces_first = gguf_takes_whole_pieces(vocabulary.pieces);
    return pipeline;
}

}  // namespace penstock::tokenizer
