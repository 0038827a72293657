// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "routing/prompt_blocks.h"

namespace penstock::sim {

// One call of a recorded service.
struct ServeRequest {
    Duration at{};  // since the first one of the trace
    std::int64_t input_tokens = 0;
    std::int64_t output_tokens = 0;
    // The prompt's full blocks of 512 tokens; empty where the trace tells no contents.
    std::vector<routing::BlockHash> prompt;
    bool operator==(const ServeRequest&) const = default;
};

constexpr std::size_t kServeTraceBytesMax = 1024UL * 1024 * 1024;
constexpr std::size_t kServeRequestsMax = 10'000'000;
constexpr std::int64_t kServeTokensMax = 100'000'000;  // of one prompt or answer
constexpr Duration kServeSpanMax = 24h * 366;

enum class ServeFormat : std::uint8_t {
    automatic,  // by the first character: '{' is mooncake
    mooncake,   // JSON lines: timestamp (ms), input_length, output_length, hash_ids
    azure,      // CSV: TIMESTAMP, ContextTokens, GeneratedTokens
};
Result<ServeFormat> parse_serve_format(std::string_view text);

// Read strictly, in the order of arrival: a line out of order, of another shape or out of range is
// an error that names file, line and field.
Result<std::vector<ServeRequest>> read_serve_trace(
    const std::filesystem::path& file, ServeFormat format
);
// `name` stands in the messages.
Result<std::vector<ServeRequest>> parse_serve_trace(
    std::string_view text, ServeFormat format, const std::string& name
);

}  // namespace penstock::sim
