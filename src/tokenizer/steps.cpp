// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "tokenizer/pipeline.h"

namespace penstock::tokenizer {

Normalizer prepend(std::string text) {
    return [prefix = std::move(text)](const std::string& rest) -> Result<std::string> {
        return rest.empty() ? rest : prefix + rest;
    };
}

Normalizer replace(Pattern pattern, std::string with) {
    return [pattern = std::move(pattern),
            with = std::move(with)](std::string text) -> Result<std::string> {
        std::string out;
        std::size_t copied = 0;
        TRY(pattern.each(text, [&](std::size_t begin, std::size_t end) {
            out.append(text, copied, begin - copied).append(with);
            copied = end;
        }));
        return out.append(text, copied);
    };
}

Splitter split_by(Pattern pattern, Matches matches, bool invert) {
    const bool keep_matches = matches == Matches::isolated || invert;
    const bool keep_rest = matches == Matches::isolated || !invert;
    return [pattern = std::move(pattern), keep_matches,
            keep_rest](std::string_view piece, bool, Pieces& out) -> Result<void> {
        std::size_t taken = 0;
        TRY(pattern.each(piece, [&](std::size_t begin, std::size_t end) {
            if (keep_rest && begin > taken) out.emplace_back(piece.substr(taken, begin - taken));
            if (keep_matches) out.emplace_back(piece.substr(begin, end - begin));
            taken = end;
        }));
        if (keep_rest && taken < piece.size()) out.emplace_back(piece.substr(taken));
        return {};
    };
}

Splitter split_at_marks(std::string mark, Prepend prepend, bool split) {
    return [mark = std::move(mark), prepend,
            split](std::string_view piece, bool first, Pieces& out) -> Result<void> {
        std::string text;
        for (const char c : piece)
            if (c == ' ')
                text.append(mark);
            else
                text.push_back(c);
        const bool wanted = prepend == Prepend::always || (prepend == Prepend::first && first);
        if (wanted && !text.starts_with(mark)) text.insert(0, mark);
        if (!split) return out.push_back(std::move(text)), Result<void>{};
        std::size_t begin = 0;
        while (begin < text.size()) {
            const std::size_t end = std::min(text.find(mark, begin + 1), text.size());
            out.push_back(text.substr(begin, end - begin));
            begin = end;
        }
        return {};
    };
}

Splitter prepend_space() {
    return [](std::string_view piece, bool, Pieces& out) -> Result<void> {
        out.push_back((piece.starts_with(' ') ? "" : " ") + std::string(piece));
        return {};
    };
}

}  // namespace penstock::tokenizer
