// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "dialects/documents.h"
#include "dialects/embeddings.h"

// The first byte chooses the dialect and whether a request, an answer or an error is read.
// libFuzzer finds it by this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::dialects;
    constexpr std::array kAll{
        Dialect::chat, Dialect::responses, Dialect::anthropic, Dialect::ollama
    };
    if (size == 0) return 0;
    const Dialect dialect = kAll.at(data[0] & 3U);
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto body = parse_json(text);
    if (!body) return 0;
    CHECK(*parse_json(print_json(*body)) == *body, "what is printed reads the same");
    static_cast<void>(read_error(dialect, 400, *body));
    if (const auto request = read_request(dialect, *body)) {
        for (const Dialect to : kAll) {
            const Written written = write_request(*request, to);
            CHECK(parse_json(print_json(written.body)).has_value(), "a request is JSON");
        }
        CHECK(prompt_size(*request).text_bytes >= 0, "sizes add up");
    }
    if (const auto response = read_response(dialect, *body))
        for (const Dialect to : kAll) {
            const Written written = write_response(*response, to, {.id = "1", .model = "m"});
            CHECK(parse_json(print_json(written.body)).has_value(), "an answer is JSON");
        }
    if (dialect == Dialect::chat || dialect == Dialect::ollama)
        if (const auto request = read_embeddings_request(dialect, *body))
            for (const Dialect to : {Dialect::chat, Dialect::ollama})
                if (const auto written = write_embeddings_request(*request, to))
                    CHECK(parse_json(print_json(written->body)).has_value(), "a request is JSON");
    if (const auto read = read_embeddings(dialect, *body))
        for (const bool packs : {false, true}) {
            EmbeddingsRequest asked;
            asked.base64 = packs;
            const Json answer = write_embeddings(*read, asked, "m");
            CHECK(parse_json(print_json(answer)).has_value(), "an answer is JSON");
        }
    return 0;
}
