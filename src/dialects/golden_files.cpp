// SPDX-License-Identifier: Apache-2.0
#include "dialects/golden_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
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

bool updates_golden() {
    const char* word = std::getenv("PENSTOCK_UPDATE_GOLDEN");  // NOLINT(concurrency-mt-unsafe)
    return word != nullptr && std::string_view(word) == "1";
}

void write_file(const std::filesystem::path& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    EXPECT_TRUE(file << text) << path;
}

std::string_view word_of(Dialect dialect) {
    switch (dialect) {
        case Dialect::chat:
            return "chat";
        case Dialect::responses:
            return "responses";
        case Dialect::anthropic:
            return "anthropic";
        case Dialect::ollama:
            break;
    }
    return "ollama";
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

std::filesystem::path told_file(
    const std::filesystem::path& from, Dialect to, std::string_view ending
) {
    return from.parent_path() /
           (from.stem().string() + ".to." + std::string(word_of(to)) + std::string(ending));
}

void expect_losses(const std::filesystem::path& path, const std::vector<std::string>& losses) {
    std::string got;
    for (const std::string& name : losses) got += name + "\n";
    std::filesystem::path file = path;
    file.replace_extension(".lost");
    if (updates_golden() && got.empty()) std::filesystem::remove(file);
    if (updates_golden() && !got.empty()) write_file(file, got);
    const std::string wanted = std::filesystem::exists(file) ? read_file(file) : std::string();
    EXPECT_EQ(got, wanted) << file;
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

std::string convert(
    const std::vector<GoldenFrame>& frames, Dialect from, Dialect to,
    std::vector<std::string>* losses
) {
    const auto note = [losses](Losses lost) {
        for (const auto* names : {&lost.said, &lost.beside})
            for (const std::string& name : *names)
                if (losses != nullptr && std::ranges::find(*losses, name) == losses->end())
                    losses->push_back(name);
    };
    const std::unique_ptr<StreamReader> reader = make_stream_reader(from);
    const std::unique_ptr<StreamWriter> writer = make_stream_writer(from, to, golden_context);
    std::string out;
    for (const GoldenFrame& frame : frames) {
        const Result<StreamFrame> read = reader->read(frame.name, frame.data);
        EXPECT_TRUE(read) << frame.data;
        if (read) EXPECT_TRUE(writer->write(*read, out)) << frame.data;
        note(writer->take_losses());
    }
    const StreamFrame end = reader->close();
    if (!end.events.empty()) EXPECT_TRUE(writer->write(end, out));
    return out;
}

}  // namespace penstock::dialects
