// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/human_text.h"
#include "cli/invocation.h"
#include "cli/json_path.h"
#include "cli/nouns.h"

namespace penstock::cli {
namespace {

std::int64_t integer_at(const json::Value& row, const std::string& path) {
    const json::Value* found = at_path(row, path);
    return found != nullptr && found->is_int64() ? found->get_int64() : 0;
}

// "1.5/2": what no attempt holds, of all.
std::string free_cpu_cell(const json::Value& row, const Look&) {
    const std::int64_t total = integer_at(row, "total.cpu_milli");
    return milli_text(total - integer_at(row, "held.cpu_milli")) + "/" + milli_text(total);
}
std::string free_memory_cell(const json::Value& row, const Look&) {
    constexpr std::int64_t kMib = 1024L * 1024;
    const std::int64_t total = integer_at(row, "total.memory_mib");
    return bytes_text((total - integer_at(row, "held.memory_mib")) * kMib) + "/" +
           bytes_text(total * kMib);
}
// "H100:6/8": free and all of each model.
std::string accelerator_cell(const json::Value& row, const Look&) {
    const json::Value* total = at_path(row, "total.accelerator_milli");
    if (total == nullptr || !total->is_object()) return {};
    std::string text;
    for (const auto& [model, count] : total->get_object()) {
        if (!count.is_int64()) continue;
        const std::int64_t held = integer_at(row, "held.accelerator_milli." + std::string(model));
        text += (text.empty() ? "" : ",") + std::string(model) + ":" +
                milli_text(count.get_int64() - held) + "/" + milli_text(count.get_int64());
    }
    return text;
}
std::string cordon_cell(const json::Value& row, const Look& look) {
    const bool cordoned = text_at(row, "cordoned") == "true";
    if (look.machine) return cordoned ? "true" : "false";
    return std::string(
        text(look.language, cordoned ? MessageKey("word.yes") : MessageKey("word.no"))
    );
}

const View& view() {
    static const View kView{
        .plural = "nodes",
        .singular = "node",
        .columns =
            {
                text_column("NAME", "name"),
                text_column("SITE", "site"),
                text_column("STATE", "state"),
                computed_column("ACCEL", accelerator_cell),
                computed_column("CPU-FREE/TOTAL", free_cpu_cell),
                computed_column("MEM-FREE/TOTAL", free_memory_cell),
                text_column("HEALTH", "health"),
                computed_column("CORDON", cordon_cell),
                wide(text_column("ID", "id")),
                wide(text_column("PROVIDER", "provider_id")),
                wide(text_column("ENFORCES", "enforces")),
                wide(text_column("CPU-MODEL", "cpu_model")),
                wide(text_column("CPU%", "load.cpu_percent")),
                wide(text_column("ATTEMPTS", "load.attempts_running")),
                wide(text_column("VERSION", "version")),
                wide(text_column("SIMULATED", "simulated")),
                age_column("LAST-SEEN", "last_seen_at"),
            },
        .id = "name",
    };
    return kView;
}

io::Task<Result<int>> list(Invocation* invocation) {
    co_return co_await print_list<NodePage>(invocation, "/v1/nodes", &view());
}

io::Task<Result<int>> get(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    const std::string name = CO_TRY(name_of(invocation->operand(0), "node"));
    co_return print_object(*invocation, view(), CO_TRY(co_await client->node(name)));
}

io::Task<Result<int>> cordon(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    for (const std::string& operand : invocation->arguments.operands) {
        const std::string name = CO_TRY(name_of(operand, "node"));
        CO_TRY(print_object(*invocation, view(), CO_TRY(co_await client->cordon_node(name))));
    }
    co_return kExitOk;
}

io::Task<Result<int>> uncordon(Invocation* invocation) {
    client::Client* client = CO_TRY(invocation->client());
    for (const std::string& operand : invocation->arguments.operands) {
        const std::string name = CO_TRY(name_of(operand, "node"));
        CO_TRY(print_object(*invocation, view(), CO_TRY(co_await client->uncordon_node(name))));
    }
    co_return kExitOk;
}

}  // namespace

std::vector<Command> node_commands() {
    const std::vector<Operand> several = {{.name = "NODE", .repeated = true}};
    return {
        {.path = "node list",
         .summary = "node.list.summary",
         .examples = {"penstock node list", "penstock node list -o wide"},
         .answer = Answer::list,
         .run = list},
        {.path = "node get",
         .summary = "node.get.summary",
         .examples = {"penstock node get node/gpu-3 -o yaml"},
         .operands = {{.name = "NODE"}},
         .run = get},
        {.path = "node cordon",
         .summary = "node.cordon.summary",
         .examples = {"penstock node cordon node/gpu-3"},
         .operands = several,
         .run = cordon},
        {.path = "node uncordon",
         .summary = "node.uncordon.summary",
         .examples = {"penstock node uncordon node/gpu-3"},
         .operands = several,
         .run = uncordon},
    };
}

}  // namespace penstock::cli
