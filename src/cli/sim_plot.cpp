// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/sim.h"
#include "cli/sim_cluster.h"
#include "sim/plot.h"

namespace penstock::cli {
namespace {

// Offline: columns of a CSV file as lines of an SVG.
io::Task<Result<int>> plot(Invocation* invocation) {
    const Arguments& arguments = invocation->arguments;
    const std::string file = invocation->operand(0);
    const std::string target = arguments.value_or("plot", "plot.svg");
    const sim::Csv csv = CO_TRY(sim::Csv::read(sim_path(*invocation, file)));
    sim::LinePlot plot = CO_TRY(sim::plot_of(
        csv, {.x = arguments.value_or("x", ""), .y = names_in(arguments.value_or("y", ""))}
    ));
    plot.title = arguments.value_or("title", std::filesystem::path(file).filename().string());
    CO_TRY(write_sim_file(*invocation, target, CO_TRY(sim::render_svg(plot))));
    json::Array lines;
    for (const sim::Series& series : plot.series) lines.push_back(boost::json::string(series.name));
    const json::Object answer{{"plot", target}, {"lines", std::move(lines)}, {"rows", csv.rows()}};
    CO_TRY(invocation->printer.document(
        answer, format(invocation->language, "sim.plotted", target, plot.series.size()) + "\n"
    ));
    co_return kExitOk;
}

}  // namespace

Command sim_plot_command() {
    return {
        .path = "sim plot",
        .summary = "sim.plot.summary",
        .examples = {"penstock sim plot curve.csv --x asked_percent --y fgd,random --plot curve.svg"
        },
        .operands = {{.name = "FILE"}},
        .flags =
            {{.name = "x", .value = "COLUMN", .help = "flag.sim_x"},
             {.name = "y", .value = "COLUMN,…", .help = "flag.sim_y"},
             {.name = "title", .value = "TEXT", .help = "flag.sim_title"},
             {.name = "plot", .value = "FILE", .help = "flag.sim_plot"}},
        .run = plot,
    };
}

}  // namespace penstock::cli
