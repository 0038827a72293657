// SPDX-License-Identifier: Apache-2.0
// A library with DCMI's interface, for tests: cards 0 and 4 of one chip each.
#include <cstring>

namespace {
struct ChipInfo {
    unsigned char chip_type[32], chip_name[32], chip_version[32];
    unsigned core_count;
};
struct HbmInfo {
    unsigned long long memory_size;
    unsigned frequency;
    unsigned long long memory_usage;
    int temperature;
    unsigned bandwidth_rate;
};
}  // namespace

extern "C" {
int dcmi_init() { return 0; }
int dcmi_get_card_list(int* count, int* cards, int) {
    *count = 2;
    cards[0] = 0;
    cards[1] = 4;
    return 0;
}
int dcmi_get_device_num_in_card(int, int* count) {
    *count = 1;
    return 0;
}
int dcmi_get_device_chip_info(int, int, void* info) {
    std::strcpy(reinterpret_cast<char*>(static_cast<ChipInfo*>(info)->chip_name), "910B2");
    return 0;
}
int dcmi_get_device_hbm_info(int card, int, void* info) {
    if (card == 4) return -8005;
    *static_cast<HbmInfo*>(info) = {65536, 1600, 3416, 40, 0};
    return 0;
}
int dcmi_get_device_utilization_rate(int, int, int kind, unsigned* rate) {
    *rate = kind == 2 ? 55 : 1;
    return 0;
}
int dcmi_get_device_health(int card, int, unsigned* health) {
    *health = card == 4 ? 2 : 0;
    return 0;
}
int dcmi_get_device_temperature(int, int, int* celsius) {
    *celsius = 42;
    return 0;
}
int dcmi_get_topo_info_by_device_id(int first, int, int second, int, int* kind) {
    *kind = first == 0 && second == 4 ? 3 : 1;
    return 0;
}
int dcmi_get_device_power_info(int, int, int* tenths) {
    *tenths = 938;
    return 0;
}
}
