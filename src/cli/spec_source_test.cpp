// SPDX-License-Identifier: Apache-2.0
#include "cli/spec_source.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "cli/command_line.h"

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;

class SpecSourceTest : public testing::Test {
  protected:
    SpecSourceTest() {
        char pattern[] = "/tmp/penstock-spec-XXXXXX";
        folder_ = mkdtemp(pattern);
    }
    ~SpecSourceTest() override { fs::remove_all(folder_); }
    void write(const std::string& name, const std::string& content) {
        std::ofstream(folder_ / name) << content;
    }
    Result<std::vector<Draft>> read(
        std::vector<std::string> words, const std::string& standard_input = ""
    ) {
        words.insert(words.begin(), "run");
        const auto parsed = parse_command_line(words, Language::en);
        std::istringstream in(standard_input);
        return read_drafts(std::get<CommandLine>(parsed).arguments, folder_, in);
    }
    std::string mistakes(std::vector<std::string> words) {
        const auto drafts = read(std::move(words));
        return drafts ? "none" : drafts.error().message;
    }
    fs::path folder_;
};

TEST_F(SpecSourceTest, MakesASpecOfFlags) {
    const auto drafts =
        read({"--gpus",      "H100:8", "--cpus",     "2+",        "--memory", "1",
              "--max-price", "30",     "--optimize", "cost",      "--name",   "x",
              "--env",       "A=b=c",  "--array",    "Frame=1-3", "--site",   "centre",
              "--",          "python", "train.py",   "a b"});

    ASSERT_TRUE(drafts) << to_string(drafts.error());
    const TaskSpec& spec = drafts->front().spec;
    EXPECT_EQ(*spec.run, "python train.py 'a b'");
    EXPECT_EQ(spec.name, "x");
    EXPECT_EQ(to_string(spec.resources.accelerators->choices.front()), "H100:8");
    EXPECT_EQ(to_string(*spec.resources.cpus), "2+");
    EXPECT_EQ(spec.resources.max_hourly_cost->text, "30");
    EXPECT_EQ(spec.placement->optimize.cost, 1);
    EXPECT_EQ(spec.placement->constraints->sites, std::vector<std::string>{"centre"});
    EXPECT_EQ(spec.envs.at("A").text, "b=c");
    EXPECT_EQ(spec.array->params.at("Frame"), "1-3");
}

TEST_F(SpecSourceTest, LaysFlagsOverAFile) {
    write("task.yaml", "name: file\nrun: python train.py\nresources: {cpus: 4, memory: 8}\n");
    const auto drafts = read({"-f", "task.yaml", "--cpus", "2", "--name", "flag"});
    ASSERT_TRUE(drafts) << to_string(drafts.error());
    EXPECT_EQ(drafts->front().spec.name, "flag");
    EXPECT_EQ(to_string(*drafts->front().spec.resources.cpus), "2");
    EXPECT_EQ(to_string(*drafts->front().spec.resources.memory), "8GB");
    EXPECT_EQ(drafts->front().folder, folder_);
}

TEST_F(SpecSourceTest, ReadsStandardInput) {
    const auto drafts = read({"-f", "-"}, "run: 'true'\n");
    ASSERT_TRUE(drafts) << to_string(drafts.error());
    EXPECT_EQ(*drafts->front().spec.run, "true");
}

TEST_F(SpecSourceTest, TellsEveryMistakeOfEveryFileAtOnce) {
    write("one.yaml", "run: 'true'\nresouces: {}\n");
    write("two.yaml", "name: Bad Name\nnum_nodes: 0\n");

    const std::string text = mistakes({"-f", "one.yaml", "-f", "two.yaml"});

    EXPECT_TRUE(text.contains("one.yaml")) << text;
    EXPECT_TRUE(
        text.contains("resouces: unknown field (did you mean 'resources'?)") ||
        text.contains("did you mean 'resources'")
    ) << text;
    EXPECT_TRUE(text.contains("two.yaml")) << text;
    EXPECT_TRUE(text.contains("num_nodes")) << text;
    EXPECT_TRUE(text.contains("run")) << text;
}

TEST_F(SpecSourceTest, SaysWhatToDoWithNothingToRun) {
    EXPECT_TRUE(mistakes({"--cpus", "2"}).starts_with("nothing to run: name a file with -f"));
}

TEST_F(SpecSourceTest, TakesASingleWordAsAShellLine) {
    EXPECT_EQ(shell_line({"echo hi && ls"}), "echo hi && ls");
    EXPECT_EQ(shell_line({"echo", "it's", ""}), "echo 'it'\\''s' ''");
}

}  // namespace
}  // namespace penstock::cli
