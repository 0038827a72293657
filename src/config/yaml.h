// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/json.h"

// YAML as people write it, read into the JSON tree and back: the 1.2 core schema, so that `no` and
// `1e3x` are strings, and a quoted "3" stays one. One document per text.
namespace penstock::yaml {

constexpr std::size_t kBytesMax = 4UL * 1024 * 1024;
constexpr std::size_t kNodesMax =
    200'000;  // aliases expanded: a small text cannot grow without end

// Errors name line and column. Refused: tabs as indentation, a key twice, keys that are not
// scalars, merge keys, custom tags, infinities, more than json::kDepthMax levels.
Result<json::Value> parse(std::string_view text);

// Block style; every string that would read as something else is quoted. parse(print(v)) == v.
std::string print(const json::Value& value);

// Where things stand in a text, by the paths that decode errors use: "tasks[0].cpus" -> 12.
using Lines = std::map<std::string, std::size_t, std::less<>>;

// A parsed text with its lines.
class Document {
  public:
    static Result<Document> parse(std::string_view text);
    ~Document();
    Document(Document&&) noexcept;
    Document& operator=(Document&&) noexcept;

    const json::Value& value() const { return *value_; }
    const Lines& lines() const { return lines_; }

  private:
    Document(std::unique_ptr<json::Value> value, Lines lines);
    std::unique_ptr<json::Value> value_;
    Lines lines_;
};

}  // namespace penstock::yaml
