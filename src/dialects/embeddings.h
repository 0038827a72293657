// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dialects/documents.h"

// Vectors of texts: OpenAI's POST /v1/embeddings (Dialect::chat) and Ollama's POST /api/embed.
namespace penstock::dialects {

struct EmbeddingsRequest : Extras {
    Dialect dialect = Dialect::chat;
    std::string model = {};
    Json input = {};  // a text or a list of texts; of OpenAI also numbers of tokens
    std::optional<std::int64_t> dimensions = {};
    bool base64 = false;  // how the client wants its numbers
};

// invalid_argument names the field.
Result<EmbeddingsRequest> read_embeddings_request(Dialect dialect, Json body);
// invalid_argument where the input cannot be said at all: Ollama embeds texts alone.
Result<Written> write_embeddings_request(const EmbeddingsRequest& request, Dialect dialect);

struct Embeddings {
    std::vector<Json::Array> vectors = {};  // numbers as the engine wrote them
    std::optional<Usage> usage = {};
};

// unavailable: the engine's answer is none.
Result<Embeddings> read_embeddings(Dialect dialect, Json body);
Json write_embeddings(
    const Embeddings& embeddings, const EmbeddingsRequest& request, const std::string& model
);

}  // namespace penstock::dialects
