// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/gguf_file.h"

#include <array>
#include <cstring>

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

Result<void> read_texts(Reader& reader, std::vector<std::string_view>& out) {
    const std::uint64_t count = TRY(reader.list_of(Kind::text, kTokensMax));
    for (std::uint64_t i = 0; i < count; ++i) out.push_back(TRY(reader.text()));
    return {};
}

template <class T>
Result<void> read_numbers(Reader& reader, Kind kind, std::vector<T>& out) {
    const std::uint64_t count = TRY(reader.list_of(kind, kTokensMax));
    for (std::uint64_t i = 0; i < count; ++i) out.push_back(TRY(reader.number<T>()));
    return {};
}

// Bytes, signed or not.
Result<void> read_bytes(Reader& reader, std::string& out) {
    const Kind kind = TRY(reader.kind());
    if (kind != Kind::u8 && kind != Kind::i8) return wrong("", "is not a list of bytes");
    out = TRY(reader.text());
    return {};
}

Result<void> read_list(Reader& reader, std::string_view name, GgufVocabulary& out) {
    if (name == "tokenizer.ggml.tokens") return read_texts(reader, out.tokens);
    if (name == "tokenizer.ggml.merges") return read_texts(reader, out.merges);
    if (name == "tokenizer.ggml.token_type") return read_numbers(reader, Kind::i32, out.types);
    if (name == "tokenizer.ggml.scores") return read_numbers(reader, Kind::f32, out.scores);
    if (name == "tokenizer.ggml.precompiled_charsmap") return read_bytes(reader, out.charsmap);
    return reader.skip(Kind::array);
}

Result<void> read_pair(Reader& reader, std::string_view name, Kind kind, GgufVocabulary& out) {
    if (name == "tokenizer.ggml.model" && kind == Kind::text)
        out.model = TRY(reader.text());
    else if (name == "tokenizer.ggml.pre" && kind == Kind::text)
        out.pieces = TRY(reader.text());
    else if (name == "tokenizer.ggml.unknown_token_id" && kind == Kind::u32)
        out.unknown = TRY(reader.number<std::uint32_t>());
    else if (name == "tokenizer.ggml.add_space_prefix" && kind == Kind::boolean)
        out.space_before = TRY(reader.number<std::uint8_t>()) != 0;
    else if (name == "tokenizer.ggml.remove_extra_whitespaces" && kind == Kind::boolean)
        out.spaces_merged = TRY(reader.number<std::uint8_t>()) != 0;
    else if (kind == Kind::array)
        TRY(read_list(reader, name, out));
    else
        TRY(reader.skip(kind));
    return {};
}

}  // namespace

Result<GgufVocabulary> read_gguf_vocabulary(std::string_view bytes) {
    Reader reader(bytes);
    if (!bytes.starts_with("GGUF")) return wrong("", "the file is not GGUF: it begins otherwise");
    TRY(reader.take(4));
    const auto version = TRY(reader.number<std::uint32_t>());
    if (version < kVersionMin || version > kVersionMax)
        return wrong("version", "is " + std::to_string(version) + "; 2 and 3 can be read");
    TRY(reader.number<std::uint64_t>());  // tensors
    const auto pairs = TRY(reader.number<std::uint64_t>());
    if (pairs > kPairsMax) return wrong("", "has more than 65536 pairs of metadata");
    GgufVocabulary vocabulary;
    for (std::uint64_t i = 0; i < pairs; ++i) {
        const std::string_view name = TRY(reader.text());
        const Kind kind = TRY(reader.kind());
        if (const Result<void> read = read_pair(reader, name, kind, vocabulary); !read)
            return wrong(std::string(name), read.error().message);
    }
    return vocabulary;
}

}  // namespace penstock::tokenizer
