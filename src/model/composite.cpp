// SPDX-License-Identifier: Apache-2.0
#include "model/composite.h"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "model/quantity_codec.h"

JSON_INSTANTIATE(penstock::CompositeSpec);
JSON_INSTANTIATE(penstock::CompositePlan);
JSON_INSTANTIATE(penstock::Composite);

namespace penstock {
namespace {

using Mistakes = std::vector<Error>;

void add(Mistakes& mistakes, std::string field, std::string message) {
    mistakes.push_back({ErrorCode::invalid_argument, std::move(message), std::move(field)});
}

std::string part_path(std::size_t i) { return "parts[" + std::to_string(i) + "]"; }

// What is said of the whole, with the parts left out.
CompositeSpec read_frame(const json::Value& document, Mistakes& mistakes) {
    json::Value frame = document;
    if (frame.is_object()) frame.as_object().erase("parts");
    std::expected<CompositeSpec, Mistakes> read = json::decode_all<CompositeSpec>(frame);
    if (read) return *std::move(read);
    mistakes = std::move(read.error());
    return {};
}

void read_parts(const json::Value& document, CompositeSpec& spec, Mistakes& mistakes) {
    const json::Value* parts =
        document.is_object() ? document.as_object().if_contains("parts") : nullptr;
    if (parts == nullptr || !parts->is_array() || parts->as_array().size() < 2 ||
        parts->as_array().size() > kPartsMax)
        return add(
            mistakes, "parts", "must be a list of 2 to 16 tasks, each with a `name` of its own"
        );
    for (const json::Value& part : parts->as_array()) {
        std::expected<TaskSpec, Mistakes> read = parse_task_spec(part);
        if (read) {
            spec.parts.push_back(*std::move(read));
            continue;
        }
        const std::string at = part_path(spec.parts.size());
        for (Error& error : read.error())
            add(mistakes, error.field.empty() ? at : at + "." + error.field,
                std::move(error.message));
        spec.parts.emplace_back();
    }
}

// Parts that were named before may be taken from: so there is no circle.
void check_parts(const CompositeSpec& spec, Mistakes& mistakes) {
    std::set<std::string> before, all;
    for (const TaskSpec& part : spec.parts) all.insert(part.name);
    for (std::size_t i = 0; i < spec.parts.size(); ++i) {
        const TaskSpec& part = spec.parts[i];
        if (part.name.empty())
            add(mistakes, part_path(i) + ".name",
                "is missing: parts are named, so that others can take what they leave");
        else if (!before.insert(part.name).second)
            add(mistakes, part_path(i) + ".name",
                "'" + part.name + "' stands twice: give each part a name of its own");
        if (spec.name.size() + 1 + part.name.size() > kNameLengthMax)
            add(mistakes, part_path(i) + ".name",
                "with the name of the composite it has more than 62 characters: shorten one");
        if (!part.inputs) continue;
        for (std::size_t k = 0; k < part.inputs->size(); ++k) {
            const std::string& from = (*part.inputs)[k].task;
            if (all.contains(from) && (!before.contains(from) || from == part.name))
                add(mistakes, part_path(i) + ".inputs[" + std::to_string(k) + "].task",
                    "'" + from + "' stands later: put the part that leaves something first");
        }
    }
}

}  // namespace

bool is_composite(const json::Value& document) {
    const json::Value* kind =
        document.is_object() ? document.as_object().if_contains("kind") : nullptr;
    return kind != nullptr && kind->is_string() && kind->as_string() == "Composite";
}

std::expected<CompositeSpec, Mistakes> parse_composite_spec(const json::Value& document) {
    Mistakes mistakes;
    CompositeSpec spec = read_frame(document, mistakes);
    if (spec.kind != "Composite")
        add(mistakes, "kind",
            "'" + spec.kind + "' is not Composite: submit a single task to /v1/tasks");
    if (spec.name.empty() ||
        spec.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-._") !=
            std::string::npos ||
        spec.name.front() == '-' || spec.name.front() == '.')
        add(mistakes, "name", "use 1 to 50 of a-z 0-9 - . _, starting with a letter or digit");
    read_parts(document, spec, mistakes);
    if (mistakes.empty()) check_parts(spec, mistakes);
    if (!mistakes.empty()) return std::unexpected(std::move(mistakes));
    return spec;
}

}  // namespace penstock
