// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"

#include <array>
#include <charconv>
#include <cstdlib>
#include <limits>

#include "base/fixed_text.h"

namespace penstock {
namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;

// Reads exactly `digits` decimal digits at `text[at]`; -1 when they are not there.
int read_digits(std::string_view text, std::size_t at, std::size_t digits) {
    if (at + digits > text.size()) return -1;
    int value = 0;
    for (std::size_t i = at; i < at + digits; ++i) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

// Writes the last `digits` decimal digits of the value, and tells where they end.
char* put_digits(char* to, std::int64_t value, int digits) {
    for (int i = digits; i-- > 0; value /= 10) to[i] = static_cast<char>('0' + value % 10);
    return to + digits;
}

std::unexpected<Error> bad_time(std::string_view text) {
    return fail(
        ErrorCode::invalid_argument, "'" + std::string(text) +
                                         "' is not a time: write it as 2026-12-01T08:00:00+08:00 "
                                         "(with an offset or Z)"
    );
}

std::unexpected<Error> bad_duration(std::string_view text) {
    return fail(
        ErrorCode::invalid_argument,
        "'" + std::string(text) + "' is not a duration: write it as 30s, 10m, 2h, 7d or 250ms"
    );
}

struct Unit {
    std::string_view name;
    std::int64_t us;
};
constexpr std::array kUnits = {
    Unit{"d", 86'400'000'000}, Unit{"h", 3'600'000'000}, Unit{"m", 60'000'000},
    Unit{"s", 1'000'000},      Unit{"ms", 1'000},        Unit{"us", 1},
};

}  // namespace

Time SystemClock::now() const {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

Duration SystemClock::monotonic() const {
    return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()
    );
}

// Written for every call of the gateway, so not with printf.
char* write_rfc3339(Time time, char* to) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::int64_t us = (time - day).count();
    const std::int64_t seconds = us / kMicrosPerSecond;
    const int year = static_cast<int>(date.year());
    char* at = to;
    if (year < 0) *at++ = '-';
    at = put_digits(at, std::abs(year), std::abs(year) > 9999 ? 5 : 4);
    *at++ = '-';
    at = put_digits(at, static_cast<unsigned>(date.month()), 2);
    *at++ = '-';
    at = put_digits(at, static_cast<unsigned>(date.day()), 2);
    *at++ = 'T';
    at = put_digits(at, seconds / 3600, 2);
    *at++ = ':';
    at = put_digits(at, seconds / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, seconds % 60, 2);
    if (const std::int64_t fraction = us % kMicrosPerSecond; fraction != 0) {
        *at++ = '.';
        at = put_digits(at, fraction, 6);
        while (at[-1] == '0') --at;
    }
    *at++ = 'Z';
    return at;
}

std::string to_rfc3339(Time time) {
    std::array<char, kRfc3339BytesMax> text;
    return {text.data(), write_rfc3339(time, text.data())};
}

Result<Time> parse_rfc3339(std::string_view text) {
    using namespace std::chrono;
    const int y = read_digits(text, 0, 4), mo = read_digits(text, 5, 2),
              d = read_digits(text, 8, 2);
    const int h = read_digits(text, 11, 2), mi = read_digits(text, 14, 2),
              s = read_digits(text, 17, 2);
    if (y < 0 || mo < 0 || d < 0 || h < 0 || mi < 0 || s < 0 || h > 23 || mi > 59 || s > 59)
        return bad_time(text);
    if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') ||
        text[13] != ':' || text[16] != ':')
        return bad_time(text);
    const year_month_day date{year(y), month(unsigned(mo)), day(unsigned(d))};
    if (!date.ok()) return bad_time(text);
    std::size_t at = 19;
    std::int64_t fraction_us = 0;
    if (at < text.size() && text[at] == '.') {
        std::int64_t scale = 100'000;
        const std::size_t first = ++at;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
            fraction_us += (text[at] - '0') * scale;
        if (at == first) return bad_time(text);
    }
    Duration offset{};
    if (at + 1 == text.size() && (text[at] == 'Z' || text[at] == 'z')) {
        offset = 0s;
    } else if (at + 6 == text.size() && (text[at] == '+' || text[at] == '-') &&
               text[at + 3] == ':') {
        const int oh = read_digits(text, at + 1, 2), om = read_digits(text, at + 4, 2);
        if (oh < 0 || om < 0 || oh > 23 || om > 59) return bad_time(text);
        offset = hours(oh) + minutes(om);
        if (text[at] == '-') offset = -offset;
    } else {
        return bad_time(text);
    }
    return Time(sys_days(date)) + hours(h) + minutes(mi) + seconds(s) + Duration(fraction_us) -
           offset;
}

Result<Duration> parse_duration(std::string_view text) {
    std::int64_t total = 0;
    std::string_view rest = text;
    if (rest.empty()) return bad_duration(text);
    while (!rest.empty()) {
        std::int64_t count = 0;
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
        if (error != std::errc() || count < 0) return bad_duration(text);
        rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        const std::size_t letters = std::min(rest.find_first_of("0123456789"), rest.size());
        const std::string_view name = rest.substr(0, letters);
        std::int64_t unit = 0;
        for (const Unit& candidate : kUnits)
            if (candidate.name == name) unit = candidate.us;
        std::int64_t part = 0;
        if (unit == 0 || __builtin_mul_overflow(count, unit, &part) ||
            __builtin_add_overflow(total, part, &total))
            return bad_duration(text);
        rest.remove_prefix(letters);
    }
    return Duration(total);
}

std::string to_string(Duration duration) {
    std::int64_t left = duration.count();
    if (left == 0) return "0s";
    std::string text = left < 0 ? "-" : "";
    left = left < 0 ? -left : left;
    for (const Unit& unit : kUnits) {
        if (const std::int64_t count = left / unit.us; count > 0) {
            text += std::to_string(count) + std::string(unit.name);
            left %= unit.us;
        }
    }
    return text;
}

}  // namespace penstock
