// SPDX-License-Identifier: Apache-2.0
// Figures of the makers' data sheets: NVIDIA (P100, V100, T4, A10, A100, L4, L40S, H100, H200), AMD
// (Instinct MI210, MI250X, MI300X), Huawei (Ascend 310, 910). H800, A800 and H20 as resellers print
// NVIDIA's.
#include "model/accelerator_facts.h"

#include <algorithm>
#include <vector>

namespace penstock {
namespace {

using Peaks = std::map<std::string, double>;

Peaks ampere() {
    return {{"fp64", 9.7}, {"fp32", 19.5}, {"tf32", 156},
            {"bf16", 312}, {"fp16", 312},  {"int8", 624}};
}

Peaks hopper(double fp64) {
    return {{"fp64", fp64}, {"fp32", 67},  {"tf32", 494}, {"bf16", 989},
            {"fp16", 989},  {"fp8", 1979}, {"int8", 1979}};
}

Peaks h20() {
    return {{"fp64", 1},   {"fp32", 44}, {"tf32", 74}, {"bf16", 148},
            {"fp16", 148}, {"fp8", 296}, {"int8", 296}};
}

Peaks l40s() {
    return {{"fp32", 91.6}, {"tf32", 183}, {"bf16", 362},
            {"fp16", 362},  {"fp8", 733},  {"int8", 733}};
}

Peaks mi300x() {
    return {{"fp64", 81.7},   {"fp32", 163.4}, {"tf32", 653.7}, {"bf16", 1307.4},
            {"fp16", 1307.4}, {"fp8", 2614.9}, {"int8", 2614.9}};
}

// MI210 and MI250X: the same rate for both of the wide precisions, and for all of the narrow ones.
Peaks cdna2(double wide, double narrow) {
    return {{"fp64", wide}, {"fp32", wide}, {"bf16", narrow}, {"fp16", narrow}, {"int8", narrow}};
}

const std::vector<AcceleratorFacts>& table() {
    static const std::vector<AcceleratorFacts> kTable = {
        {"P100", 300, {{"fp64", 5.3}, {"fp32", 10.6}, {"fp16", 21.2}}},
        {"V100", 300, {{"fp64", 7.8}, {"fp32", 15.7}, {"fp16", 125}}},
        {"T4", 70, {{"fp32", 8.1}, {"fp16", 65}, {"int8", 130}}},
        {"A10", 150, {{"fp32", 31.2}, {"tf32", 62.5}, {"bf16", 125}, {"fp16", 125}, {"int8", 250}}},
        {"A100", 400, ampere()},
        {"A800", 400, ampere()},
        {"L4", 72, {{"fp32", 30.3}, {"bf16", 121}, {"fp16", 121}, {"fp8", 242}, {"int8", 242}}},
        {"L40S", 350, l40s()},
        {"H100", 700, hopper(34)},
        {"H200", 700, hopper(34)},
        {"H800", 700, hopper(1)},
        {"H20", 400, h20()},
        {"MI210", 300, cdna2(22.6, 181)},
        {"MI250X", 560, cdna2(47.9, 383)},
        {"MI300X", 750, mi300x()},
        {"Ascend310", 8, {{"fp16", 8}, {"int8", 16}}},
        {"Ascend910", 310, {{"fp16", 256}, {"int8", 512}}},
    };
    return kTable;
}

}  // namespace

const AcceleratorFacts* facts_of(std::string_view model) {
    const auto found = std::ranges::find(table(), model, &AcceleratorFacts::model);
    return found == table().end() ? nullptr : &*found;
}

const std::map<std::string, double>& board_watts_by_model() {
    static const std::map<std::string, double> kWatts = [] {
        std::map<std::string, double> watts;
        for (const AcceleratorFacts& facts : table()) watts.emplace(facts.model, facts.board_watts);
        return watts;
    }();
    return kWatts;
}

}  // namespace penstock
