// SPDX-License-Identifier: Apache-2.0
#include "cli/sim_cluster.h"

#include <charconv>

#include "cli/sim.h"

namespace penstock::cli {
namespace {

Result<double> number_above(std::string_view flag, const std::string& text, double max) {
    double number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end || !(number > 0 && number <= max))
        return fail_field(
            ErrorCode::invalid_argument, "--" + std::string(flag),
            "'" + text + "' is no number above 0 and up to " + std::to_string(max)
        );
    return number;
}

}  // namespace

Result<std::string> needed_flag(const Arguments& arguments, std::string_view flag) {
    std::string value = arguments.value_or(flag, "");
    if (value.empty())
        return fail_field(
            ErrorCode::invalid_argument, "--" + std::string(flag), "is needed; see --help"
        );
    return value;
}

Result<std::int64_t> integer_in(
    const Arguments& arguments, std::string_view flag, std::int64_t otherwise, std::int64_t max
) {
    const std::int64_t number = TRY(integer_flag(arguments, flag)).value_or(otherwise);
    if (number < 1 || number > max)
        return fail_field(
            ErrorCode::invalid_argument, "--" + std::string(flag),
            std::to_string(number) + " is not from 1 to " + std::to_string(max)
        );
    return number;
}

Result<double> number_in(
    const Arguments& arguments, std::string_view flag, double otherwise, double max
) {
    const std::optional<std::string> text = arguments.value(flag);
    if (!text) return otherwise;
    return number_above(flag, *text, max);
}

std::vector<std::string> names_in(std::string_view list) {
    std::vector<std::string> names;
    while (!list.empty()) {
        const std::string_view name = list.substr(0, list.find(','));
        if (!name.empty()) names.emplace_back(name);
        list.remove_prefix(std::min(list.size(), name.size() + 1));
    }
    return names;
}

Result<std::vector<double>> numbers_in(
    const Arguments& arguments, std::string_view flag, const std::string& otherwise, double max
) {
    std::vector<double> numbers;
    for (const std::string& text : names_in(arguments.value_or(flag, otherwise)))
        numbers.push_back(TRY(number_above(flag, text, max)));
    return numbers;
}

Result<sim::ClusterTrace> read_cluster_flag(const Invocation& invocation) {
    const std::string file = TRY(needed_flag(invocation.arguments, "nodes"));
    return sim::read_cluster(TRY(sim::Csv::read(sim_path(invocation, file))));
}

Result<placement::PowerTable> power_flag(
    const Invocation& invocation, const sim::ModelNames& models
) {
    const std::string file = invocation.arguments.value_or("power", "");
    if (!file.empty()) {
        const sim::Csv csv = TRY(sim::Csv::read(sim_path(invocation, file)));
        return TRY(sim::read_power(csv)).table_for(models);
    }
    const sim::Csv csv = TRY(sim::Csv::parse(sim::power_csv(), "built-in power list"));
    Result<placement::PowerTable> table = TRY(sim::read_power(csv)).table_for(models);
    if (table) return table;
    invocation.say("sim.no_power", table.error().message);
    return placement::PowerTable{};
}

}  // namespace penstock::cli
