// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
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
// Whether files are to be written again (PENSTOCK_UPDATE_GOLDEN=1): read what it writes.
bool updates_golden();
void write_file(const std::filesystem::path& path, const std::string& text);
// By the last name before the ending: "full.chat.json", "chat.to.anthropic.sse".
Dialect dialect_of(const std::filesystem::path& path);

// "FROM.to.TO.ENDING" beside FROM.
std::filesystem::path told_file(
    const std::filesystem::path& from, Dialect to, std::string_view ending
);
// Names of losses stand in a file beside `path`; none is no file.
void expect_losses(const std::filesystem::path& path, const std::vector<std::string>& losses);

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
// `losses`: gets the names of what was lost, each once.
std::string convert(
    const std::vector<GoldenFrame>& frames, Dialect from, Dialect to,
    std::vector<std::string>* losses = nullptr
);
std::string_view word_of(Dialect dialect);  // as in the files' names
inline constexpr std::array kDialects{
    Dialect::chat, Dialect::responses, Dialect::anthropic, Dialect::ollama
};

}  // namespace penstock::dialects
