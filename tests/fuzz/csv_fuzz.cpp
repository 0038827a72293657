// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "sim/csv.h"

namespace {

std::string in_quotes(std::string_view cell) {
    std::string text = "\"";
    for (const char c : cell) text += c == '"' ? std::string("\"\"") : std::string(1, c);
    return text + "\"";
}

std::string printed(const penstock::sim::Csv& csv) {
    std::string text;
    for (std::size_t i = 0; i < csv.columns().size(); ++i)
        text += (i > 0 ? "," : "") + in_quotes(csv.columns()[i]);
    text += "\n";
    for (std::size_t row = 0; row < csv.rows(); ++row) {
        for (std::size_t i = 0; i < csv.columns().size(); ++i)
            text += (i > 0 ? "," : "") + in_quotes(csv.text(row, i));
        text += "\n";
    }
    return text;
}

}  // namespace

// libFuzzer finds it by this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Result<sim::Csv> csv = sim::Csv::parse(text, "fuzz.csv");
    if (!csv) {
        CHECK(csv.error().message.starts_with("fuzz.csv:"), "an error names the file");
        return 0;
    }
    const Result<sim::Csv> again = sim::Csv::parse(printed(*csv), "fuzz.csv");
    CHECK(again.has_value(), "what is printed can be read");
    CHECK(printed(*again) == printed(*csv), "what is printed reads back equal");
    return 0;
}
