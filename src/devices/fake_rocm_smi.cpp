// SPDX-License-Identifier: Apache-2.0
// A library with ROCm SMI's interface, for tests: one device; two, linked by XGMI, where
// FAKE_ROCM_SMI is set.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

extern "C" {
int rsmi_init(std::uint64_t) { return 0; }
int rsmi_shut_down() { return 0; }
int rsmi_num_monitor_devices(std::uint32_t* count) {
    *count = std::getenv("FAKE_ROCM_SMI") != nullptr ? 2 : 1;
    return 0;
}
int rsmi_topo_get_link_type(std::uint32_t, std::uint32_t, std::uint64_t* hops, int* type) {
    *hops = 1;
    *type = 2;
    return 0;
}
int rsmi_dev_name_get(std::uint32_t, char* text, std::size_t size) {
    std::strncpy(text, "AMD Instinct MI210", size);
    return 0;
}
int rsmi_dev_unique_id_get(std::uint32_t, std::uint64_t* id) {
    *id = 0x1f9de0957d137942U;
    return 0;
}
int rsmi_dev_pci_id_get(std::uint32_t, std::uint64_t* id) {
    *id = 0xC500;
    return 0;
}
int rsmi_dev_memory_total_get(std::uint32_t, int kind, std::uint64_t* bytes) {
    *bytes = 68702699520U;
    return kind;
}
int rsmi_dev_busy_percent_get(std::uint32_t, std::uint32_t* percent) {
    *percent = 12;
    return 0;
}
int rsmi_dev_temp_metric_get(std::uint32_t, std::uint32_t, int, std::int64_t* millidegrees) {
    *millidegrees = 38000;
    return 0;
}
int rsmi_dev_power_ave_get(std::uint32_t, std::uint32_t, std::uint64_t* microwatts) {
    *microwatts = 41000000;
    return 0;
}
}
