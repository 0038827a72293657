// SPDX-License-Identifier: Apache-2.0
#include "dialects/embeddings.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include "dialects/base64.h"
#include "dialects/fields.h"
#include "dialects/usage.h"

namespace penstock::dialects {
namespace {

bool is_text(const Json& input) {
    if (input.if_string() != nullptr) return true;
    const Json::Array* list = input.if_array();
    return list != nullptr && !list->empty() &&
           std::ranges::all_of(*list, [](const Json& one) { return one.if_string() != nullptr; });
}

void read_openai(Fields& fields, EmbeddingsRequest& request) {
    const std::string format = fields.text("encoding_format").value_or("float");
    if (format != "float" && format != "base64")
        fields.trouble().add("encoding_format", "expected 'float' or 'base64'");
    request.base64 = format == "base64";
}

// What it cuts, OpenAI's API refuses: only who says that it is not to be cut is understood there.
void read_ollama(Fields& fields) { fields.shape_if("truncate", false); }

// 32 bits each, the lowest byte first.
std::string packed(const Json::Array& numbers) {
    std::string bytes;
    bytes.reserve(numbers.size() * sizeof(float));
    for (const Json& number : numbers) {
        const std::string_view text = number.number_text();
        float value = 0;
        // Read as a vector before: each is a number.
        std::from_chars(text.data(), text.data() + text.size(), value);
        const auto bits = std::bit_cast<std::uint32_t>(value);
        for (unsigned shift = 0; shift < 32; shift += 8)
            bytes += static_cast<char>(bits >> shift & 0xFFU);
    }
    return base64_of(bytes);
}

void add_vector(const Json* vector, Embeddings& embeddings, Trouble& trouble) {
    const Json::Array* numbers = vector == nullptr ? nullptr : vector->if_array();
    const bool whole = numbers != nullptr && std::ranges::all_of(*numbers, [](const Json& number) {
                           return number.kind() == Json::Kind::number;
                       });
    if (!whole) return trouble.add("embedding", "expected numbers");
    embeddings.vectors.push_back(*numbers);
}

}  // namespace

Result<EmbeddingsRequest> read_embeddings_request(Dialect dialect, Json body) {
    Trouble trouble(ErrorCode::invalid_argument);
    EmbeddingsRequest request{.dialect = dialect};
    Fields fields(std::move(body), "", trouble);
    request.model = fields.need_text("model");
    if (!fields.has("input")) trouble.add("input", "'input' is missing");
    request.input = fields.take("input").value_or(Json());
    const bool tokens = dialect == Dialect::chat && request.input.if_array() != nullptr;
    if (!is_text(request.input) && !tokens)
        trouble.add("input", "expected a text or a list of texts");
    request.dimensions = fields.integer("dimensions");
    if (dialect == Dialect::chat)
        read_openai(fields, request);
    else
        read_ollama(fields);
    fields.finish(request);
    return trouble.result(std::move(request));
}

Result<Written> write_embeddings_request(const EmbeddingsRequest& request, Dialect dialect) {
    if (dialect == Dialect::ollama && !is_text(request.input))
        return fail_field(
            ErrorCode::invalid_argument, "input",
            "the model's engine speaks 'ollama', which embeds texts and no numbers of tokens: send "
            "texts"
        );
    Writer writer(request.dialect, dialect);
    Json::Object out{{"model", request.model}, {"input", request.input}};
    if (request.dimensions) out.push_back({"dimensions", *request.dimensions});
    if (!writer.same() && dialect == Dialect::chat) out.push_back({"encoding_format", "float"});
    writer.extras(out, request);
    return Written{.body = std::move(out), .dropped = writer.take_losses().said};
}

Result<Embeddings> read_embeddings(Dialect dialect, Json body) {
    Trouble trouble(ErrorCode::unavailable);
    Embeddings embeddings;
    const Json whole = body;
    Fields fields(std::move(body), "", trouble);
    const bool ollama = dialect == Dialect::ollama;
    const std::optional<Json::Array> list = fields.array(ollama ? "embeddings" : "data");
    if (!list) trouble.add("data", "the engine's answer has no embeddings");
    for (const Json& entry : list.value_or(Json::Array()))
        add_vector(ollama ? &entry : entry.find("embedding"), embeddings, trouble);
    if (ollama && fields.has("prompt_eval_count")) embeddings.usage = read_ollama_usage(whole);
    if (const std::optional<Json> usage = fields.take("usage"); usage && !ollama)
        embeddings.usage = read_chat_usage(*usage);
    return trouble.result(std::move(embeddings));
}

Json write_embeddings(
    const Embeddings& embeddings, const EmbeddingsRequest& request, const std::string& model
) {
    const std::optional<std::int64_t> tokens =
        embeddings.usage ? embeddings.usage->tokens.input_fresh : std::nullopt;
    if (request.dialect == Dialect::ollama) {
        Json::Array vectors(embeddings.vectors.begin(), embeddings.vectors.end());
        Json::Object out{{"model", model}, {"embeddings", std::move(vectors)}};
        if (tokens) out.push_back({"prompt_eval_count", *tokens});
        return out;
    }
    Json::Array data;
    for (std::size_t i = 0; i < embeddings.vectors.size(); ++i) {
        const Json::Array& vector = embeddings.vectors[i];
        data.emplace_back(Json::Object{
            {"object", "embedding"},
            {"index", static_cast<std::int64_t>(i)},
            {"embedding", request.base64 ? Json(packed(vector)) : Json(vector)}
        });
    }
    // Required there; where the engine tells none, what is billed is counted beside it.
    const std::int64_t told = tokens.value_or(0);
    return Json::Object{
        {"object", "list"},
        {"data", std::move(data)},
        {"model", model},
        {"usage", Json::Object{{"prompt_tokens", told}, {"total_tokens", told}}}
    };
}

}  // namespace penstock::dialects
