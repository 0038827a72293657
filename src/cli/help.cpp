// SPDX-License-Identifier: Apache-2.0
#include "cli/help.h"

#include <algorithm>

#include "cli/command.h"
#include "cli/text_width.h"

namespace penstock::cli {
namespace {

constexpr std::size_t kNameColumn = 12;
constexpr std::size_t kFlagColumn = 26;

std::string title(Language language, MessageKey key) {
    return std::string(text(language, key)) + "\n";
}

std::string entry(std::string_view name, std::string_view what, std::size_t width) {
    std::string line = "  " + pad_right(name, width);
    if (display_width(name) >= width) line += "  ";
    return line + std::string(what) + "\n";
}

std::string flag_entry(const Flag& flag, Language language) {
    std::string name = flag.letter != 0 ? std::string{'-', flag.letter} + ", " : "    ";
    name += "--" + std::string(flag.name);
    if (!flag.value.empty())
        name += " " + std::string(flag.choices.empty() ? flag.value : flag.choices);
    return entry(name, text(language, flag.help), kFlagColumn);
}

std::string usage_line(const Command& command) {
    std::string line = "  penstock " + std::string(command.path);
    for (const Operand& operand : command.operands) {
        const std::string name = std::string(operand.name) + (operand.repeated ? "…" : "");
        line += " " + (operand.required ? name : "[" + name + "]");
    }
    line += " [flags]";
    if (command.tail) line += " [-- COMMAND…]";
    return line + "\n";
}

std::string program_help(Language language) {
    std::string out =
        std::string(text(language, "help.program")) + "\n\n" + title(language, "help.examples");
    for (const std::string_view example :
         {"penstock up", "penstock run --cpus 2 --memory 1 -- python3 train.py",
          "penstock run -f task.yaml", "penstock ps", "penstock logs task/train -f",
          "penstock explain task/train"})
        out += "  " + std::string(example) + "\n";
    out += "\n" + title(language, "help.roles");
    out += entry("up", text(language, "role.up"), kNameColumn) +
           entry("server", text(language, "role.server"), kNameColumn) +
           entry("gateway", text(language, "role.gateway"), kNameColumn) +
           entry("agent", text(language, "role.agent"), kNameColumn);
    out += "\n" + title(language, "help.commands");
    for (const Command& command : commands())
        if (!command.path.contains(' ') && !command.path.starts_with("__"))
            out += entry(command.path, text(language, command.summary), kNameColumn);
    out += "\n" + title(language, "help.nouns");
    for (const Noun& noun : nouns()) {
        const std::string name =
            std::string(noun.name) + (noun.alias.empty() ? "" : ", " + std::string(noun.alias));
        out += entry(name, text(language, noun.summary), kNameColumn + 6);
    }
    out += "\n" + title(language, "help.global_flags");
    for (const Flag& flag : global_flags()) out += flag_entry(flag, language);
    return out + "\n" + std::string(text(language, "help.more")) + "\n";
}

std::string noun_help(const Noun& noun, Language language) {
    std::string out = "penstock " + std::string(noun.name) + " — " +
                      std::string(text(language, noun.summary)) + "\n\n";
    out += title(language, "help.examples");
    std::string verbs;
    for (const Command& command : commands()) {
        if (!command.path.starts_with(std::string(noun.name) + " ")) continue;
        if (!command.examples.empty()) out += "  " + std::string(command.examples.front()) + "\n";
        verbs += entry(
            command.path.substr(noun.name.size() + 1), text(language, command.summary), kNameColumn
        );
    }
    out += "\n" + title(language, "help.verbs") + verbs;
    return out + "\n" + format(language, "help.more_of", noun.name) + "\n";
}

std::string command_help(const Command& command, Language language) {
    std::string out = "penstock " + std::string(command.path) + " — " +
                      std::string(text(language, command.summary)) + "\n\n";
    if (!command.examples.empty()) {
        out += title(language, "help.examples");
        for (const std::string_view example : command.examples)
            out += "  " + std::string(example) + "\n";
        out += "\n";
    }
    out += title(language, "help.usage") + usage_line(command);
    const auto section = [&](MessageKey key, const std::vector<Flag>& flags) {
        if (flags.empty()) return;
        out += "\n" + title(language, key);
        for (const Flag& flag : flags) out += flag_entry(flag, language);
    };
    section("help.flags", command.flags);
    if (command.answer == Answer::list) section("help.list_flags", list_flags());
    if (command.answer != Answer::none) section("help.output_flags", output_flags());
    section("help.global_flags", global_flags());
    return out;
}

}  // namespace

std::string help_text(std::string_view path, Language language) {
    if (path.empty()) return program_help(language);
    if (const Command* command = find_command(path)) return command_help(*command, language);
    for (const Noun& noun : nouns())
        if (noun.name == path || (!noun.alias.empty() && noun.alias == path))
            return noun_help(noun, language);
    return {};
}

}  // namespace penstock::cli
