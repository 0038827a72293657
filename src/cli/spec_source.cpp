// SPDX-License-Identifier: Apache-2.0
#include "cli/spec_source.h"

#include <algorithm>
#include <boost/json.hpp>
#include <iostream>
#include <iterator>

#include "config/settings.h"

namespace penstock::cli {
namespace {

constexpr std::size_t kSpecBytesMax = 1024UL * 1024;

// The object at a path of keys, made where it is absent.
json::Object& object_at(json::Value& document, std::initializer_list<std::string_view> path) {
    json::Value* here = &document;
    if (!here->is_object()) *here = json::Object();
    for (const std::string_view key : path) {
        here = &here->as_object()[key];
        if (!here->is_object()) *here = json::Object();
    }
    return here->as_object();
}

Result<std::pair<std::string, std::string>> assignment(
    std::string_view flag, const std::string& text
) {
    const std::size_t at = text.find('=');
    if (at == std::string::npos || at == 0)
        return fail_field(
            ErrorCode::invalid_argument, "--" + std::string(flag),
            "'" + text + "' is not NAME=VALUE"
        );
    return std::pair(text.substr(0, at), text.substr(at + 1));
}

// "cost" or "cost=0.5,green=0.5".
Result<json::Value> optimize_value(const std::string& text) {
    if (!text.contains('=')) return json::Value(text);
    json::Object weights;
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::string part(rest.substr(0, rest.find(',')));
        rest.remove_prefix(std::min(rest.size(), part.size() + 1));
        const auto [name, number] = TRY(assignment("optimize", part));
        Result<json::Value> weight = json::parse_value(number);
        if (!weight || !weight->is_number())
            return fail_field(
                ErrorCode::invalid_argument, "--optimize",
                "'" + number + "' is no number: write cost=0.5,green=0.5"
            );
        weights[name] = *std::move(weight);
    }
    return json::Value(std::move(weights));
}

Result<void> lay_resources(const Arguments& arguments, json::Value& document) {
    struct Place {
        std::string_view flag;
        std::string_view key;
    };
    for (const Place& place :
         {Place{"gpus", "accelerators"}, Place{"cpus", "cpus"}, Place{"memory", "memory"},
          Place{"max-price", "max_hourly_cost"}, Place{"infra", "infra"}})
        if (const auto value = arguments.value(place.flag))
            object_at(document, {"resources"})[place.key] = *value;
    return {};
}

Result<void> lay_flags(const Arguments& arguments, json::Value& document) {
    TRY(lay_resources(arguments, document));
    struct Place {
        std::string_view flag;
        std::string_view key;
    };
    for (const Place& place :
         {Place{"name", "name"}, Place{"kind", "kind"}, Place{"workdir", "workdir"},
          Place{"setup", "setup"}, Place{"deadline", "deadline"},
          Place{"time-limit", "time_limit"}})
        if (const auto value = arguments.value(place.flag))
            object_at(document, {})[place.key] = *value;
    if (const auto value = arguments.value("priority")) {
        Result<json::Value> number = json::parse_value(*value);
        if (!number || !number->is_int64())
            return fail_field(
                ErrorCode::invalid_argument, "--priority", "'" + *value + "' is no whole number"
            );
        object_at(document, {})["priority"] = *number;
    }
    for (const std::string& text : arguments.values("env")) {
        const auto [name, value] = TRY(assignment("env", text));
        object_at(document, {"envs"})[name] = value;
    }
    for (const std::string& text : arguments.values("label")) {
        const auto [name, value] = TRY(assignment("label", text));
        object_at(document, {"labels"})[name] = value;
    }
    for (const std::string& text : arguments.values("array")) {
        const auto [name, value] = TRY(assignment("array", text));
        object_at(document, {"array", "params"})[name] = value;
    }
    for (const std::string& pattern : arguments.values("collect")) {
        json::Value& outputs = object_at(document, {})["outputs"];
        if (!outputs.is_array()) outputs = json::Array();
        outputs.as_array().push_back(json::Object{{"path", pattern}});
    }
    if (const auto value = arguments.value("optimize"))
        object_at(document, {"placement"})["optimize"] = TRY(optimize_value(*value));
    for (const std::string& site : arguments.values("site")) {
        json::Value& sites = object_at(document, {"placement", "constraints"})["sites"];
        if (!sites.is_array()) sites = json::Array();
        sites.as_array().push_back(json::Value(site));
    }
    if (const auto value = arguments.value("budget"))
        object_at(document, {"budget"})["max_total"] = *value;
    if (!arguments.tail.empty()) object_at(document, {})["run"] = shell_line(arguments.tail);
    return {};
}

struct Reading {
    std::vector<Draft> drafts;
    std::string mistakes;
    void add(const std::vector<Error>& errors) {
        if (!mistakes.empty()) mistakes += '\n';
        mistakes += config::render(errors);
    }
};

Result<std::string> read_source(
    const std::string& name, const std::filesystem::path& working_folder, std::istream& in
) {
    if (name == "-") return std::string(std::istreambuf_iterator<char>(in), {});
    return config::read_file(working_folder / name, kSpecBytesMax);
}

Result<void> read_one(
    const std::string& name, std::string_view content, std::filesystem::path folder,
    const Arguments& arguments, Reading& reading
) {
    yaml::Lines lines;
    json::Value document = json::Object();
    if (!content.empty()) {
        Result<yaml::Document> parsed = yaml::Document::parse(content);
        if (!parsed) {
            reading.add(config::locate({std::move(parsed.error())}, name, lines));
            return {};
        }
        lines = parsed->lines();
        document = parsed->value();
    }
    TRY(lay_flags(arguments, document));
    std::expected<TaskSpec, std::vector<Error>> spec = parse_task_spec(document);
    if (spec)
        reading.drafts.push_back({name, std::move(folder), *std::move(spec)});
    else
        reading.add(config::locate(std::move(spec.error()), name, lines));
    return {};
}

std::string quoted_word(const std::string& word) {
    constexpr std::string_view kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+";
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
    std::string out = "'";
    for (const char c : word) {
        if (c == '\'')
            out += "'\\''";
        else
            out += c;
    }
    return out + "'";
}

}  // namespace

Result<std::vector<Draft>> read_drafts(
    const Arguments& arguments, const std::filesystem::path& working_folder,
    std::istream& standard_input
) {
    std::vector<std::string> files = arguments.values("file");
    // A file may also stand as an operand: `penstock run task.yaml`.
    files.insert(files.end(), arguments.operands.begin(), arguments.operands.end());
    if (files.empty() && arguments.tail.empty())
        return fail(
            ErrorCode::invalid_argument,
            "nothing to run: name a file with -f task.yaml, or write the command behind --, for "
            "instance "
            "penstock run --cpus 2 -- python3 train.py"
        );
    if (files.size() > kSpecFilesMax)
        return fail(ErrorCode::resource_exhausted, "more than 1000 files at once: use an array");
    Reading reading;
    if (files.empty()) TRY(read_one("command line", "", working_folder, arguments, reading));
    for (const std::string& name : files) {
        const std::string content = TRY(read_source(name, working_folder, standard_input));
        const std::filesystem::path folder =
            name == "-" ? working_folder : (working_folder / name).parent_path();
        TRY(read_one(name, content, folder, arguments, reading));
    }
    if (!reading.mistakes.empty()) return fail(ErrorCode::invalid_argument, reading.mistakes);
    return std::move(reading.drafts);
}

std::expected<TaskSpec, std::vector<Error>> read_spec_text(
    const std::string& content, const std::string& name
) {
    const Result<yaml::Document> document = yaml::Document::parse(content);
    if (!document) return std::unexpected(config::locate({document.error()}, name, {}));
    std::expected<TaskSpec, std::vector<Error>> spec = parse_task_spec(document->value());
    if (!spec)
        return std::unexpected(config::locate(std::move(spec.error()), name, document->lines()));
    return spec;
}

std::string shell_line(const std::vector<std::string>& words) {
    if (words.size() == 1) return words.front();
    std::string line;
    for (const std::string& word : words) line += (line.empty() ? "" : " ") + quoted_word(word);
    return line;
}

const std::vector<Flag>& spec_flags() {
    static const std::vector<Flag> kFlags = {
        {.name = "file", .letter = 'f', .value = "FILE", .help = "flag.file", .repeated = true},
        {.name = "name", .value = "NAME", .help = "flag.name"},
        {.name = "kind", .value = "KIND", .help = "flag.kind", .choices = "Task|Service|Render"},
        {.name = "gpus", .value = "MODEL:N", .help = "flag.gpus"},
        {.name = "cpus", .value = "N[+]", .help = "flag.cpus"},
        {.name = "memory", .value = "GB[+]", .help = "flag.memory"},
        {.name = "max-price", .value = "YUAN", .help = "flag.max_price"},
        {.name = "budget", .value = "YUAN", .help = "flag.budget"},
        {.name = "optimize", .value = "GOAL", .help = "flag.optimize"},
        {.name = "infra", .value = "PROVIDER/REGION", .help = "flag.infra"},
        {.name = "site", .value = "SITE", .help = "flag.site", .repeated = true},
        {.name = "workdir", .value = "DIR", .help = "flag.workdir"},
        {.name = "setup", .value = "COMMAND", .help = "flag.setup"},
        {.name = "env", .letter = 'e', .value = "NAME=VALUE", .help = "flag.env", .repeated = true},
        {.name = "label", .value = "NAME=VALUE", .help = "flag.label", .repeated = true},
        {.name = "array", .value = "NAME=RANGE", .help = "flag.array", .repeated = true},
        {.name = "collect", .value = "PATTERN", .help = "flag.collect", .repeated = true},
        {.name = "time-limit", .value = "SPAN", .help = "flag.time_limit"},
        {.name = "deadline", .value = "TIME", .help = "flag.deadline"},
        {.name = "priority", .value = "N", .help = "flag.priority"},
    };
    return kFlags;
}

}  // namespace penstock::cli
