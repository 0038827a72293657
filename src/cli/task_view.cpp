// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>

#include "cli/human_text.h"
#include "cli/json_path.h"
#include "cli/outcome.h"

namespace penstock::cli {
namespace {

// "cpu=2+,mem=1,H100:8": what was asked for, without spaces.
std::string resources_cell(const json::Value& row, const Look&) {
    std::string text;
    const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ",") + part; };
    const std::string cpus = text_at(row, "spec.resources.cpus");
    const std::string memory = text_at(row, "spec.resources.memory");
    if (!cpus.empty()) add("cpu=" + cpus);
    if (!memory.empty()) add("mem=" + memory);
    const json::Value* accelerators = at_path(row, "spec.resources.accelerators");
    if (accelerators == nullptr) return text;
    if (const json::Object* set = accelerators->if_object()) {
        std::string any;
        for (const auto& [name, count] : *set)
            any += (any.empty() ? "" : "|") + std::string(name) +
                   (count.is_null() ? "" : ":" + scalar_text(count));
        add(any);
    } else {
        add(scalar_text(*accelerators));
    }
    return text;
}

std::string elapsed_cell(const json::Value& row, const Look& look) {
    const Result<Time> from = parse_rfc3339(text_at(row, "started_at"));
    if (!from) return {};
    const Result<Time> to = parse_rfc3339(text_at(row, "ended_at"));
    const Duration span = to.value_or(look.now) - *from;
    return look.machine ? number_text(to_seconds(span), 3) : span_text(span);
}

std::string reason_cell(const json::Value& row, const Look&) {
    const std::string reason = text_at(row, "reason");
    return reason == "none" ? "" : reason;
}

std::string items_cell(const json::Value& row, const Look&) {
    return text_at(row, "items.succeeded") + "/" + text_at(row, "items.total");
}

std::string bytes_cell(const json::Value& row, const Look& look) {
    const json::Value* bytes = at_path(row, "bytes");
    if (bytes == nullptr || !bytes->is_int64()) return {};
    return look.machine ? scalar_text(*bytes) : bytes_text(bytes->get_int64());
}

}  // namespace

const View& task_view() {
    static const View kView{
        .plural = "tasks",
        .singular = "task",
        .columns =
            {
                text_column("ID", "id"),
                text_column("NAME", "name"),
                text_column("KIND", "kind"),
                text_column("STATE", "state"),
                computed_column("REASON", reason_cell),
                text_column("PROVIDER", "placement.provider"),
                text_column("REGION", "placement.region"),
                computed_column("RESOURCES", resources_cell),
                computed_column("ELAPSED", elapsed_cell),
                number_column("RECOV", "recoveries"),
                amount_column("COST", "cost"),
                wide(amount_column("HELD", "held")),
                wide(computed_column("ITEMS", items_cell)),
                wide(text_column("SITE", "placement.site")),
                wide(text_column("NODE", "placement.node")),
                wide(text_column("EXIT", "exit_code")),
                wide(text_column("DOMAIN", "fault_domain")),
                wide(text_column("C-URL", "service.c_url")),
                wide(text_column("SIMULATED", "simulated")),
                age_column("AGE", "created_at"),
            },
    };
    return kView;
}

const View& output_view() {
    static const View kView{
        .plural = "outputs",
        .singular = "output",
        .columns =
            {
                text_column("PATH", "path"),
                {.name = "SIZE", .cell = bytes_cell, .align = Align::right},
                text_column("SHA256", "sha256"),
                number_column("ITEM", "item"),
            },
        .id = "path",
    };
    return kView;
}

}  // namespace penstock::cli
