// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "dialects/documents.h"
#include "dialects/golden_files.h"

// docs/dialect-fields.md says of every field what becomes of it in every other dialect. It is made
// here, from what the converters do with one example of each field (golden/fields), and compared.
namespace penstock::dialects {
namespace {

namespace fs = std::filesystem;

const fs::path kTable = "../../docs/dialect-fields.md";
constexpr std::array kEngines{Dialect::chat, Dialect::anthropic, Dialect::ollama};

constexpr std::string_view kHead =
    R"(# What becomes of each field
Every field of the four token APIs, and what it is to an engine or a client of another one. In the same dialect everything is exact: bytes pass through.
The table is made by a test from what the converters do ([src/dialects/README.md](../src/dialects/README.md) says how); [dialects.md](dialects.md) explains the rules.

| word | in a request | in an answer or a stream |
|---|---|---|
| exact | another word for the same; back in the first dialect it is the same JSON | – |
| mapped | another word for the same | the same |
| holds | nothing to say: what it asks for holds anyway | nothing to say: the gateway tells its own, or none |
| **refused** | 400 that names it, or dropped and named in `x-penstock-dropped` | an error that names it, or dropped and named |
| named | – | stands beside what the model said: named, never refused |
)";

Json document(const fs::path& path) {
    Result<Json> value = parse_json(read_file(path));
    EXPECT_TRUE(value) << path << (value ? "" : value.error().message);
    return value ? *value : Json();
}

struct Fate {
    std::string_view word;
    bool silent = false;  // nothing of it is there, and nothing names it
};

Fate fate_of_request(const Json& base, const Json& changed, Dialect from, Dialect to) {
    const Result<Request> request = read_request(from, changed);
    EXPECT_TRUE(request) << print_json(changed);
    const Result<Request> plain = read_request(from, base);
    if (!request || !plain) return {"?"};
    const Written there = write_request(*request, to);
    if (!there.dropped.empty()) return {"**refused**"};
    if (there.body == write_request(*plain, to).body) return {"holds", true};
    const Result<Request> read = read_request(to, there.body);
    EXPECT_TRUE(read) << print_json(there.body);
    if (!read) return {"?"};
    const Written back = write_request(*read, from);
    return {back.dropped.empty() && back.body == changed ? "exact" : "mapped"};
}

Fate fate_of_answer(const Json& base, const Json& changed, Dialect from, Dialect to) {
    const Result<Response> answer = read_response(from, changed);
    const Result<Response> plain = read_response(from, base);
    EXPECT_TRUE(answer && plain) << print_json(changed);
    if (!answer || !plain) return {"?"};
    const Written there = write_response(*answer, to, golden_context);
    if (!there.dropped.empty()) return {"**refused**"};
    if (!there.beside.empty()) return {"named"};
    const bool silent = there.body == write_response(*plain, to, golden_context).body;
    return {silent ? "holds" : "mapped", silent};
}

struct Told {
    std::string out;
    Losses losses;
};

Told told(const Json& frames, Dialect from, Dialect to) {
    const auto reader = make_stream_reader(from);
    const auto writer = make_stream_writer(from, to, golden_context);
    Told all;
    for (const Json& frame : *frames.if_array()) {
        const std::string data =
            frame.if_string() == nullptr ? print_json(frame) : *frame.if_string();
        const Result<StreamFrame> read = reader->read({}, data);
        EXPECT_TRUE(read) << data;
        if (read) EXPECT_TRUE(writer->write(*read, all.out)) << data;
        const Losses lost = writer->take_losses();
        std::ranges::copy(lost.said, std::back_inserter(all.losses.said));
        std::ranges::copy(lost.beside, std::back_inserter(all.losses.beside));
    }
    return all;
}

Fate fate_of_stream(const Json& base, const Json& changed, Dialect from, Dialect to) {
    const Told there = told(changed, from, to);
    if (!there.losses.said.empty()) return {"**refused**"};
    if (!there.losses.beside.empty()) return {"named"};
    const bool silent = there.out == told(base, from, to).out;
    return {silent ? "holds" : "mapped", silent};
}

using FateOf = Fate (*)(const Json&, const Json&, Dialect, Dialect);

struct Section {
    std::string_view key;
    std::string_view base;
    std::string_view title;
    FateOf fate;
};
constexpr std::array<Section, 3> kSections{{
    {"request", "base", "requests, to engines", fate_of_request},
    {"answer", "base_answer", "answers, to clients", fate_of_answer},
    {"stream", "base_stream", "streams, to clients", fate_of_stream},
}};

// What no other dialect needs to be told, in any of its fields.
bool may_be_silent(std::string_view field) {
    constexpr std::array<std::string_view, 11> kFields{
        "stream_options",
        "tool_choice (none)",
        "include (reasoning.encrypted_content)",
        "tool_choice (auto)",
        "think (true)",
        "thinking (adaptive)",
        "id, created, system_fingerprint, service_tier",
        "system_fingerprint, service_tier, obfuscation",
        "created_at, durations",
        "durations",
        "ping"
    };
    return std::ranges::find(kFields, field) != kFields.end();
}

void add_section(std::string& table, const Json& fields, Dialect from, const Section& section) {
    const Json* rows = fields.find(section.key);
    if (rows == nullptr) return;
    const Json& base = *fields.find(section.base);
    const bool request = section.key == "request";
    std::vector<Dialect> targets;
    for (const Dialect to : kDialects)
        if (to != from && (!request || std::ranges::find(kEngines, to) != kEngines.end()))
            targets.push_back(to);
    table +=
        "\n## " + std::string(word_of(from)) + ": " + std::string(section.title) + "\n| field |";
    std::string line = "\n|---|";
    for (const Dialect to : targets) {
        table += " " + std::string(word_of(to)) + " |";
        line += "---|";
    }
    table += line;
    for (const Member& row : *rows->if_object()) {
        table += "\n| " + row.key + " |";
        Json changed = base;
        if (request)
            for (const Member& member : *row.value.if_object())
                put(*changed.if_object(), member.key, member.value);
        else
            changed = row.value;
        for (const Dialect to : targets) {
            const Fate fate = section.fate(base, changed, from, to);
            EXPECT_TRUE(!fate.silent || may_be_silent(row.key))
                << word_of(from) << " " << section.key << " '" << row.key << "' to " << word_of(to)
                << " is dropped in silence";
            table += " " + std::string(fate.word) + " |";
        }
    }
    table += "\n";
}

TEST(FieldsTable, SaysOfEveryFieldWhatBecomesOfIt) {
    std::string table(kHead);
    for (const Dialect from : kDialects) {
        const Json fields = document("golden/fields/" + std::string(word_of(from)) + ".json");
        for (const Section& section : kSections) add_section(table, fields, from, section);
    }
    if (updates_golden()) write_file(kTable, table);
    EXPECT_EQ(table, read_file(kTable));
}

}  // namespace
}  // namespace penstock::dialects
