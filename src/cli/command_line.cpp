// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ranges>

#include "cli/suggestion.h"

namespace penstock::cli {
namespace {

using Parsed = std::variant<CommandLine, HelpWanted, UsageError>;

const Flag* find_flag(const std::vector<Flag>& flags, std::string_view word) {
    const std::string_view name = word.substr(0, word.find('='));
    const auto found = std::ranges::find_if(flags, [&](const Flag& flag) {
        return name == "--" + std::string(flag.name) ||
               (flag.letter != 0 && name == std::string{'-', flag.letter});
    });
    return found == flags.end() ? nullptr : &*found;
}

const Noun* find_noun(std::string_view word) {
    const auto found = std::ranges::find_if(nouns(), [&](const Noun& noun) {
        return noun.name == word || (!noun.alias.empty() && noun.alias == word);
    });
    return found == nouns().end() ? nullptr : &*found;
}

std::vector<std::string> verbs_of(std::string_view noun) {
    std::vector<std::string> verbs;
    for (const Command& command : commands())
        if (command.path.starts_with(std::string(noun) + " "))
            verbs.emplace_back(command.path.substr(noun.size() + 1));
    return verbs;
}

std::vector<std::string> first_words() {
    std::vector<std::string> words{"help"};
    for (const Noun& noun : nouns()) words.emplace_back(noun.name);
    for (const Command& command : commands())
        if (!command.path.contains(' ') && !command.path.starts_with("__"))
            words.emplace_back(command.path);
    return words;
}

std::string suggestion(
    Language language, std::string_view word, const std::vector<std::string>& known
) {
    const std::string meant = nearest(word, known);
    return meant.empty() ? "" : " " + format(language, "usage.meant", meant);
}

// The words that name the command are taken out of `words`; what is left are its flags and
// operands.
struct Search {
    Language language;
    std::vector<std::string> words;

    // The first word that is no global flag (nor the value of one), from `at` on.
    std::size_t next_plain(std::size_t at) const {
        while (at < words.size() && words[at].starts_with("-")) {
            const Flag* flag = find_flag(global_flags(), words[at]);
            at += flag != nullptr && !flag->value.empty() && !words[at].contains('=') ? 2 : 1;
        }
        return at;
    }
    std::string take(std::size_t at) {
        std::string word = words[at];
        words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
        return word;
    }
};

std::variant<const Command*, HelpWanted, UsageError> find(Search& search) {
    const std::size_t at = search.next_plain(0);
    if (at >= search.words.size()) return HelpWanted{};
    std::string word = search.take(at);
    if (word == "help") {
        std::string path;
        for (const std::string& rest : search.words)
            if (!rest.starts_with("-")) path += (path.empty() ? "" : " ") + rest;
        return HelpWanted{path};
    }
    if (const Command* command = find_command(word)) return command;
    const Noun* noun = find_noun(word);
    if (noun == nullptr)
        return UsageError{
            format(search.language, "usage.unknown_command", word) +
                suggestion(search.language, word, first_words()),
            ""
        };
    const std::string name(noun->name);
    const std::size_t verb_at = search.next_plain(at);
    if (verb_at >= search.words.size()) return HelpWanted{name};
    const std::string verb = search.take(verb_at);
    if (const Command* command = find_command(name + " " + verb)) return command;
    // What shows one of a noun goes by two words; help and completion name the first.
    if (verb == "show")
        if (const Command* command = find_command(name + " get")) return command;
    return UsageError{
        format(search.language, "usage.unknown_verb", name, verb) +
            suggestion(search.language, verb, verbs_of(name)),
        name
    };
}

// Everything CLI11 needs to fill for one command.
struct Slots {
    std::map<std::string, std::vector<std::string>> values;
    std::map<std::string, int> switches;
    std::vector<std::string> operands;
};

void declare(CLI::App& app, const std::vector<Flag>& flags, Slots& slots) {
    app.set_help_flag();
    app.allow_extras();
    for (const Flag& flag : flags) {
        const std::string name(flag.name);
        const std::string spelling =
            (flag.letter != 0 ? std::string{'-', flag.letter} + "," : "") + "--" + name;
        if (flag.value.empty()) {
            app.add_flag(spelling, slots.switches[name]);
            continue;
        }
        CLI::Option* option = app.add_option(spelling, slots.values[name]);
        option->allow_extra_args(false);
        option->multi_option_policy(
            flag.repeated ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::TakeLast
        );
    }
    app.add_option("OPERANDS", slots.operands)->expected(0, 1'000'000);
}

std::string operand_usage(const Command& command) {
    std::string text;
    for (const Operand& operand : command.operands) {
        const std::string name = std::string(operand.name) + (operand.repeated ? "…" : "");
        text += (text.empty() ? "" : " ") + (operand.required ? name : "[" + name + "]");
    }
    return text;
}

// Empty when the operands fit.
std::string wrong_operands(const Command& command, const Arguments& arguments, Language language) {
    const auto& given = arguments.operands;
    std::size_t least = 0;
    for (const Operand& operand : command.operands) least += operand.required ? 1 : 0;
    if (given.size() < least)
        return format(
            language, "usage.missing_operand", command.operands[given.size()].name, command.path,
            operand_usage(command)
        );
    const bool open = !command.operands.empty() && command.operands.back().repeated;
    if (!open && given.size() > command.operands.size())
        return format(
            language, "usage.extra_operand", given[command.operands.size()], command.path
        );
    if (!command.tail && !arguments.tail.empty())
        return format(language, "usage.extra_operand", arguments.tail.front(), command.path);
    return {};
}

// Empty when every value of a flag with choices is one of them. A choice like "state=STATE" is a
// pattern: who reads the flag checks it.
std::string wrong_choice(
    const std::vector<Flag>& flags, const Arguments& arguments, Language language
) {
    for (const Flag& flag : flags) {
        if (flag.choices.empty() || flag.choices.contains('=')) continue;
        std::vector<std::string> known;
        for (const auto word : std::views::split(flag.choices, '|'))
            known.emplace_back(word.begin(), word.end());
        const std::string name(flag.name);
        for (const std::string& value : arguments.values(name))
            if (std::ranges::find(known, value) == known.end())
                return format(language, "usage.bad_choice", name, value, flag.choices) +
                       suggestion(language, value, known);
    }
    return {};
}

Parsed sort_words(
    const Command& command, std::vector<std::string> words, Arguments arguments, Language language
) {
    const std::vector<Flag> flags = all_flags(command);
    const std::string path(command.path);
    CLI::App app;
    Slots slots;
    declare(app, flags, slots);
    std::ranges::reverse(words);
    try {
        app.parse(words);
    } catch (const CLI::ParseError& error) {
        return UsageError{error.what(), path};
    }
    std::vector<std::string> names;
    for (const Flag& flag : flags) names.push_back("--" + std::string(flag.name));
    for (const std::string& extra : app.remaining()) {
        const std::string name = extra.substr(0, extra.find('='));
        return UsageError{
            format(language, "usage.unknown_flag", name, path) + suggestion(language, name, names),
            path
        };
    }
    for (auto& [name, values] : slots.values)
        if (!values.empty()) arguments.flags[name] = std::move(values);
    for (const auto& [name, count] : slots.switches)
        if (count > 0)
            arguments.flags[name] = std::vector<std::string>(static_cast<std::size_t>(count));
    arguments.operands = std::move(slots.operands);
    std::string wrong = wrong_choice(flags, arguments, language);
    if (wrong.empty()) wrong = wrong_operands(command, arguments, language);
    if (!wrong.empty()) return UsageError{std::move(wrong), path};
    return CommandLine{&command, std::move(arguments)};
}

}  // namespace

Parsed parse_command_line(const std::vector<std::string>& words, Language language) {
    Arguments arguments;
    Search search{language, {}};
    const auto dashes = std::ranges::find(words, "--");
    search.words.assign(words.begin(), dashes);
    if (dashes != words.end()) arguments.tail.assign(dashes + 1, words.end());

    const bool help = std::ranges::any_of(search.words, [](const std::string& word) {
        return word == "--help" || word == "-h";
    });
    std::erase_if(search.words, [](const std::string& word) {
        return word == "--help" || word == "-h";
    });
    if (!search.words.empty() && search.words.front() == "--version")
        search.words.front() = "version";
    auto found = find(search);
    if (auto* wanted = std::get_if<HelpWanted>(&found)) return *wanted;
    if (auto* error = std::get_if<UsageError>(&found)) return *error;
    const Command& command = *std::get<const Command*>(found);
    if (help) return HelpWanted{std::string(command.path)};
    return sort_words(command, std::move(search.words), std::move(arguments), language);
}

bool is_command_word(std::string_view word) {
    if (word == "help" || word == "--help" || word == "-h" || word == "--version") return true;
    if (word.starts_with("-")) return find_flag(global_flags(), word) != nullptr;
    return find_noun(word) != nullptr || find_command(word) != nullptr;
}

}  // namespace penstock::cli
