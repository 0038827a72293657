// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "dialects/answer_context.h"
#include "dialects/canonical.h"
#include "dialects/stream.h"

// For tests: the files below golden/.
namespace penstock::dialects {

std::string read_file(const std::filesystem::path& path);
std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder);  // sorted
// By the last name before the ending: "full.chat.json", "chat.to.anthropic.sse".
Dialect dialect_of(const std::filesystem::path& path);

// Of the converted answers among the files.
inline const AnswerContext golden_context{
    .id = "1", .model = "m", .created = 1'700'000'000, .include_usage = true
};

// A stream cut into its frames: names and data of events, or lines.
struct GoldenFrame {
    std::string name;
    std::string data;
};
std::vector<GoldenFrame> frames_of(const std::string& stream, Dialect dialect);
// The whole stream through a reader and a writer, with close().
std::string convert(const std::vector<GoldenFrame>& frames, Dialect from, Dialect to);

}  // namespace penstock::dialects
