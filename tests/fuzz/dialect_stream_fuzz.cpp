// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "dialects/stream.h"

// The first byte chooses the engine's dialect, each line is a frame; every client listens.
// libFuzzer finds it by this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::dialects;
    constexpr std::array kEngines{Dialect::chat, Dialect::anthropic, Dialect::ollama};
    constexpr std::array kClients{
        Dialect::chat, Dialect::responses, Dialect::anthropic, Dialect::ollama
    };
    if (size == 0) return 0;
    const Dialect from = kEngines.at(data[0] % kEngines.size());
    for (const Dialect to : kClients) {
        const auto reader = make_stream_reader(from);
        const auto writer = make_stream_writer(from, to, {.id = "1", .model = "m"});
        std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
        std::string out;
        bool broken = false;
        while (!text.empty() && !broken) {
            const std::size_t end = text.find('\n');
            const auto frame = reader->read({}, text.substr(0, end));
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
            broken = !frame || !writer->write(*frame, out);
            for (const std::string& name : writer->take_losses().said)
                CHECK(!name.empty(), "what is lost has a name");
        }
        writer->fail({.type = "server_error", .message = "cut"}, out);
        CHECK(out.ends_with('\n'), "events are whole");
    }
    return 0;
}
