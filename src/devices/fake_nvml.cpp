// SPDX-License-Identifier: Apache-2.0
// A library with NVML's interface, for tests. Two devices: an H100 that is cut by MIG where
// FAKE_NVML says "mig", and an L40S that is lost where it says "lost"; "broken" fails to start;
// "linked" by NVLink.
#include <cstdlib>
#include <cstring>

namespace {
struct Memory {
    unsigned long long total, free, used;
};
struct Utilization {
    unsigned gpu, memory;
};
struct PciInfo {
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
};
bool mode(const char* word) {
    const char* set = std::getenv("FAKE_NVML");
    return set != nullptr && std::strcmp(set, word) == 0;
}
char handles[3];
long index_of(void* handle) { return static_cast<char*>(handle) - handles; }
}  // namespace

extern "C" {
int nvmlInit_v2() { return mode("broken") ? 9 : 0; }
int nvmlDeviceGetCount_v2(unsigned* count) {
    *count = 2;
    return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** handle) {
    if (index == 1 && mode("lost")) return 15;
    *handle = &handles[index];
    return 0;
}
int nvmlDeviceGetName(void* handle, char* text, unsigned size) {
    const char* names[] = {
        "NVIDIA H100 80GB HBM3", "NVIDIA L40S", "NVIDIA H100 80GB HBM3 MIG 1g.10gb"
    };
    std::strncpy(text, names[index_of(handle)], size);
    return 0;
}
#ifndef FAKE_NVML_OLD
int nvmlShutdown() { return 0; }
const char* nvmlErrorString(int code) { return code == 15 ? "GPU is lost" : "Driver Not Loaded"; }
int nvmlSystemGetDriverVersion(char* text, unsigned size) {
    std::strncpy(text, "550.54.15", size);
    return 0;
}
int nvmlDeviceGetUUID(void* handle, char* text, unsigned size) {
    const char* names[] = {"GPU-0000", "GPU-1111", "MIG-2222"};
    std::strncpy(text, names[index_of(handle)], size);
    return 0;
}
int nvmlDeviceGetMemoryInfo(void* handle, Memory* memory) {
    const unsigned long long gib = 1ULL << 30U;
    const unsigned long long sizes[] = {80 * gib, 48 * gib, 10 * gib};
    *memory = {sizes[index_of(handle)], sizes[index_of(handle)] - gib, gib};
    return 0;
}
int nvmlDeviceGetUtilizationRates(void* handle, Utilization* rates) {
    if (index_of(handle) == 1) return 3;  // not supported
    *rates = {37, 12};
    return 0;
}
int nvmlDeviceGetTemperature(void*, unsigned, unsigned* celsius) {
    *celsius = 41;
    return 0;
}
int nvmlDeviceGetPowerUsage(void*, unsigned* milliwatts) {
    *milliwatts = 121500;
    return 0;
}
int nvmlDeviceGetTotalEnergyConsumption(void*, unsigned long long* millijoules) {
    *millijoules = 5000000000ULL;
    return 0;
}
int nvmlDeviceGetPciInfo_v3(void* handle, PciInfo* pci) {
    *pci = {};
    pci->bus = static_cast<unsigned>(0x17 + index_of(handle));
    return 0;
}
int nvmlDeviceGetMinorNumber(void* handle, unsigned* minor) {
    *minor = static_cast<unsigned>(index_of(handle));
    return 0;
}
int nvmlDeviceGetTotalEccErrors(void* handle, unsigned, unsigned, unsigned long long* errors) {
    *errors = index_of(handle) == 1 ? 3 : 0;
    return 0;
}
int nvmlDeviceGetRemappedRows(
    void*, unsigned* a, unsigned* b, unsigned* pending, unsigned* failed
) {
    *a = *b = *pending = 0;
    *failed = mode("worn") ? 1 : 0;
    return 0;
}
int nvmlDeviceGetMigMode(void* handle, unsigned* current, unsigned* pending) {
    *current = *pending = index_of(handle) == 0 && mode("mig") ? 1 : 0;
    return 0;
}
int nvmlDeviceGetP2PStatus(void*, void*, int kind, int* status) {
    *status = kind == 2 && mode("linked") ? 0 : 5;
    return 0;
}
int nvmlDeviceGetMaxMigDeviceCount(void*, unsigned* count) {
    *count = 7;
    return 0;
}
int nvmlDeviceGetMigDeviceHandleByIndex(void*, unsigned index, void** handle) {
    if (index > 1) return 6;  // not found
    *handle = &handles[2];
    return 0;
}
#endif
}
