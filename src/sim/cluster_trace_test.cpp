// SPDX-License-Identifier: Apache-2.0
#include "sim/cluster_trace.h"

#include <gtest/gtest.h>

namespace penstock::sim {
namespace {

Result<ClusterTrace> cluster(std::string_view text) {
    return read_cluster(Csv::parse(text, "n.csv").value());
}
Result<std::vector<TracedTask>> tasks(std::string_view text, ModelNames& models) {
    return read_tasks(Csv::parse(text, "p.csv").value(), models);
}

TEST(ClusterTrace, ReadsNodesWithMemory) {
    const ClusterTrace trace =
        cluster("sn,cpu_milli,memory_mib,gpu,model\na,64000,262144,2,P100\nb,96000,1024,0,\n")
            .value();

    EXPECT_EQ(trace.devices(), 2);
    EXPECT_EQ(trace.models.names(), (std::vector<std::string>{"", "P100"}));
    EXPECT_EQ(trace.nodes[0].memory_mib, 262144);
    EXPECT_EQ(trace.nodes[1].model, 0);
    EXPECT_TRUE(trace.memory_known);
}

TEST(ClusterTrace, ReadsNodesCountedInCores) {
    const ClusterTrace trace =
        cluster("gpu_model,gpu_capacity_num,cpu_num,node_name\nA10,1,128,7\n").value();

    EXPECT_EQ(trace.nodes[0].cpu_milli, 128'000);
    EXPECT_FALSE(trace.memory_known);
}

TEST(ClusterTrace, ReadsCellsAndDomains) {
    const ClusterTrace trace =
        cluster(
            "sn,cpu_milli,memory_mib,gpu,model,devices_per_domain,rack,site\na,1,1,16,NPU,8,3,1\n"
        )
            .value();

    EXPECT_EQ(trace.nodes[0].devices_per_domain, 8);
    EXPECT_EQ(trace.nodes[0].rack, 3);
    EXPECT_TRUE(trace.topology_known);
}

TEST(ClusterTrace, NamesTheCellOfAMistake) {
    constexpr std::string_view kHeading = "sn,cpu_milli,memory_mib,gpu,model\n";
    const auto mistake = [&](std::string_view row) {
        return cluster(std::string(kHeading) + std::string(row)).error().message;
    };

    EXPECT_EQ(
        mistake("a,1,1,17,T4\n"), "n.csv:2: column gpu: '17' is no whole number from 0 to 16"
    );
    EXPECT_EQ(mistake("a,1,1,2,\n"), "n.csv:2: column model: is empty; a text is expected");
    EXPECT_EQ(
        mistake("a,1,1,0,T4\n"), "n.csv:2: column model: names a model, but the node has no device"
    );
    EXPECT_EQ(mistake("a,1,1,0,\n"), "n.csv: no node has a device");
}

TEST(TracedTasks, ReadSharesModelsAndTheLeastCpu) {
    ModelNames models;
    EXPECT_EQ(models.intern("T4"), 1);
    const auto list = tasks(
                          "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\nx,0,512,1,460,T4|"
                          "A10\ny,500,0,0,0,\n",
                          models
    )
                          .value();

    EXPECT_EQ(list[0].request.cpu_milli, kLeastCpuMilli);
    EXPECT_EQ(list[0].request.models, 0b110);
    EXPECT_TRUE(list[0].request.is_share());
    EXPECT_TRUE(list[1].request.cpu_only());
    EXPECT_EQ(list[1].request.models, placement::kAnyModel);
}

TEST(TracedTasks, NeedNoModelColumn) {
    ModelNames models;

    EXPECT_TRUE(tasks("name,cpu_milli,memory_mib,num_gpu,gpu_milli\nx,0,512,2,1000\n", models));
}

TEST(TracedTasks, NameTheCellOfAMistake) {
    ModelNames models;
    constexpr std::string_view kHeading = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n";
    const auto mistake = [&](std::string_view row) {
        return tasks(std::string(kHeading) + std::string(row), models).error().message;
    };

    EXPECT_EQ(
        mistake("x,1,1,1,0,\n"), "p.csv:2: column gpu_milli: '0' is no whole number from 1 to 1000"
    );
    EXPECT_EQ(
        mistake("x,1,1,0,5,\n"), "p.csv:2: column gpu_milli: '5' is no whole number from 0 to 0"
    );
    EXPECT_EQ(
        mistake("x,1,1,1,5,T4|\n"), "p.csv:2: column gpu_spec: an empty model name beside '|'"
    );
}

}  // namespace
}  // namespace penstock::sim
