// SPDX-License-Identifier: Apache-2.0
#include "model/quantity.h"

#include <array>
#include <limits>

namespace penstock {
namespace {

constexpr std::int64_t kQuantityMax = std::int64_t{1} << 52;

struct Unit {
    std::string_view name;
    std::int64_t mib_num;
    std::int64_t mib_den;
};
constexpr std::array kUnits = {
    Unit{"KB", 1, 1024},        Unit{"MB", 1, 1},         Unit{"GB", 1024, 1},
    Unit{"TB", 1024 * 1024, 1}, Unit{"PB", 1LL << 30, 1},
};

// number = 1*DIGIT ["." 1*3DIGIT], in thousandths; the text after it goes to `rest`.
Result<std::int64_t> read_milli(
    std::string_view text, std::string_view& rest, std::string_view form
) {
    const auto bad = [&] {
        return fail(
            ErrorCode::invalid_argument,
            "'" + std::string(text) + "' is not understood: write " + std::string(form)
        );
    };
    std::int64_t value = 0;
    std::size_t at = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
        value = value * 10 + (text[at] - '0');
        if (value > kQuantityMax / 1000) return bad();
    }
    if (at == 0) return bad();
    value *= 1000;
    // "2..8": two points are a range, not a fraction.
    if (at + 1 < text.size() && text[at] == '.' && text[at + 1] != '.') {
        std::int64_t scale = 100;
        const std::size_t first = ++at;
        for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10) {
            if (scale == 0) return bad();
            value += (text[at] - '0') * scale;
        }
        if (at == first) return bad();
    }
    rest = text.substr(at);
    return value;
}

// range = value | value "+" | value ".." value, where `read` reads a value.
template <class Read>
Result<Range> parse_range(std::string_view text, std::string_view form, Read read) {
    std::string_view rest;
    const std::int64_t first = TRY(read(text, rest));
    if (rest.empty()) return Range{first, first};
    if (rest == "+") return Range{first, std::nullopt};
    if (!rest.starts_with(".."))
        return fail(
            ErrorCode::invalid_argument,
            "'" + std::string(text) + "' is not understood: write " + std::string(form)
        );
    rest.remove_prefix(2);
    std::string_view end;
    const std::int64_t second = TRY(read(rest, end));
    if (!end.empty() || second < first)
        return fail(
            ErrorCode::invalid_argument, "'" + std::string(text) +
                                             "' is not a range from low to high: write " +
                                             std::string(form)
        );
    return Range{first, second};
}

std::string print_milli(std::int64_t milli) {
    std::string text = std::to_string(milli / 1000);
    if (milli % 1000 == 0) return text;
    std::string fraction = std::to_string(1000 + milli % 1000).substr(1);
    while (fraction.back() == '0') fraction.pop_back();
    return text + "." + fraction;
}

std::string print_mib(std::int64_t mib) {
    if (mib % 1024 == 0) return std::to_string(mib / 1024) + "GB";
    return std::to_string(mib) + "MB";
}

template <class Print>
std::string print_range(const Range& range, Print print) {
    if (!range.max) return print(range.min) + "+";
    if (*range.max == range.min) return print(range.min);
    return print(range.min) + ".." + print(*range.max);
}

}  // namespace

Result<CpuRange> parse_cpu_range(std::string_view text) {
    constexpr std::string_view kForm = "4, 4+, 0.5 or 2..8";
    return CpuRange{TRY(parse_range(
        text, kForm,
        [&](std::string_view part, std::string_view& rest) { return read_milli(part, rest, kForm); }
    ))};
}

std::string to_string(const CpuRange& range) { return print_range(range, print_milli); }

Result<MemoryRange> parse_memory_range(std::string_view text) {
    constexpr std::string_view kForm = "16, 16+, 512MB, 1.5TB or 24GB..80GB (powers of two)";
    const auto read = [&](std::string_view part, std::string_view& rest) -> Result<std::int64_t> {
        const std::int64_t milli = TRY(read_milli(part, rest, kForm));
        Unit unit = kUnits[2];
        for (const Unit& candidate : kUnits)
            if (rest.starts_with(candidate.name)) {
                unit = candidate;
                rest.remove_prefix(candidate.name.size());
                break;
            }
        const __int128 mib = static_cast<__int128>(milli) * unit.mib_num / unit.mib_den / 1000;
        if (mib > kQuantityMax)
            return fail(ErrorCode::invalid_argument, "'" + std::string(part) + "' is too large");
        return static_cast<std::int64_t>(mib);
    };
    return MemoryRange{TRY(parse_range(text, kForm, read))};
}

std::string to_string(const MemoryRange& range) { return print_range(range, print_mib); }

Result<Accelerator> parse_accelerator(std::string_view text) {
    constexpr std::string_view kForm = "H100:8, H100 or A10:0.5";
    constexpr std::size_t kModelLengthMax = 32;
    const std::size_t colon = text.find(':');
    Accelerator accelerator;
    accelerator.model = std::string(text.substr(0, colon));
    const bool named = !accelerator.model.empty() && accelerator.model.size() <= kModelLengthMax &&
                       accelerator.model.find_first_not_of(
                           "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
                       ) == std::string::npos;
    std::string_view rest;
    if (named && colon != std::string_view::npos)
        accelerator.count_milli = TRY(read_milli(text.substr(colon + 1), rest, kForm));
    const bool whole_or_share =
        accelerator.count_milli > 0 &&
        (accelerator.count_milli < 1000 || accelerator.count_milli % 1000 == 0);
    if (!named || !rest.empty() || !whole_or_share)
        return fail(
            ErrorCode::invalid_argument,
            "'" + std::string(text) + "' is not an accelerator: write " + std::string(kForm) +
                " (a share is below one, more than one is whole)"
        );
    return accelerator;
}

std::string to_string(const Accelerator& accelerator) {
    return accelerator.model + ":" + print_milli(accelerator.count_milli);
}

}  // namespace penstock
