// SPDX-License-Identifier: Apache-2.0
#include "sim/hourly.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace penstock::sim {
namespace {

constexpr double kValueMax = 1e9;
constexpr std::size_t kDateAndTime = 19;  // "2024-01-01 00:00:00"

Result<Time> time_at(const Csv& csv, std::size_t row) {
    std::string text = csv.text(row, 0);
    if (text.size() >= kDateAndTime && text[10] == ' ') text[10] = 'T';
    if (text.size() == kDateAndTime) text += 'Z';
    const Result<Time> time = parse_rfc3339(text);
    if (!time) return csv.wrong(row, 0, "'" + csv.text(row, 0) + "' is no time");
    return *time;
}

Result<std::size_t> value_column(const Csv& csv, const std::string& name) {
    if (!name.empty()) return csv.column(name);
    if (csv.columns().size() == 2) return 1;
    return fail(
        ErrorCode::invalid_argument,
        fmt::format(
            "{}: which column has the value is not clear; there are {}", csv.name(),
            fmt::join(csv.columns(), ", ")
        )
    );
}

}  // namespace

Result<scheduler::HourlySeries> read_hourly(
    const Csv& csv, const std::string& column, double factor
) {
    const std::size_t value = TRY(value_column(csv, column));
    if (csv.rows() == 0) return fail(ErrorCode::invalid_argument, csv.name() + ": no hours");
    const Time from = TRY(time_at(csv, 0));
    std::vector<double> values;
    values.reserve(csv.rows());
    for (std::size_t row = 0; row < csv.rows(); ++row) {
        if (TRY(time_at(csv, row)) != from + std::chrono::hours(row))
            return csv.wrong(row, 0, "is not an hour after the row before");
        values.push_back(factor * TRY(csv.number(row, value, -kValueMax, kValueMax)));
    }
    return scheduler::HourlySeries(from, values);
}

}  // namespace penstock::sim
