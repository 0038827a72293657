// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/command.h"

namespace penstock::cli {
namespace {

bool is_hidden(const Command& command) { return command.path.starts_with("__"); }

// What an operand names: a noun whose names can be asked for, "file", or nothing.
std::string completed_noun(const Command& command) {
    if (command.operands.empty()) return {};
    const std::string_view name = command.operands.front().name;
    if (name == "FILE") return "file";
    if (name == "TASK") return "task";
    if (name == "NODE") return "node";
    if (name == "SITE") return "site";
    if (name == "KEY") return "key";
    if (name == "ENDPOINT") return "endpoint";
    if (name == "GATEWAY") return "gateway";
    if (name == "CONTEXT") return "context";
    return {};
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

std::string flag_words(const Command& command) {
    std::vector<std::string> words;
    for (const Flag& flag : all_flags(command)) words.push_back("--" + std::string(flag.name));
    return joined(words);
}

std::string choice_words(std::string_view choices) {
    std::string words(choices);
    std::ranges::replace(words, '|', ' ');
    return words;
}

std::vector<std::string> first_words() {
    std::vector<std::string> words{"up", "server", "gateway", "agent", "help"};
    for (const Command& command : commands())
        if (!command.path.contains(' ') && !is_hidden(command)) words.emplace_back(command.path);
    for (const Noun& noun : nouns()) {
        words.emplace_back(noun.name);
        if (!noun.alias.empty()) words.emplace_back(noun.alias);
    }
    return words;
}

std::vector<std::string> verbs_of(std::string_view noun) {
    std::vector<std::string> verbs;
    for (const Command& command : commands())
        if (command.path.starts_with(std::string(noun) + " "))
            verbs.emplace_back(command.path.substr(noun.size() + 1));
    return verbs;
}

// Flags with a closed set of values, each once; the same name has the same values everywhere.
std::string bash_choices() {
    std::string cases;
    std::vector<std::string_view> seen;
    for (const Command& command : commands())
        for (const Flag& flag : all_flags(command)) {
            if (flag.choices.empty() || std::ranges::find(seen, flag.name) != seen.end()) continue;
            seen.push_back(flag.name);
            cases += "        --" + std::string(flag.name);
            if (flag.letter != 0) cases += std::string("|-") + flag.letter;
            cases += ") COMPREPLY=($(compgen -W '" + choice_words(flag.choices) +
                     "' -- \"$current\")); return ;;\n";
        }
    return cases;
}

std::string bash_script() {
    std::string out =
        "# bash completion for penstock\n"
        "_penstock() {\n"
        "    local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
        "    local first='' second='' word i\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        word=\"${COMP_WORDS[i]}\"\n"
        "        [[ $word == -* ]] && continue\n"
        "        if [[ -z $first ]]; then first=$word; elif [[ -z $second ]]; then second=$word; "
        "fi\n"
        "    done\n"
        "    case \"$previous\" in\n"
        "        -f|--file|--workdir|--download|--key-file|--ca-file|--api-key-file) "
        "COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n" +
        bash_choices() +
        "    esac\n"
        "    local flags='' operand='' verbs=''\n"
        "    case \"$first\" in\n"
        "        '') COMPREPLY=($(compgen -W '" +
        joined(first_words()) + "' -- \"$current\")); return ;;\n";
    for (const Noun& noun : nouns()) {
        const std::string label =
            std::string(noun.name) + (noun.alias.empty() ? "" : "|" + std::string(noun.alias));
        out += "        " + label + ") verbs='" + joined(verbs_of(noun.name)) +
               "'; first=" + std::string(noun.name) + " ;;\n";
    }
    out +=
        "    esac\n"
        "    if [[ -n $verbs && -z $second ]]; then\n"
        "        COMPREPLY=($(compgen -W \"$verbs\" -- \"$current\")); return\n"
        "    fi\n"
        "    [[ -n $verbs ]] && first=\"$first $second\"\n"
        "    case \"$first\" in\n";
    for (const Command& command : commands()) {
        if (is_hidden(command)) continue;
        out += "        '" + std::string(command.path) + "') flags='" + flag_words(command) +
               "'; operand='" + completed_noun(command) + "' ;;\n";
    }
    out +=
        "    esac\n"
        "    if [[ $current == -* ]]; then\n"
        "        COMPREPLY=($(compgen -W \"$flags\" -- \"$current\"))\n"
        "    elif [[ $operand == file ]]; then\n"
        "        COMPREPLY=($(compgen -f -- \"$current\"))\n"
        "    elif [[ -n $operand ]]; then\n"
        "        COMPREPLY=($(compgen -W \"$(penstock " +
        std::string(kCompleteCommand) +
        " \"$operand\" 2>/dev/null)\" -- \"$current\"))\n"
        "    fi\n"
        "}\n"
        "complete -o default -F _penstock penstock\n";
    return out;
}

std::string zsh_script() {
    return "#compdef penstock\n"
           "autoload -U +X compinit && compinit -u\n"
           "autoload -U +X bashcompinit && bashcompinit\n" +
           bash_script();
}

std::string fish_quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') out += '\\';
        out += c;
    }
    return out + "'";
}

std::string fish_script(Language language) {
    std::string out = "# fish completion for penstock\ncomplete -c penstock -f\n";
    const auto first = [&](std::string_view word, std::string_view what) {
        out += "complete -c penstock -n __fish_use_subcommand -a " + std::string(word) + " -d " +
               fish_quoted(what) + "\n";
    };
    for (const Noun& noun : nouns()) first(noun.name, text(language, noun.summary));
    for (const Command& command : commands()) {
        if (is_hidden(command)) continue;
        const std::string path(command.path);
        const std::size_t space = path.find(' ');
        std::string condition;
        if (space == std::string::npos) {
            first(path, text(language, command.summary));
            condition = "__fish_seen_subcommand_from " + path;
        } else {
            const std::string noun = path.substr(0, space);
            const std::string verb = path.substr(space + 1);
            out += fmt::format(
                "complete -c penstock -n '__fish_seen_subcommand_from {}; and not "
                "__fish_seen_subcommand_from {}' -a {} -d {}\n",
                noun, joined(verbs_of(noun)), verb, fish_quoted(text(language, command.summary))
            );
            condition = fmt::format(
                "__fish_seen_subcommand_from {}; and __fish_seen_subcommand_from {}", noun, verb
            );
        }
        for (const Flag& flag : all_flags(command)) {
            out += "complete -c penstock -n '" + condition + "' -l " + std::string(flag.name);
            if (flag.letter != 0) out += std::string(" -s ") + flag.letter;
            if (!flag.choices.empty())
                out += " -x -a '" + choice_words(flag.choices) + "'";
            else if (!flag.value.empty())
                out += " -r";
            out += " -d " + fish_quoted(text(language, flag.help)) + "\n";
        }
        const std::string noun = completed_noun(command);
        if (noun == "file")
            out += "complete -c penstock -n '" + condition + "' -F\n";
        else if (!noun.empty())
            out += fmt::format(
                "complete -c penstock -n '{}' -a '(penstock {} {} 2>/dev/null)'\n", condition,
                kCompleteCommand, noun
            );
    }
    return out;
}

}  // namespace

Result<std::string> completion_script(std::string_view shell, Language language) {
    if (shell == "bash") return bash_script();
    if (shell == "zsh") return zsh_script();
    if (shell == "fish") return fish_script(language);
    return fail_field(
        ErrorCode::invalid_argument, "SHELL",
        "'" + std::string(shell) + "' is not one of bash, zsh, fish"
    );
}

}  // namespace penstock::cli
