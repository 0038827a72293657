// SPDX-License-Identifier: Apache-2.0
#include "dialects/golden_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace penstock::dialects {

std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file) << path;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        all.push_back(entry.path());
    std::ranges::sort(all);
    return all;
}

Dialect dialect_of(const std::filesystem::path& path) {
    const std::string stem = path.stem().string();
    const std::string name = stem.substr(stem.rfind('.') + 1);
    if (name == "anthropic") return Dialect::anthropic;
    if (name == "ollama") return Dialect::ollama;
    if (name == "responses") return Dialect::responses;
    EXPECT_EQ(name, "chat") << path;
    return Dialect::chat;
}

std::vector<GoldenFrame> frames_of(const std::string& stream, Dialect dialect) {
    std::vector<GoldenFrame> frames;
    std::istringstream lines(stream);
    GoldenFrame frame;
    for (std::string line; std::getline(lines, line);) {
        if (dialect == Dialect::ollama) {
            frames.push_back({{}, line});
            continue;
        }
        if (line.starts_with("event: ")) frame.name = line.substr(7);
        if (line.starts_with("data: ")) frame.data = line.substr(6);
        if (!line.empty()) continue;
        frames.push_back(std::move(frame));
        frame = {};
    }
    return frames;
}

std::string convert(const std::vector<GoldenFrame>& frames, Dialect from, Dialect to) {
    const std::unique_ptr<StreamReader> reader = make_stream_reader(from);
    const std::unique_ptr<StreamWriter> writer = make_stream_writer(from, to, golden_context);
    std::string out;
    for (const GoldenFrame& frame : frames) {
        const Result<StreamFrame> read = reader->read(frame.name, frame.data);
        EXPECT_TRUE(read) << frame.data;
        if (read) EXPECT_TRUE(writer->write(*read, out)) << frame.data;
    }
    const StreamFrame end = reader->close();
    if (!end.events.empty()) EXPECT_TRUE(writer->write(end, out));
    return out;
}

}  // namespace penstock::dialects
