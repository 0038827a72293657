// SPDX-License-Identifier: Apache-2.0
#include "sim/serve_trace.h"

#include <algorithm>
#include <boost/describe/class.hpp>

#include "config/settings.h"
#include "json/codec.h"
#include "sim/csv.h"

// Grammar of the two formats:
//   mooncake = 1*( object LF )   object = {"timestamp": ms, "input_length": n, "output_length": n,
//                                          "hash_ids": [one id for every 512 tokens begun]}
//   azure    = "TIMESTAMP,ContextTokens,GeneratedTokens" 1*( LF "YYYY-MM-DD HH:MM:SS.f" "," n "," n
//   )
namespace penstock::sim {

struct MooncakeLine {
    std::int64_t timestamp = 0;
    std::int64_t input_length = 0;
    std::int64_t output_length = 0;
    std::vector<std::int64_t> hash_ids;
};
BOOST_DESCRIBE_STRUCT(MooncakeLine, (), (timestamp, input_length, output_length, hash_ids))

namespace {

std::unexpected<Error> wrong(const std::string& name, std::size_t line, std::string_view what) {
    return fail(
        ErrorCode::invalid_argument, name + ":" + std::to_string(line) + ": " + std::string(what)
    );
}

std::string_view next_line(std::string_view& text) {
    const std::size_t end = std::min(text.size(), text.find('\n'));
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(text.size(), end + 1));
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

Result<ServeRequest> read_mooncake(const MooncakeLine& line) {
    const auto in_range = [](std::int64_t tokens) {
        return tokens >= 1 && tokens <= kServeTokensMax;
    };
    constexpr std::int64_t kMsMax = to_ms(kServeSpanMax);
    const auto bad = [](std::string what) {
        return fail(ErrorCode::invalid_argument, std::move(what));
    };
    if (line.timestamp < 0 || line.timestamp > kMsMax)
        return bad("timestamp: expected 0 to " + std::to_string(kMsMax) + " ms");
    if (!in_range(line.input_length) || !in_range(line.output_length))
        return bad("input_length, output_length: expected 1 to " + std::to_string(kServeTokensMax));
    const auto blocks = (line.input_length + routing::kBlockTokens - 1) / routing::kBlockTokens;
    if (static_cast<std::int64_t>(line.hash_ids.size()) != blocks)
        return bad(
            "hash_ids: expected " + std::to_string(blocks) + " of them, one for every " +
            std::to_string(routing::kBlockTokens) + " tokens of input_length that were begun"
        );
    ServeRequest out{
        .at = line.timestamp * 1ms,
        .input_tokens = line.input_length,
        .output_tokens = line.output_length
    };
    // A block that is not full is kept by no engine.
    const auto full = static_cast<std::size_t>(line.input_length / routing::kBlockTokens);
    routing::BlockHash last = 0;
    for (std::size_t i = 0; i < full; ++i) {
        last = routing::chain_block(last, static_cast<std::uint64_t>(line.hash_ids[i]));
        out.prompt.push_back(last);
    }
    return out;
}

Result<std::vector<ServeRequest>> parse_mooncake(std::string_view text, const std::string& name) {
    std::vector<ServeRequest> out;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::string_view line = next_line(text);
        if (line.empty()) return wrong(name, number, "an empty line; each line is one request");
        if (out.size() == kServeRequestsMax)
            return wrong(
                name, number, "more than " + std::to_string(kServeRequestsMax) + " requests"
            );
        const Result<MooncakeLine> read = json::parse<MooncakeLine>(line);
        if (!read) return wrong(name, number, to_string(read.error()));
        Result<ServeRequest> request = read_mooncake(*read);
        if (!request) return wrong(name, number, request.error().message);
        out.push_back(*std::move(request));
    }
    return out;
}

// "2023-11-16 18:17:03.9799600", as UTC. Digits behind the microseconds are cut.
Result<Time> parse_azure_time(std::string_view text) {
    constexpr std::size_t kSecondsEnd = sizeof("2023-11-16 18:17:03") - 1;
    constexpr std::size_t kMicrosEnd = kSecondsEnd + sizeof(".979960") - 1;
    std::string iso(text.substr(0, kMicrosEnd));
    const std::string_view rest = text.size() > kMicrosEnd ? text.substr(kMicrosEnd) : "";
    if (iso.size() < kSecondsEnd || iso[sizeof("2023-11-16") - 1] != ' ' ||
        !std::ranges::all_of(rest, [](char c) { return c >= '0' && c <= '9'; }))
        return fail(
            ErrorCode::invalid_argument,
            "'" + std::string(text) + "' is no time like 2023-11-16 18:17:03.9799600"
        );
    iso[sizeof("2023-11-16") - 1] = 'T';
    return parse_rfc3339(iso + "Z");
}

Result<std::vector<ServeRequest>> parse_azure(std::string_view text, const std::string& name) {
    const Csv csv = TRY(Csv::parse(text, name));
    const std::size_t time = TRY(csv.column("TIMESTAMP"));
    const std::size_t input = TRY(csv.column("ContextTokens"));
    const std::size_t output = TRY(csv.column("GeneratedTokens"));
    std::vector<ServeRequest> out;
    Time first;
    for (std::size_t row = 0; row < csv.rows(); ++row) {
        const Result<Time> at = parse_azure_time(csv.text(row, time));
        if (!at) return csv.wrong(row, time, at.error().message);
        if (row == 0) first = *at;
        if (*at < first || *at - first > kServeSpanMax)
            return csv.wrong(row, time, "before the first request, or more than a year after it");
        out.push_back(
            {.at = *at - first,
             .input_tokens = TRY(csv.integer(row, input, 1, kServeTokensMax)),
             .output_tokens = TRY(csv.integer(row, output, 1, kServeTokensMax))}
        );
    }
    return out;
}

}  // namespace

Result<ServeFormat> parse_serve_format(std::string_view text) {
    if (text == "auto") return ServeFormat::automatic;
    if (text == "mooncake") return ServeFormat::mooncake;
    if (text == "azure") return ServeFormat::azure;
    return fail_field(
        ErrorCode::invalid_argument, "format",
        "'" + std::string(text) + "' is none of auto, mooncake, azure"
    );
}

Result<std::vector<ServeRequest>> parse_serve_trace(
    std::string_view text, ServeFormat format, const std::string& name
) {
    const bool mooncake = format == ServeFormat::mooncake ||
                          (format == ServeFormat::automatic && text.starts_with('{'));
    std::vector<ServeRequest> out =
        mooncake ? TRY(parse_mooncake(text, name)) : TRY(parse_azure(text, name));
    if (out.empty()) return fail(ErrorCode::invalid_argument, name + ": no request in it");
    // The header of a CSV is line 1.
    const std::size_t offset = mooncake ? 1 : 2;
    for (std::size_t i = 1; i < out.size(); ++i)
        if (out[i].at < out[i - 1].at)
            return wrong(name, i + offset, "earlier than the request before it");
    const Duration first = out.front().at;
    for (ServeRequest& request : out) request.at -= first;
    return out;
}

Result<std::vector<ServeRequest>> read_serve_trace(
    const std::filesystem::path& file, ServeFormat format
) {
    const std::string text = TRY(config::read_file(file, kServeTraceBytesMax));
    return parse_serve_trace(text, format, file.filename().string());
}

}  // namespace penstock::sim

JSON_INSTANTIATE(penstock::sim::MooncakeLine);
