// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "sim/serve_trace.h"

// Whatever the bytes are: a trace in order and within its limits, or an error that names the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::sim;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const ServeFormat format :
         {ServeFormat::automatic, ServeFormat::mooncake, ServeFormat::azure}) {
        const auto trace = parse_serve_trace(text, format, "input");
        if (!trace) {
            CHECK(trace.error().message.starts_with("input"), "an error says where it is");
            continue;
        }
        CHECK(!trace->empty() && trace->front().at.count() == 0, "time begins with the trace");
        for (std::size_t i = 0; i < trace->size(); ++i) {
            const ServeRequest& request = (*trace)[i];
            CHECK(i == 0 || (*trace)[i - 1].at <= request.at, "requests are in order");
            CHECK(
                request.input_tokens >= 1 && request.input_tokens <= kServeTokensMax &&
                    request.output_tokens >= 1 && request.output_tokens <= kServeTokensMax,
                "tokens are within their limits"
            );
        }
    }
    return 0;
}
