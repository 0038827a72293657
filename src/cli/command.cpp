// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <algorithm>

#include "cli/event.h"
#include "cli/nouns.h"
#include "cli/run.h"
#include "cli/task.h"

namespace penstock::cli {

const std::vector<Command>& commands() {
    static const std::vector<Command> kCommands = [] {
        std::vector<Command> all;
        for (const auto& make :
             {run_commands,     task_commands,     log_commands,       wait_commands,
              explain_commands, output_commands,   profile_commands,   offer_commands,
              node_commands,    site_commands,     key_commands,       wallet_commands,
              bill_commands,    identity_commands, model_commands,     endpoint_commands,
              gateway_commands, batch_commands,    file_commands,      organisation_commands,
              event_commands,   context_commands,  spec_commands,      sim_commands,
              doctor_commands,  version_commands,  completion_commands}) {
            std::vector<Command> some = make();
            std::ranges::move(some, std::back_inserter(all));
        }
        return all;
    }();
    return kCommands;
}

const std::vector<Noun>& nouns() {
    static const std::vector<Noun> kNouns = {
        {"task", "", "noun.task"},         {"node", "", "noun.node"},
        {"site", "provider", "noun.site"}, {"offer", "", "noun.offer"},
        {"key", "", "noun.key"},           {"wallet", "", "noun.wallet"},
        {"bill", "", "noun.bill"},         {"identity", "", "noun.identity"},
        {"model", "", "noun.model"},       {"endpoint", "", "noun.endpoint"},
        {"gateway", "", "noun.gateway"},   {"batch", "", "noun.batch"},
        {"file", "", "noun.file"},         {"organisation", "", "noun.organisation"},
        {"project", "", "noun.project"},   {"event", "", "noun.event"},
        {"context", "", "noun.context"},   {"config", "", "noun.config"},
        {"spec", "", "noun.spec"},         {"sim", "", "noun.sim"},
    };
    return kNouns;
}

const std::vector<Flag>& global_flags() {
    static const std::vector<Flag> kFlags = {
        {.name = "context", .value = "NAME", .help = "flag.context"},
        {.name = "endpoint", .value = "URL", .help = "flag.endpoint"},
        {.name = "project", .value = "NAME", .help = "flag.project"},
        {.name = "lang", .value = "LANG", .help = "flag.lang", .choices = "en|zh"},
        {.name = "no-input", .help = "flag.no_input"},
        {.name = "quiet", .letter = 'q', .help = "flag.quiet"},
        {.name = "verbose", .letter = 'v', .help = "flag.verbose"},
        {.name = "help", .letter = 'h', .help = "flag.help"},
    };
    return kFlags;
}

const std::vector<Flag>& output_flags() {
    static const std::vector<Flag> kFlags = {
        {.name = "output",
         .letter = 'o',
         .value = "FORMAT",
         .help = "flag.output",
         .choices = "table|wide|json|jsonl|yaml|name|csv"},
        {.name = "json", .help = "flag.json"},
        {.name = "jq", .value = "FILTER", .help = "flag.jq"},
        {.name = "columns", .value = "A,B,…", .help = "flag.columns"},
        {.name = "no-header", .help = "flag.no_header"},
    };
    return kFlags;
}

const std::vector<Flag>& list_flags() {
    static const std::vector<Flag> kFlags = {
        {.name = "filter", .value = "EXPRESSION", .help = "flag.filter"},
        {.name = "sort", .value = "'FIELD [desc]'", .help = "flag.sort"},
        {.name = "limit", .value = "N", .help = "flag.limit"},
        {.name = "all", .help = "flag.all"},
    };
    return kFlags;
}

std::vector<Flag> all_flags(const Command& command) {
    std::vector<Flag> flags = command.flags;
    const auto append = [&](const std::vector<Flag>& more) {
        flags.insert(flags.end(), more.begin(), more.end());
    };
    if (command.answer == Answer::list) append(list_flags());
    if (command.answer != Answer::none) append(output_flags());
    append(global_flags());
    return flags;
}

const Command* find_command(std::string_view path) {
    const auto& all = commands();
    const auto found = std::ranges::find(all, path, &Command::path);
    return found == all.end() ? nullptr : &*found;
}

}  // namespace penstock::cli
