// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "json/json.h"
#include "tokenizer/pipeline.h"

// What the readers of a tokenizer.json share.
namespace penstock::tokenizer {

constexpr std::size_t kStepsMax = 16;  // of one sequence

std::unexpected<Error> wrong(std::string path, std::string message);
std::unexpected<Error> not_implemented(const std::string& path, std::string_view what);

// A value of the file and the way to it, for errors.
struct Node {
    const json::Value* value;
    std::string path;

    bool absent() const;
    Node at(std::string_view name) const;
    Result<std::string> text() const;
    Result<bool> flag(bool otherwise) const;
    Result<std::int64_t> integer() const;
    Result<double> number() const;
    Result<TokenId> id() const;
    Result<std::vector<Node>> list(std::size_t most) const;
    bool is(std::string_view type) const;  // of a step: its type
};

Result<void> read_normalizer(const Node& node, std::vector<Normalizer>& out);
// `byte_level` is set when a step turns text into bytes.
Result<void> read_splitter(const Node& node, std::vector<Splitter>& out, bool& byte_level);
// The model and the number of its tokens.
Result<void> read_model(const Node& node, bool byte_level, Pipeline& out);

}  // namespace penstock::tokenizer
