// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cli/api_fixture.h"

namespace penstock::cli {
namespace {

class SimTest : public ApiFixture {
  protected:
    std::string write(const std::string& name, const std::string& content) {
        std::ofstream(folder_ / name) << content;
        return (folder_ / name).string();
    }
    std::string read(const std::string& name) const {
        std::ifstream file(folder_ / name);
        return std::string(std::istreambuf_iterator<char>(file), {});
    }
};

TEST_F(SimTest, DrawsColumnsOfACsvFile) {
    const std::string curve = write("curve.csv", "x,fgd\n0,0\n130,95.4\n");
    const std::string target = (folder_ / "curve.svg").string();

    const Run run = this->run({"sim", "plot", curve, "--plot", target, "--json"});

    EXPECT_EQ(run.err, "");
    EXPECT_NE(run.out.find("\"rows\": 2"), std::string::npos) << run.out;
    EXPECT_TRUE(read("curve.svg").starts_with("<svg "));
}

TEST_F(SimTest, NamesFileLineAndColumnOfABadCell) {
    const std::string curve = write("curve.csv", "x,fgd\n0,zero\n");

    const Run run = this->run({"sim", "plot", curve});

    EXPECT_EQ(run.code, 2);
    EXPECT_NE(run.err.find("curve.csv:2: column fgd: 'zero' is no number"), std::string::npos)
        << run.err;
}

std::string data_file(const std::string& name) {
    return std::filesystem::absolute("testdata/" + name).string();
}

std::vector<std::string> pack_words(const std::string& policy) {
    return {"sim",        "pack",
            "--nodes",    data_file("sim_nodes.csv"),
            "--pods",     data_file("sim_pods.csv"),
            "--policy",   policy,
            "--seeds",    "1..3",
            "-o",         "json",
            "--no-timing"};
}

TEST_F(SimTest, PacksATinyClusterLikeThis) {
    std::string all;
    for (const char* policy : {"fgd", "random", "gpu-clustering", "composite"}) {
        const Run run = this->run(pack_words(policy));
        EXPECT_EQ(run.err, "");
        all += run.out;
    }
    const std::filesystem::path golden = "testdata/sim_pack.json";
    if (std::getenv("PENSTOCK_UPDATE_GOLDEN") != nullptr) std::ofstream(golden) << all;
    std::ifstream file(golden);

    EXPECT_EQ(all, std::string(std::istreambuf_iterator<char>(file), {}));
}

TEST_F(SimTest, TheDefaultMixPacksDevicesWhoseWattsNobodyKnows) {
    const std::string nodes = read(data_file("sim_nodes.csv")) + "x,16000,65536,2,Unheard\n";
    std::vector<std::string> words = pack_words("composite");
    words[3] = write("nodes.csv", nodes);

    const Run run = this->run(words);

    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_NE(run.err.find("composite packs devices in its place"), std::string::npos) << run.err;
    EXPECT_NE(run.out.find("\"power_watts_mean\": null"), std::string::npos) << run.out;
}

TEST_F(SimTest, TheSameSeedGivesTheSameBytes) {
    std::vector<std::string> words = pack_words("random");
    words.insert(words.end(), {"--curve", (folder_ / "a.csv").string()});
    const Run first = this->run(words);
    words.back() = (folder_ / "b.csv").string();
    const Run second = this->run(words);

    EXPECT_EQ(first.out, second.out);
    EXPECT_EQ(read("a.csv"), read("b.csv"));
    EXPECT_TRUE(read("a.csv").starts_with("asked_percent,allocated_percent,"));
}

TEST_F(SimTest, MeasuresRatesGangsAndPreemptions) {
    const Run run = this->run(
        {"sim", "scale", "--nodes", data_file("sim_nodes.csv"), "--repeat", "8", "--tasks", "300",
         "--gang-devices", "16", "--preempted-devices", "8", "--rounds", "2", "--dispatch-tasks",
         "40", "-q", "-o", "json"}
    );

    EXPECT_EQ(run.err, "");
    EXPECT_NE(run.out.find("\"nodes\": 48"), std::string::npos) << run.out;
    EXPECT_NE(run.out.find("\"placed_rounds\": 2"), std::string::npos) << run.out;
    EXPECT_NE(run.out.find("\"decisions\": 120"), std::string::npos) << run.out;
}

constexpr const char* kThroughputs = R"json({
  "fast": {"('A', 1)": {"null": 8}, "('B', 1)": {"null": 3}},
  "slow": {"('A', 1)": {"null": 1}, "('B', 1)": {"null": 3}}
})json";

TEST_F(SimTest, ComparesHowTrainingJobsShareDevices) {
    const std::string table = write("table.json", kThroughputs);
    const auto words = [&](const std::string& target) {
        return std::vector<std::string>{"sim",           "jct",
                                        "--throughputs", table,
                                        "--devices",     "fast=4,slow=4",
                                        "--rates",       "0.2,0.4",
                                        "--measure",     "20..60",
                                        "--seeds",       "1,2",
                                        "--curve",       (folder_ / (target + ".csv")).string(),
                                        "--plot",        (folder_ / (target + ".svg")).string(),
                                        "--quiet",       "-o",
                                        "json"};
    };
    const Run first = this->run(words("a"));
    const Run second = this->run(words("b"));

    EXPECT_EQ(first.err, "");
    EXPECT_NE(first.out.find("\"policy\": \"least-left\""), std::string::npos) << first.out;
    EXPECT_EQ(first.out, second.out);
    EXPECT_EQ(read("a.csv"), read("b.csv"));
    EXPECT_EQ(read("a.svg"), read("b.svg"));
    EXPECT_TRUE(read("a.csv").starts_with(
        "jobs_per_hour,agnostic-las,gavel-las,most-throughput,least-left\n0.2,"
    ));
}

TEST_F(SimTest, SaysWhichFlagOfASharedClusterIsWrong) {
    const std::string table = write("table.json", kThroughputs);
    const auto refusal = [&](const std::vector<std::string>& more) {
        std::vector<std::string> words{"sim", "jct", "--throughputs", table};
        words.insert(words.end(), more.begin(), more.end());
        return run(words).err;
    };
    EXPECT_EQ(refusal({}), "error: --devices: is needed; see --help\n");
    EXPECT_EQ(refusal({"--devices", "fast"}), "error: --devices: 'fast': write KIND=NUMBER,…\n");
    EXPECT_EQ(
        refusal({"--devices", "quick=1"}), "error: table.json: no kind 'quick'; it has fast, slow\n"
    );
    EXPECT_EQ(
        refusal({"--devices", "fast=1", "--measure", "5"}),
        "error: --measure: '5': write FIRST..LAST\n"
    );
    EXPECT_NE(
        refusal({"--devices", "fast=1", "--policies", "fifo"}).find("there is no policy 'fifo'"),
        std::string::npos
    );
}

// Two days of two sites and five tasks.
std::vector<std::string> site_words() {
    return {"sim",     "sites",
            "--sites", data_file("sim_sites.csv"),
            "--pools", data_file("sim_site_pools.csv"),
            "--links", data_file("sim_site_links.csv"),
            "--tasks", data_file("sim_site_tasks.csv"),
            "--start", "2024-01-01T00:00:00Z",
            "-o",      "json"};
}

TEST_F(SimTest, ComparesStrategiesOverSitesLikeThis) {
    std::vector<std::string> words = site_words();
    words.insert(words.end(), {"--decisions", (folder_ / "a.csv").string()});
    const Run run = this->run(words);
    EXPECT_EQ(run.err, "");
    const std::string all = run.out + read("a.csv");
    const std::filesystem::path golden = "testdata/sim_sites.txt";
    if (std::getenv("PENSTOCK_UPDATE_GOLDEN") != nullptr) std::ofstream(golden) << all;
    std::ifstream file(golden);

    EXPECT_EQ(all, std::string(std::istreambuf_iterator<char>(file), {}));
}

TEST_F(SimTest, DrawsATermAPlotAndAStrategyALine) {
    std::vector<std::string> words = site_words();
    words.insert(words.end(), {"--strategies", "cost,random", "--plots", folder_.string()});
    EXPECT_EQ(run(words).err, "");
    const std::string plot = read("carbon_g.svg");
    EXPECT_TRUE(plot.starts_with("<svg "));
    EXPECT_NE(plot.find(">random</text>"), std::string::npos);
}

TEST_F(SimTest, SaysWhichFlagIsWrong) {
    EXPECT_EQ(run({"sim", "pack"}).err, "error: --nodes: is needed; see --help\n");
    EXPECT_EQ(
        run({"sim", "scale", "--repeat", "0"}).err, "error: --repeat: 0 is not from 1 to 1000\n"
    );
    EXPECT_EQ(run({"sim", "sites"}).err, "error: --sites: is needed; see --help\n");
    std::vector<std::string> words = pack_words("no-such");
    EXPECT_NE(
        run(words).err.find("there is no policy 'no-such': choose one of fgd, "), std::string::npos
    );
}

}  // namespace
}  // namespace penstock::cli
