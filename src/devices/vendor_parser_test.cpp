// SPDX-License-Identifier: Apache-2.0
#include "devices/load.h"
#include "devices/processors.h"
#include "devices/vendor_test.h"

namespace penstock::devices {
namespace {

std::string npu(const std::string& text) {
    const Result<std::vector<Device>> devices = parse_npu_smi(text);
    return devices ? shown(*devices) : "error: " + devices.error().message;
}
std::string rocm(const std::string& text) {
    const Result<std::vector<Device>> devices = parse_rocm_smi(text);
    return devices ? shown(*devices) : "error: " + devices.error().message;
}

TEST(NpuSmi, ReadsATableWithHbm) {
    EXPECT_EQ(
        npu(testdata("npu-smi-910b.txt")),
        "0 Ascend Ascend910B4 pci=0000:c1:00.0 memory=68719476736 used=3352297472 load=0 "
        "celsius=33 mW=91300 ok driver=25.2.0\n"
        "1 Ascend Ascend910B4 pci=0000:c2:00.0 memory=68719476736 used=42949672960 load=97 "
        "celsius=51 mW=188100 ok driver=25.2.0\n"
    );
}

TEST(NpuSmi, ReadsPhysicalIdsAndChipsThatShareACard) {
    EXPECT_EQ(
        npu(testdata("npu-smi-phy-id.txt")),
        "0 Ascend Ascend910 pci=0000:9d:00.0 memory=68719476736 used=3334471680 load=0 celsius=30 "
        "mW=163600 ok driver=25.3.rc1\n"
        "1 Ascend Ascend910 pci=0000:9f:00.0 memory=68719476736 used=3036676096 load=0 celsius=30 "
        "ok driver=25.3.rc1\n"
        "2 Ascend Ascend910 pci=0000:99:00.0 memory=68719476736 used=3335520256 load=0 celsius=29 "
        "mW=164500 ok driver=25.3.rc1\n"
        "3 Ascend Ascend910 pci=0000:9b:00.0 memory=68719476736 used=3037724672 load=0 celsius=29 "
        "ok driver=25.3.rc1\n"
    );
}

TEST(NpuSmi, ReadsWhichChipsAreLinked) {
    const auto linked = parse_npu_topology(testdata("npu-smi-topo.txt"));
    ASSERT_TRUE(linked);
    std::vector<Device> devices(4);
    number_link_domains(devices, [&](std::size_t i, std::size_t j) { return (*linked)[i][j]; });
    EXPECT_EQ(devices[0].link_domain, 0);
    EXPECT_EQ(devices[1].link_domain, 0);
    EXPECT_EQ(devices[2].link_domain, 1);
    EXPECT_EQ(devices[3].link_domain, 1);
}

TEST(NpuSmi, ATopologyThatIsNotTheMatrixIsAnError) {
    EXPECT_FALSE(parse_npu_topology(""));
    EXPECT_FALSE(parse_npu_topology("This device does not support querying topo\n"));
    EXPECT_FALSE(parse_npu_topology("NPU0 NPU1 CPU Affinity\nNPU0 X HCCS 0-23\n"));
}

TEST(LinkDomain, IsOfDevicesThatReachEachOtherByOthersToo) {
    std::vector<Device> ring(5);
    number_link_domains(ring, [](std::size_t i, std::size_t j) { return j == i + 2; });
    EXPECT_EQ(ring[0].link_domain, 0);
    EXPECT_EQ(ring[1].link_domain, 1);
    EXPECT_EQ(ring[4].link_domain, 0);

    std::vector<Device> alone(3);
    number_link_domains(alone, [](std::size_t, std::size_t) { return false; });
    EXPECT_EQ(alone[0].link_domain, std::nullopt);
}

TEST(NpuSmi, ReadsAChipWithDdr) {
    EXPECT_EQ(
        npu(testdata("npu-smi-310p.txt")),
        "0 Ascend Ascend310P3 pci=0000:01:00.0 memory=22572695552 used=1658847232 load=0 "
        "celsius=41 ok driver=23.0.0\n"
    );
}

TEST(NpuSmi, WhatIsNotMeasuredIsAbsentAndAnAlarmIsFailed) {
    const std::string text = npu(testdata("npu-smi-alarm.txt"));

    EXPECT_NE(
        text.find(
            "1 Ascend Ascend910B4 pci=0000:c2:00.0 memory=68719476736 used=42949672960 failed "
            "reason=npu-smi says Alarm"
        ),
        std::string::npos
    ) << text;
}

TEST(NpuSmi, OutputThatIsNotTheTableIsAnErrorAndNotNoDevices) {
    EXPECT_EQ(npu(""), "error: npu-smi: the output is not the table that is known");
    EXPECT_EQ(
        npu("dcmi model initialized failed, because the device is used. ret is -8020\n"),
        "error: npu-smi: the output is not the table that is known"
    );
    std::string cut = testdata("npu-smi-910b.txt");
    cut.resize(cut.find("| 0                         | 0000:C1"));
    EXPECT_EQ(npu(cut), "error: npu-smi: the output is not the table that is known");
    std::string changed = testdata("npu-smi-910b.txt");
    changed.replace(changed.find("3197 / 65536"), 12, "3.1G / 64.0G");
    EXPECT_TRUE(npu(changed).starts_with("error: npu-smi: rows "));
}

TEST(RocmSmi, ReadsCardsInOrder) {
    EXPECT_EQ(
        rocm(testdata("rocm-smi-mi250.json")),
        "0 AMD MI250 uuid=0x1f9de0957d137942 pci=0000:c5:00.0 memory=68702699520 used=11014144 "
        "load=0 celsius=38 mW=92500 ok driver=6.3.6\n"
        "1 AMD MI250 uuid=0x52c9a10fe6d1b7a4 pci=0000:c6:00.0 memory=68702699520 used=61203283968 "
        "load=100 celsius=44 ok driver=6.3.6\n"
    );
}

TEST(RocmSmi, ReadsOlderSpellingsAndSkipsAWarning) {
    EXPECT_EQ(
        rocm(testdata("rocm-smi-5.json")),
        "0 AMD MI100 uuid=0x4b21cb7fd1e07a3d pci=0000:27:00.0 memory=34342961152 used=7401472 "
        "load=3 celsius=31 mW=34000 ok driver=5.13.20\n"
    );
}

TEST(RocmSmi, ACardWithoutAMemorySizeIsUnknown) {
    EXPECT_EQ(
        rocm(testdata("rocm-smi-apu.json")),
        "0 AMD Phoenix3 pci=0000:c4:00.0 load=19 celsius=31 mW=7222 unknown reason=rocm-smi prints "
        "no memory size for it\n"
    );
}

TEST(RocmSmi, OutputThatIsNotKnownIsAnError) {
    EXPECT_EQ(
        rocm("ERROR:root:Driver not initialized (amdgpu not found in modules)\n"),
        "error: rocm-smi printed no JSON object"
    );
    EXPECT_EQ(rocm("{}"), "error: rocm-smi printed no card");
    EXPECT_TRUE(rocm("{\"card0\": {").starts_with("error: "));
    EXPECT_EQ(rocm(R"({"cardX": {}})"), "error: rocm-smi: 'cardX' is no card");
}

TEST(ModelName, IsWhatTasksAskFor) {
    EXPECT_EQ(nvidia_model("NVIDIA H100 80GB HBM3"), "H100");
    EXPECT_EQ(nvidia_model("NVIDIA A100-SXM4-40GB"), "A100");
    EXPECT_EQ(nvidia_model("NVIDIA A100-PCIE-40GB"), "A100");
    EXPECT_EQ(nvidia_model("Tesla V100-SXM2-16GB"), "V100");
    EXPECT_EQ(nvidia_model("Tesla T4"), "T4");
    EXPECT_EQ(nvidia_model("NVIDIA L40S"), "L40S");
    EXPECT_EQ(nvidia_model("NVIDIA H200"), "H200");
    EXPECT_EQ(nvidia_model("NVIDIA GeForce RTX 4090"), "RTX4090");
    EXPECT_EQ(nvidia_model("NVIDIA H100 80GB HBM3 MIG 1g.10gb"), "H100-1g.10gb");
    EXPECT_EQ(ascend_model("910B2"), "Ascend910B2");
    EXPECT_EQ(ascend_model("Ascend 910B4-1"), "Ascend910B4");
    EXPECT_EQ(amd_model("AMD Instinct MI210"), "MI210");
    EXPECT_EQ(amd_model("Radeon RX 7900 XT"), "RX7900XT");
}

TEST(Processors, ReadsASyntheticTopology) {
    const Result<HostTopology> host = read_topology("node:2 pack:1 core:8 pu:2", "");

    ASSERT_TRUE(host);
    EXPECT_EQ(host->processors.packages, 2);
    EXPECT_EQ(host->processors.cores, 16);
    EXPECT_EQ(host->processors.cpus, 32);
    ASSERT_EQ(host->processors.numa_nodes.size(), 2U);
    EXPECT_EQ(host->processors.numa_nodes[1].cpus, 16);
    EXPECT_GT(host->memory_bytes, 0);
}

TEST(Processors, RefusesWhatIsNoTopology) { EXPECT_FALSE(read_topology("core of things", "")); }

TEST(Processors, ReadsTheModelFromCpuinfo) {
    EXPECT_EQ(
        parse_cpu_model(testdata("cpuinfo.txt")), "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"
    );
    EXPECT_EQ(parse_cpu_model("processor\t: 0\nBogoMIPS\t: 100.00\n"), "");
}

TEST(Load, ReadsProcFiles) {
    EXPECT_EQ(parse_proc_stat(testdata("stat.txt")), (CpuTimes{.busy = 1800, .total = 10000}));
    EXPECT_EQ(
        parse_meminfo(testdata("meminfo.txt")),
        (MemoryUse{.total_bytes = 25165824000, .available_bytes = 18874368000})
    );
    EXPECT_EQ(parse_loadavg(testdata("loadavg.txt")), 1.25);
}

TEST(Load, GarbageIsAnErrorAndNotZero) {
    EXPECT_FALSE(parse_proc_stat(""));
    EXPECT_FALSE(parse_proc_stat("cpu  1 2\n"));
    EXPECT_FALSE(parse_meminfo("MemTotal: x kB\n"));
    EXPECT_FALSE(parse_loadavg(""));
    EXPECT_FALSE(LoadSampler("/no/such/root").sample());
}

TEST(Load, SamplesThisHost) {
    LoadSampler sampler;

    const Result<Load> first = sampler.sample();
    const Result<Load> second = sampler.sample();

    ASSERT_TRUE(first && second);
    EXPECT_GT(first->memory_percent, 0);
    EXPECT_GE(second->cpu_percent, 0);
    EXPECT_LE(second->cpu_percent, 100);
}

}  // namespace
}  // namespace penstock::devices
