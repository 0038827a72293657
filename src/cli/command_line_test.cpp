// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "cli/completion.h"
#include "cli/help.h"

namespace penstock::cli {
namespace {

// "task list [operands] flag=value… -- tail", or what is wrong.
std::string parsed(const std::vector<std::string>& words) {
    const auto result = parse_command_line(words, Language::en);
    if (const auto* error = std::get_if<UsageError>(&result)) return "usage: " + error->message;
    if (const auto* help = std::get_if<HelpWanted>(&result)) return "help: " + help->path;
    const auto& line = std::get<CommandLine>(result);
    std::string text(line.command->path);
    for (const std::string& operand : line.arguments.operands) text += " [" + operand + "]";
    for (const auto& [name, values] : line.arguments.flags)
        for (const std::string& value : values)
            text.append(" ").append(name).append("=").append(value);
    for (const std::string& word : line.arguments.tail) text += " --" + word;
    return text;
}

TEST(CommandLine, SortsFlagsOperandsAndTheTasksOwnWords) {
    EXPECT_EQ(
        parsed({"run", "--gpus", "H100:8", "--cpus=2+", "--", "python", "--lr"}),
        "run cpus=2+ gpus=H100:8 --python ----lr"
    );
    EXPECT_EQ(
        parsed({"run", "-y", "--cpus=2+", "--", "python", "-u"}), "run cpus=2+ yes= --python ---u"
    );
    EXPECT_EQ(
        parsed({"task", "create", "-f", "a.yaml", "-f", "b.yaml", "-o", "name"}),
        "task create file=a.yaml file=b.yaml output=name"
    );
    EXPECT_EQ(parsed({"logs", "task/train", "-f"}), "logs [task/train] follow=");
}

TEST(CommandLine, TakesGlobalFlagsAnywhere) {
    EXPECT_EQ(parsed({"--lang", "zh", "task", "--quiet", "list"}), "task list lang=zh quiet=");
    EXPECT_EQ(parsed({"ps", "--context", "centre"}), "ps context=centre");
}

TEST(CommandLine, KnowsAliases) { EXPECT_EQ(parsed({"provider", "list"}), "site list"); }

TEST(CommandLine, LeavesTheWordAfterASwitchAlone) {
    EXPECT_EQ(
        parsed({"wait", "--for=state=SUCCEEDED", "--timeout", "30m", "task/x"}),
        "wait [task/x] for=state=SUCCEEDED timeout=30m"
    );
}

TEST(CommandLine, SuggestsWhatWasMeant) {
    EXPECT_EQ(parsed({"tsak", "list"}), "usage: there is no command 'tsak' (did you mean 'task'?)");
    EXPECT_EQ(
        parsed({"task", "lits"}), "usage: penstock task has no verb 'lits' (did you mean 'list'?)"
    );
    EXPECT_EQ(
        parsed({"run", "--max-prize", "3"}),
        "usage: there is no flag '--max-prize' for penstock run (did you mean '--max-price'?)"
    );
}

TEST(CommandLine, RefusesAValueThatIsNoneOfAFlagsChoices) {
    EXPECT_EQ(
        parsed({"key", "update", "ci", "--budget-period", "monthly"}),
        "usage: --budget-period: 'monthly' is none of none|day|week|month (did you mean "
        "'month'?)"
    );
    EXPECT_EQ(
        parsed({"task", "list", "-o", "tabel"}),
        "usage: --output: 'tabel' is none of table|wide|json|jsonl|yaml|name|csv (did you mean "
        "'table'?)"
    );
    EXPECT_EQ(
        parsed({"key", "create", "--name", "a", "--scope", "tokens", "--scope", "token"}),
        "usage: --scope: 'token' is none of tasks_read|tasks_write|tokens|billing_read|keys_write|"
        "provider|agent|gateway|operator (did you mean 'tokens'?)"
    );
    EXPECT_EQ(parsed({"wait", "--for=ended", "task/x"}), "wait [task/x] for=ended");
}

TEST(CommandLine, TellsMissingAndSuperfluousWords) {
    EXPECT_EQ(parsed({"logs"}), "usage: TASK is missing: penstock logs TASK");
    EXPECT_EQ(
        parsed({"task", "get", "a", "b"}), "usage: 'b' is one word too many for penstock task get"
    );
}

TEST(CommandLine, FindsHelp) {
    EXPECT_EQ(parsed({}), "help: ");
    EXPECT_EQ(parsed({"task"}), "help: task");
    EXPECT_EQ(parsed({"task", "list", "--help"}), "help: task list");
    EXPECT_EQ(parsed({"help", "run"}), "help: run");
    EXPECT_EQ(parsed({"--version"}), "version");
}

TEST(CommandLine, TellsItsWordsFromRoles) {
    EXPECT_TRUE(is_command_word("task"));
    EXPECT_TRUE(is_command_word("provider"));
    EXPECT_TRUE(is_command_word("--lang=zh"));
    EXPECT_FALSE(is_command_word("server"));
}

TEST(Commands, HaveNoFlagTwice) {
    std::string twice;
    for (const Command& command : commands()) {
        std::set<std::string_view> names;
        std::set<char> letters;
        for (const Flag& flag : all_flags(command)) {
            if (!names.insert(flag.name).second)
                twice += std::string(command.path) + " --" + std::string(flag.name) + "\n";
            if (flag.letter != 0 && !letters.insert(flag.letter).second)
                twice += std::string(command.path) + " -" + flag.letter + "\n";
        }
    }
    EXPECT_EQ(twice, "");
}

TEST(Commands, EveryCommandButHiddenOnesHasAnExampleThatParses) {
    std::string wrong;
    for (const Command& command : commands()) {
        if (command.examples.empty() && !command.path.starts_with("__"))
            wrong += std::string(command.path) + "\n";
        if (!command.path.contains(' ') || command.path.starts_with("__")) continue;
        bool noun_known = false;
        for (const Noun& noun : nouns())
            noun_known = noun_known || command.path.starts_with(std::string(noun.name) + " ");
        if (!noun_known) wrong += std::string(command.path) + " has no noun\n";
    }
    EXPECT_EQ(wrong, "");
}

std::string file_text(const std::string& name) {
    std::ifstream stream(name);
    return {std::istreambuf_iterator<char>(stream), {}};
}

// After a wanted change: PENSTOCK_UPDATE_GOLDEN=1 cli_test writes the files anew.
void expect_golden(const std::string& file, const std::string& text) {
    if (std::getenv("PENSTOCK_UPDATE_GOLDEN") != nullptr) std::ofstream(file) << text;
    EXPECT_EQ(file_text(file), text);
}

TEST(Help, ReadsLikeThis) {
    expect_golden("testdata/help.txt", help_text("", Language::en));
    expect_golden("testdata/help_task.txt", help_text("task", Language::en));
    expect_golden("testdata/help_run.txt", help_text("run", Language::en));
    expect_golden("testdata/help_run_zh.txt", help_text("run", Language::zh));
    expect_golden("testdata/help_gateway.txt", help_text("gateway", Language::en));
    expect_golden("testdata/help_gateway_zh.txt", help_text("gateway", Language::zh));
    expect_golden("testdata/help_gateway_drain.txt", help_text("gateway drain", Language::en));
}

int syntax_check(const std::string& shell, const std::string& script) {
    char name[] = "/tmp/penstock-completion-XXXXXX";
    close(mkstemp(name));
    std::ofstream(name) << script;
    const int status = std::system((shell + " -n " + name).c_str());
    std::remove(name);
    return status;
}

TEST(Completion, IsValidBash) {
    EXPECT_EQ(syntax_check("bash", *completion_script("bash", Language::en)), 0);
}

TEST(Completion, OffersWords) {
    const std::string script = *completion_script("bash", Language::en);
    char name[] = "/tmp/penstock-completion-XXXXXX";
    close(mkstemp(name));
    std::ofstream(name
    ) << script
      << "\nCOMP_WORDS=(penstock task li); COMP_CWORD=2; _penstock; echo \"${COMPREPLY[*]}\"\n"
      << "COMP_WORDS=(penstock task list --fil); COMP_CWORD=3; _penstock; echo "
         "\"${COMPREPLY[*]}\"\n"
      << "COMP_WORDS=(penstock task list -o js); COMP_CWORD=4; _penstock; echo "
         "\"${COMPREPLY[*]}\"\n";
    FILE* pipe = popen((std::string("bash ") + name).c_str(), "r");
    std::string out(4096, '\0');
    out.resize(fread(out.data(), 1, out.size(), pipe));
    pclose(pipe);
    std::remove(name);
    EXPECT_EQ(out, "list\n--filter\njson jsonl\n");
}

TEST(Completion, RefusesUnknownShells) {
    EXPECT_EQ(
        to_string(completion_script("tcsh", Language::en).error()),
        "invalid_argument: SHELL: 'tcsh' is not one of bash, zsh, fish"
    );
}

}  // namespace
}  // namespace penstock::cli
