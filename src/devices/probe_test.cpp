// SPDX-License-Identifier: Apache-2.0
// probe() and the vendors' libraries, which are built by this test.
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "devices/vendor_test.h"

namespace penstock::devices {
namespace {

constexpr const char* kNone = "/no/such/library.so";

ProbeOptions nothing() {
    return {
        .nvml = kNone,
        .dcmi = kNone,
        .rocm_smi_libraries = {kNone},
        .npu_smi = "/no/such/tool",
        .rocm_smi = "/no/such/tool",
        .synthetic_topology = "node:1 core:4 pu:1"
    };
}

class Probe : public testing::Test {
  protected:
    void SetUp() override { ASSERT_NE(::mkdtemp(root_.data()), nullptr); }
    void TearDown() override {
        ::unsetenv("FAKE_NVML");
        ::unsetenv("FAKE_ROCM_SMI");
        std::filesystem::remove_all(root_);
    }
    void put(const std::string& name, const std::string& text, mode_t mode = 0644) {
        const std::string path = root_ + name;
        std::filesystem::create_directories(std::filesystem::path(path).parent_path());
        std::ofstream(path) << text;
        ::chmod(path.c_str(), mode);
    }
    std::string nvml(const char* mode) {
        ::setenv("FAKE_NVML", mode, 1);
        return shown(probe_nvml(FAKE_NVML, root_).devices);
    }
    std::string root_ = "/tmp/penstock-probe-XXXXXX";
};

TEST_F(Probe, AHostWithoutAcceleratorsHasNoneAndNoAlarm) {
    const Inventory inventory = probe(nothing());

    EXPECT_TRUE(inventory.devices.empty());
    EXPECT_TRUE(inventory.alarms.empty());
    EXPECT_EQ(inventory.processors.cpu_milli, 4000);
}

TEST_F(Probe, TheCgroupsLimitsCutWhatIsUsable) {
    ProbeOptions options = nothing();
    options.cpu_milli_max = 1500;
    options.memory_bytes_max = 1 << 30;

    const Inventory inventory = probe(options);

    EXPECT_EQ(inventory.processors.cpu_milli, 1500);
    EXPECT_EQ(inventory.memory_bytes, 1 << 30);
}

TEST_F(Probe, ReadsThisHost) {
    ProbeOptions options = nothing();
    options.synthetic_topology = "";

    const Inventory inventory = probe(options);

    EXPECT_GE(inventory.processors.cpus, 1);
    EXPECT_GE(inventory.processors.numa_nodes.size(), 1U);
    EXPECT_GT(inventory.memory_bytes, 0);
    EXPECT_TRUE(inventory.alarms.empty());
}

TEST_F(Probe, NvmlGivesEveryFieldItHas) {
    put("/sys/bus/pci/devices/0000:17:00.0/numa_node", "1\n");
    put("/sys/bus/pci/devices/0000:18:00.0/numa_node", "-1\n");

    EXPECT_EQ(
        nvml(""),
        "0 NVIDIA H100 uuid=GPU-0000 pci=0000:17:00.0 memory=85899345920 used=1073741824 load=37 "
        "celsius=41 "
        "mW=121500 mJ=5000000000 numa=1 ok driver=550.54.15\n"
        "1 NVIDIA L40S uuid=GPU-1111 pci=0000:18:00.0 memory=51539607552 used=1073741824 "
        "celsius=41 mW=121500 "
        "mJ=5000000000 degraded reason=3 uncorrected memory errors since the driver was loaded "
        "driver=550.54.15\n"
    );
}

TEST_F(Probe, AnNvmlWithoutMostSymbolsLosesFieldsAndNotDevices) {
    EXPECT_EQ(
        shown(probe_nvml(FAKE_NVML_OLD, root_).devices), "0 NVIDIA H100 ok\n1 NVIDIA L40S ok\n"
    );
}

TEST_F(Probe, DevicesLinkedByNvlinkAreOneDomain) {
    const std::string text = nvml("linked");
    const std::size_t second = text.find('\n');
    EXPECT_LT(text.find("link=0"), second) << text;
    EXPECT_NE(text.find("link=0", second), std::string::npos) << text;
    EXPECT_EQ(nvml("").find("link="), std::string::npos);
}

TEST_F(Probe, ALostDeviceIsFailedWithAnAlarm) {
    ::setenv("FAKE_NVML", "lost", 1);

    const VendorDevices found = probe_nvml(FAKE_NVML, root_);

    ASSERT_EQ(found.devices.size(), 2U);
    EXPECT_EQ(shown(found.devices[1]), "1 NVIDIA  failed reason=GPU is lost");
    EXPECT_EQ(found.alarms, (std::vector<Alarm>{{"nvml", "device 1: GPU is lost"}}));
}

TEST_F(Probe, AWornDeviceIsFailed) {
    EXPECT_NE(nvml("worn").find("failed reason=memory rows could not"), std::string::npos);
}

TEST_F(Probe, AnNvmlThatDoesNotStartIsUnknownAndNotNothing) {
    ::setenv("FAKE_NVML", "broken", 1);
    ProbeOptions options = nothing();
    options.nvml = FAKE_NVML;

    const Inventory inventory = probe(options);

    EXPECT_EQ(
        shown(inventory.devices), "0 NVIDIA  unknown reason=nvmlInit_v2: Driver Not Loaded\n"
    );
    EXPECT_EQ(inventory.alarms.size(), 1U);
}

TEST_F(Probe, ADeviceThatMigCutsIsListedInItsParts) {
    const std::string text = nvml("mig");

    EXPECT_TRUE(text.starts_with(
        "0 NVIDIA H100-1g.10gb uuid=MIG-2222 parent=GPU-0000 pci=0000:17:00.0 memory=10737418240"
    )) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
}

TEST_F(Probe, NamesTheDeviceFilesThatExist) {
    put("/dev/nvidia0", "");
    put("/dev/nvidiactl", "");

    const VendorDevices found = probe_nvml(FAKE_NVML, root_);

    EXPECT_EQ(found.devices[0].nodes, (std::vector<std::string>{"/dev/nvidia0", "/dev/nvidiactl"}));
    EXPECT_EQ(found.devices[1].nodes, (std::vector<std::string>{"/dev/nvidiactl"}));
}

TEST_F(Probe, DcmiGivesEveryFieldItHas) {
    EXPECT_EQ(
        shown(probe_dcmi(FAKE_DCMI, root_).devices),
        "0 Ascend Ascend910B2 memory=68719476736 used=3581935616 load=55 celsius=42 mW=93800 "
        "link=0 ok\n"
        "1 Ascend Ascend910B2 load=55 celsius=42 mW=93800 link=0 failed reason=alarm level 2\n"
    );
}

TEST_F(Probe, RocmSmiLibraryGivesEveryFieldItHas) {
    EXPECT_EQ(
        shown(probe_rocm_smi_library({kNone, FAKE_ROCM_SMI}, root_).devices),
        "0 AMD MI210 uuid=0x1f9de0957d137942 pci=0000:c5:00.0 memory=68702699520 load=12 "
        "celsius=38 mW=41000 ok\n"
    );
}

TEST_F(Probe, RocmDevicesLinkedByXgmiAreOneDomain) {
    ::setenv("FAKE_ROCM_SMI", "two", 1);
    const VendorDevices found = probe_rocm_smi_library({FAKE_ROCM_SMI}, root_);
    ASSERT_EQ(found.devices.size(), 2U);
    EXPECT_EQ(found.devices[0].link_domain, 0);
    EXPECT_EQ(found.devices[1].link_domain, 0);
}

TEST_F(Probe, ToolsAreAskedWhereLibrariesAreAbsent) {
    put("/npu-smi",
        "#!/bin/sh\n[ \"$1\" = info ] && cat " + std::filesystem::current_path().string() +
            "/testdata/npu-smi-910b.txt\n",
        0755);
    put("/rocm-smi",
        "#!/bin/sh\ncat " + std::filesystem::current_path().string() +
            "/testdata/rocm-smi-5.json\n",
        0755);
    ProbeOptions options = nothing();
    options.npu_smi = root_ + "/npu-smi";
    options.rocm_smi = root_ + "/rocm-smi";

    const Inventory inventory = probe(options);

    ASSERT_EQ(inventory.devices.size(), 3U);
    EXPECT_EQ(inventory.devices[1].model, "Ascend910B4");
    EXPECT_EQ(inventory.devices[2].model, "MI100");
    EXPECT_TRUE(inventory.alarms.empty());
}

TEST_F(Probe, AToolThatFailsOrHangsOrChangedIsUnknownWithAnAlarm) {
    put("/fails", "#!/bin/sh\nexit 3\n", 0755);
    put("/hangs", "#!/bin/sh\nsleep 60\n", 0755);
    put("/changed", "#!/bin/sh\necho new format\n", 0755);

    const VendorDevices fails = probe_npu_smi(root_ + "/fails", 10s, root_);
    const VendorDevices hangs = probe_npu_smi(root_ + "/hangs", 50ms, root_);
    const VendorDevices changed = probe_rocm_smi(root_ + "/changed", 10s, root_);

    EXPECT_EQ(fails.devices.front().health, DeviceHealth::unknown);
    EXPECT_NE(hangs.alarms.front().text.find("was killed"), std::string::npos);
    EXPECT_EQ(changed.alarms.front().text, "rocm-smi printed no JSON object");
    EXPECT_FALSE(changed.devices.front().memory_bytes) << "unknown, never zero";
}

TEST_F(Probe, PretendDevicesAreMarked) {
    ProbeOptions options = nothing();
    options.pretend = {{.model = "H100", .count = 2, .memory_bytes = 80LL << 30}};

    const Inventory inventory = probe(options);

    EXPECT_EQ(
        shown(inventory.devices),
        "0 simulated H100 uuid=SIM-H100-0 memory=85899345920 ok\n"
        "1 simulated H100 uuid=SIM-H100-1 memory=85899345920 ok\n"
    );
    EXPECT_TRUE(inventory.devices[0].simulated && inventory.devices[1].simulated);
}

}  // namespace
}  // namespace penstock::devices
