// SPDX-License-Identifier: Apache-2.0
#include "telemetry/log.h"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>

#include "base/time.h"

namespace penstock::telemetry {
namespace {

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warning", "error"};
constexpr std::string_view kRedacted = "[redacted]";
constexpr std::size_t kTextMax = 8192;  // of one value; the rest is cut and said so

std::string_view name(Level level) { return kLevelNames.at(static_cast<std::size_t>(level)); }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool token_character(char c) {
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
           std::string_view("-._~+/=").contains(c);
}

// Where a secret begins at or after `from`: its own text, after "Bearer " and the like.
struct Found {
    std::size_t begin = std::string_view::npos;
    std::size_t end = 0;
};

Found find_secret(
    std::string_view text, std::size_t from, std::string_view mark, std::size_t length_min
) {
    const auto found = std::search(
        text.begin() + static_cast<std::ptrdiff_t>(from), text.end(), mark.begin(), mark.end(),
        [](char a, char b) { return lower(a) == b; }
    );
    if (found == text.end()) return {};
    const auto begin = static_cast<std::size_t>(found - text.begin());
    std::size_t end = begin + mark.size();
    while (end < text.size() && token_character(text[end])) ++end;
    const bool at_word = begin == 0 || !token_character(text[begin - 1]) || text[begin - 1] == '=';
    if (!at_word || end - begin - mark.size() < length_min)
        return find_secret(text, begin + 1, mark, length_min);
    return {begin, end};
}

// Escapes for JSON; bytes that are not UTF-8 become U+FFFD, so that a line is always valid.
void append_escaped(std::string& out, std::string_view text);

std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF && continues(1)) return 2;
    if (first >= 0xE0 && first <= 0xEF && continues(1) && continues(2)) {
        const bool overlong = first == 0xE0 && byte(1) < 0xA0;
        const bool surrogate = first == 0xED && byte(1) > 0x9F;
        return overlong || surrogate ? 0 : 3;
    }
    if (first >= 0xF0 && first <= 0xF4 && continues(1) && continues(2) && continues(3)) {
        const bool out_of_range =
            (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F);
        return out_of_range ? 0 : 4;
    }
    return 0;
}

void append_escaped(std::string& out, std::string_view text) {
    while (!text.empty()) {
        const char c = text.front();
        const std::size_t length = utf8_length(text);
        if (c == '"' || c == '\\')
            out.append(1, '\\').append(1, c);
        else if (c == '\n')
            out += "\\n";
        else if (static_cast<unsigned char>(c) < 0x20)
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
        else if (length == 0)
            out += "\\ufffd";
        else
            out.append(text.substr(0, length));
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
}

void append_text(std::string& out, std::string_view text) {
    out += '"';
    append_escaped(out, redact(text.substr(0, kTextMax)));
    if (text.size() > kTextMax)
        fmt::format_to(std::back_inserter(out), " [{} bytes cut]", text.size() - kTextMax);
    out += '"';
}

void append_field(std::string& out, std::string_view key, const Field::Value& value) {
    out += ",\"";
    append_escaped(out, key);
    out += "\":";
    if (const auto* text = std::get_if<std::string_view>(&value)) {
        if (names_secret(key))
            append_text(out, kRedacted);
        else
            append_text(out, *text);
    } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
        fmt::format_to(std::back_inserter(out), "{}", *number);
    } else if (const auto* real = std::get_if<double>(&value)) {
        if (std::isfinite(*real))
            fmt::format_to(std::back_inserter(out), "{}", *real);
        else
            append_text(out, fmt::format("{}", *real));
    } else {
        out += std::get<bool>(value) ? "true" : "false";
    }
}

}  // namespace

struct Logger::Sink {
    std::shared_ptr<spdlog::logger> logger;
    std::atomic<Level> level = Level::info;
    SystemClock clock;
};

Result<Level> parse_level(std::string_view text) {
    const auto* found = std::ranges::find(kLevelNames, text);
    if (found == kLevelNames.end())
        return fail(
            ErrorCode::invalid_argument,
            fmt::format("'{}' is not a log level: debug, info, warning or error", text)
        );
    return static_cast<Level>(found - kLevelNames.begin());
}

Result<Logger> Logger::open(const LogOptions& options) {
    auto sink = std::make_shared<Sink>();
    try {
        std::shared_ptr<spdlog::sinks::sink> target;
        if (options.file.empty())
            target = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        else
            target = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file.string());
        sink->logger = std::make_shared<spdlog::logger>("penstock", std::move(target));
    } catch (const spdlog::spdlog_ex& error) {
        return fail(
            ErrorCode::invalid_argument,
            fmt::format(
                "the log file '{}' cannot be written: {}", options.file.string(), error.what()
            )
        );
    }
    sink->logger->set_pattern("%v");
    sink->logger->set_level(spdlog::level::trace);
    sink->logger->flush_on(spdlog::level::trace);
    sink->level = options.level;
    Logger logger;
    logger.sink_ = std::move(sink);
    return logger;
}

Logger Logger::component(std::string name) const {
    Logger copy = *this;
    copy.component_ = std::move(name);
    return copy;
}

Logger Logger::with(std::string_view key, std::string_view value) const {
    Logger copy = *this;
    append_field(copy.bound_, key, value);
    return copy;
}

bool Logger::enabled(Level level) const {
    return sink_ && level >= sink_->level.load(std::memory_order_relaxed);
}

void Logger::set_level(Level level) {
    if (sink_) sink_->level = level;
}

void Logger::error(std::string_view message, const Error& cause, Fields fields) const {
    if (!enabled(Level::error)) return;
    Logger with_cause =
        with("code", ::penstock::info(cause.code).name).with("cause", cause.message);
    with_cause.write(Level::error, message, fields);
}

void Logger::write(Level level, std::string_view message, Fields fields) const {
    if (!enabled(level)) return;
    std::string line = fmt::format(
        "{{\"time\":\"{}\",\"level\":\"{}\"", to_rfc3339(sink_->clock.now()), name(level)
    );
    if (!component_.empty()) append_field(line, "component", component_);
    append_field(line, "message", message);
    line += bound_;
    for (const Field& field : fields) append_field(line, field.key, field.value);
    line += '}';
    sink_->logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

std::string redact(std::string_view text) {
    // At least so many characters follow the mark: "sk-" alone is a word.
    constexpr std::size_t kKeyLengthMin = 8;
    constexpr std::size_t kTokenLengthMin = 4;
    std::string out;
    std::size_t at = 0;
    while (true) {
        const Found key = find_secret(text, at, "sk-", kKeyLengthMin);
        const Found bearer = find_secret(text, at, "bearer ", kTokenLengthMin);
        const Found basic = find_secret(text, at, "basic ", kKeyLengthMin * 2);
        const Found first = std::ranges::min({key, bearer, basic}, {}, &Found::begin);
        if (first.begin == std::string_view::npos) return out.append(text.substr(at));
        out.append(text.substr(at, first.begin - at)).append(kRedacted);
        at = first.end;
    }
}

bool names_secret(std::string_view key) {
    static constexpr std::array<std::string_view, 10> kWhole = {
        "authorization", "cookie", "set_cookie", "token",  "secret",
        "password",      "passwd", "api_key",    "apikey", "key",
    };
    static constexpr std::array<std::string_view, 6> kEndings = {
        "_token", "_secret", "_password", "_key", "_credential", "_credentials",
    };
    std::string lowered(key);
    std::ranges::transform(lowered, lowered.begin(), [](char c) {
        return c == '-' ? '_' : lower(c);
    });
    return std::ranges::find(kWhole, lowered) != kWhole.end() ||
           std::ranges::any_of(kEndings, [&](std::string_view ending) {
               return lowered.ends_with(ending);
           });
}

}  // namespace penstock::telemetry
