// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <csignal>

#include "cli/command_line.h"
#include "cli/help.h"
#include "cli/invocation.h"
#include "cli/text_width.h"

namespace penstock::cli {
namespace {

constexpr std::string_view kRed = "\033[31m";
constexpr std::string_view kPlain = "\033[0m";

// Before the configuration is read: flag, environment, locale.
Language first_language(const std::vector<std::string>& words, const Surroundings& surroundings) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == "--") break;
        if (words[i].starts_with("--lang="))
            return parse_language(words[i].substr(7)).value_or(Language::en);
        if (words[i] == "--lang" && i + 1 < words.size())
            return parse_language(words[i + 1]).value_or(Language::en);
    }
    for (const char* name : {"PENSTOCK_LANG", "LC_ALL", "LC_MESSAGES", "LANG"}) {
        const std::string value = surroundings.variable(name);
        if (!value.empty()) return value.starts_with("zh") ? Language::zh : Language::en;
    }
    return Language::en;
}

// An error on stderr, one line for each of its mistakes, and what may help.
int show_error(const Terminal& terminal, Language language, const Error& error) {
    const std::string label(text(language, "error.label"));
    const std::string prefix =
        (terminal.color ? std::string(kRed) + label + std::string(kPlain) : label) + " ";
    std::string_view rest = error.message;
    bool first = true;
    while (first || !rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        const std::string field = first && !error.field.empty() ? error.field + ": " : "";
        terminal.say(prefix + printable(field + std::string(line)));
        first = false;
    }
    if (error.code == ErrorCode::unauthenticated)
        terminal.say(text(language, "error.unauthenticated_remedy"));
    if (error.code == ErrorCode::insufficient_funds)
        terminal.say(text(language, "error.funds_remedy"));
    return info(error.code).exit_code;
}

Result<OutputOptions> output_options(const Arguments& arguments, const Settings& settings) {
    OutputOptions options;
    options.format = TRY(parse_format(settings.output.value));
    options.jq = arguments.value_or("jq", "");
    options.header = !arguments.has("no-header");
    std::string_view columns;
    const std::string list = arguments.value_or("columns", "");
    columns = list;
    while (!columns.empty()) {
        const std::string_view name = columns.substr(0, columns.find(','));
        if (!name.empty()) options.columns.emplace_back(name);
        columns.remove_prefix(std::min(columns.size(), name.size() + 1));
    }
    return options;
}

Result<int> run_command(
    const CommandLine& line, const Terminal& terminal, const Surroundings& surroundings,
    Language& language
) {
    const Settings settings = TRY(resolve_settings(line.arguments, surroundings));
    const std::optional<Language> stated = parse_language(settings.language.value);
    if (!stated)
        return fail_field(
            ErrorCode::invalid_argument, settings.language.source,
            "'" + settings.language.value + "' is not one of en, zh"
        );
    language = *stated;
    SystemClock clock;
    SystemRandom random;
    io::Runtime runtime;
    const OutputOptions options = TRY(output_options(line.arguments, settings));
    Invocation invocation{
        .command = *line.command,
        .arguments = line.arguments,
        .terminal = terminal,
        .surroundings = surroundings,
        .settings = settings,
        .runtime = runtime,
        .clock = clock,
        .random = random,
        .language = language,
        .printer = Printer(terminal, options, {.now = clock.now(), .language = language}),
        .quiet = line.arguments.has("quiet"),
        .verbosity = static_cast<int>(line.arguments.values("verbose").size()),
    };
    return runtime.block_on(line.command->run(&invocation));
}

}  // namespace

bool is_cli_command(std::string_view first_word) { return is_command_word(first_word); }

std::vector<std::string> cli_words() {
    std::vector<std::string> words{"help"};
    for (const Noun& noun : nouns()) words.emplace_back(noun.name);
    for (const Command& command : commands())
        if (!command.path.contains(' ') && !command.path.starts_with("__"))
            words.emplace_back(command.path);
    return words;
}

int run_cli(
    const std::vector<std::string>& words, const Terminal& terminal,
    const Surroundings& surroundings
) {
    Language language = first_language(words, surroundings);
    auto parsed = parse_command_line(words, language);
    if (const auto* wanted = std::get_if<HelpWanted>(&parsed)) {
        const std::string help = help_text(wanted->path, language);
        if (help.empty()) {
            terminal.say(format(language, "help.unknown", wanted->path));
            return info(ErrorCode::invalid_argument).exit_code;
        }
        terminal.print(help);
        terminal.flush();
        return kExitOk;
    }
    if (const auto* error = std::get_if<UsageError>(&parsed)) {
        show_error(terminal, language, {ErrorCode::invalid_argument, error->message, {}});
        terminal.say(format(
            language, "usage.see_help", error->path.empty() ? "help" : error->path + " --help"
        ));
        return info(ErrorCode::invalid_argument).exit_code;
    }
    const CommandLine& line = std::get<CommandLine>(parsed);
    const Result<int> code = run_command(line, terminal, surroundings, language);
    terminal.flush();
    return code ? *code : show_error(terminal, language, code.error());
}

int run_cli(int argc, const char* const* argv) {
    // A closed pipe (… | head) is an ordinary end of output, not a reason to die loudly.
    std::signal(SIGPIPE, SIG_IGN);
    const Surroundings surroundings = process_surroundings();
    const bool no_color = !surroundings.variable("NO_COLOR").empty();
    return run_cli(
        std::vector<std::string>(argv + 1, argv + argc), process_terminal(no_color), surroundings
    );
}

}  // namespace penstock::cli
