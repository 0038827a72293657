// SPDX-License-Identifier: Apache-2.0
#include "cli/site_outlook.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iterator>

#include "cli/human_text.h"
#include "cli/table.h"
#include "config/settings.h"
#include "sim/csv.h"

// A CSV has a heading and a row for each hour:
//   hour,carbon_g_per_kwh,power_price_per_kwh,price_percent
//   2026-11-24T08:00:00Z,512,0.35,100
// Of the last three any may be left out as a column, none in a row.
namespace penstock::cli {
namespace {

constexpr int kDecimals = 4;

Result<Time> hour_at(const sim::Csv& csv, std::size_t row, std::size_t column) {
    const Result<Time> hour = parse_rfc3339(csv.text(row, column));
    if (!hour)
        return csv.wrong(
            row, column, "'" + csv.text(row, column) + "' is no time: 2026-11-24T08:00:00Z"
        );
    return *hour;
}

Result<std::vector<double>> numbers_of(
    const sim::Csv& csv, std::string_view name, double least, double most
) {
    std::vector<double> values;
    const std::optional<std::size_t> column = csv.find_column(name);
    if (!column) return values;
    for (std::size_t row = 0; row < csv.rows(); ++row)
        values.push_back(TRY(csv.number(row, *column, least, most)));
    return values;
}

MessageKey key_of(OutlookState state) {
    switch (state) {
        case OutlookState::fresh:
            return "outlook.fresh";
        case OutlookState::stale:
            return "outlook.stale";
        case OutlookState::expired:
            break;
    }
    return "outlook.expired";
}

std::string header_line(const Invocation& invocation, const OutlookView& view) {
    return format(
        invocation.language, "outlook.header", "site/" + view.site,
        std::string(text(invocation.language, key_of(view.state))),
        age_text(std::chrono::seconds(view.age_seconds)),
        view.outlook.source.empty() ? "-" : view.outlook.source, to_rfc3339(view.until),
        to_rfc3339(view.stale_at)
    );
}

template <class T>
std::string cell_of(const std::vector<T>& values, std::size_t hour) {
    return values.empty() ? "" : number_text(static_cast<double>(values[hour]), kDecimals);
}

// Hours that are over are left out.
std::string lines_of(const Invocation& invocation, const OutlookView& view) {
    Table table(
        {{"HOUR"},
         {"CARBON-G/KWH", Align::right},
         {"POWER-PRICE/KWH", Align::right},
         {"PRICE-%", Align::right}}
    );
    const OutlookSpec& outlook = view.outlook;
    for (std::size_t hour = 0; hour < hours_of(outlook); ++hour) {
        const Time from = outlook.from + std::chrono::hours(hour);
        if (from + 1h <= invocation.clock.now()) continue;
        table.add(
            {to_rfc3339(from), cell_of(outlook.carbon_g_per_kwh, hour),
             cell_of(outlook.power_price_per_kwh, hour), cell_of(outlook.price_percent, hour)}
        );
    }
    return header_line(invocation, view) + "\n" + (table.empty() ? "" : table.render({}));
}

Result<OutlookSpec> read_outlook(const Invocation& invocation, const std::string& file) {
    std::string content;
    if (file == "-")
        content.assign(std::istreambuf_iterator<char>(invocation.terminal.in), {});
    else
        content = TRY(config::read_file(invocation.surroundings.working_folder / file));
    OutlookSpec spec;
    const std::size_t first = content.find_first_not_of(" \t\r\n");
    const bool document = file.ends_with(".json") || file.ends_with(".yaml") ||
                          file.ends_with(".yml") ||
                          (first != std::string::npos && content[first] == '{');
    if (document) {
        std::expected<OutlookSpec, std::vector<Error>> parsed =
            config::parse<OutlookSpec>(content, file);
        if (!parsed) return fail(ErrorCode::invalid_argument, config::render(parsed.error()));
        spec = *std::move(parsed);
    } else {
        spec = TRY(outlook_from_csv(content, file));
    }
    if (const auto source = invocation.arguments.value("source")) spec.source = *source;
    return spec;
}

io::Task<Result<int>> outlook(Invocation* invocation) {
    const std::string name = CO_TRY(name_of(invocation->operand(0), "site"));
    const std::optional<std::string> file = invocation->arguments.value("file");
    std::optional<OutlookSpec> spec;
    if (file) spec = CO_TRY(read_outlook(*invocation, *file));
    client::Client* client = CO_TRY(invocation->client());
    const OutlookView view = spec ? CO_TRY(co_await client->state_outlook(name, *spec))
                                  : CO_TRY(co_await client->outlook(name));
    CO_TRY(invocation->printer.document(json::encode(view), lines_of(*invocation, view)));
    co_return kExitOk;
}

}  // namespace

Result<OutlookSpec> outlook_from_csv(const std::string& text, const std::string& name) {
    const sim::Csv csv = TRY(sim::Csv::parse(text, name));
    const std::size_t hour = TRY(csv.column("hour"));
    for (const std::string& column : csv.columns())
        if (column != "hour" && column != "carbon_g_per_kwh" && column != "power_price_per_kwh" &&
            column != "price_percent")
            return fail_field(
                ErrorCode::invalid_argument, "--file",
                name + ": column '" + column +
                    "' is not one of hour, carbon_g_per_kwh, power_price_per_kwh, price_percent"
            );
    if (csv.rows() == 0)
        return fail_field(ErrorCode::invalid_argument, "--file", name + ": has no hours");
    OutlookSpec spec{.from = TRY(hour_at(csv, 0, hour))};
    for (std::size_t row = 1; row < csv.rows(); ++row)
        if (TRY(hour_at(csv, row, hour)) != spec.from + std::chrono::hours(row))
            return csv.wrong(row, hour, "is not an hour after the row before: leave no hour out");
    spec.carbon_g_per_kwh = TRY(numbers_of(csv, "carbon_g_per_kwh", 0, kCarbonPerKwhMax));
    spec.power_price_per_kwh =
        TRY(numbers_of(csv, "power_price_per_kwh", -kPowerPriceMax, kPowerPriceMax));
    if (const std::optional<std::size_t> percent = csv.find_column("price_percent"))
        for (std::size_t row = 0; row < csv.rows(); ++row)
            spec.price_percent.push_back(TRY(csv.integer(row, *percent, 1, 100)));
    return spec;
}

io::Task<void> say_outlook(Invocation* invocation, std::string site) {
    const Result<client::Client*> client = invocation->client();
    if (!client) co_return;
    const Result<OutlookView> view = co_await (*client)->outlook(site);
    if (view)
        invocation->terminal.say(header_line(*invocation, *view));
    else if (view.error().code == ErrorCode::not_found)
        invocation->say("outlook.none");
}

Command outlook_command() {
    return {
        .path = "site outlook",
        .summary = "site.outlook.summary",
        .examples =
            {"penstock site outlook site/centre",
             "penstock site outlook site/centre --file day-ahead.csv --source \"grid operator\""},
        .operands = {{.name = "SITE"}},
        .flags =
            {{.name = "file", .letter = 'f', .value = "FILE", .help = "flag.outlook_file"},
             {.name = "source", .value = "TEXT", .help = "flag.outlook_source"}},
        .run = outlook
    };
}

}  // namespace penstock::cli
