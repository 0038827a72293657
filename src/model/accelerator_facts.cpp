// SPDX-License-Identifier: Apache-2.0
// Figures of the makers' data sheets: NVIDIA (P100, V100, T4, A10, A100, L4, L40S, H100, H200), AMD
// (Instinct MI210, MI250X, MI300X), Huawei (Ascend 310, 910). H800, A800 and H20 as resellers print
// NVIDIA's.
#include "model/accelerator_facts.h"

#include <algorithm>
#include <vector>

namespace penstock {
namespace {

const std::vector<AcceleratorFacts>& table() {
    static const std::vector<AcceleratorFacts> kTable = {
        {"P100", 300, {{"fp64", 5.3}, {"fp32", 10.6}, {"fp16", 21.2}}},
        {"V100", 300, {{"fp64", 7.8}, {"fp32", 15.7}, {"fp16", 125}}},
        {"T4", 70, {{"fp32", 8.1}, {"fp16", 65}, {"int8", 130}}},
        {"A10", 150, {{"fp32", 31.2}, {"tf32", 62.5}, {"bf16", 125}, {"fp16", 125}, {"int8", 250}}},
        {"A100",
         400,
         {{"fp64", 9.7}, {"fp32", 19.5}, {"tf32", 156}, {"bf16", 312}, {"fp16", 312}, {"int8", 624}}
        },
        {"A800",
         400,
         {{"fp64", 9.7}, {"fp32", 19.5}, {"tf32", 156}, {"bf16", 312}, {"fp16", 312}, {"int8", 624}}
        },
        {"L4", 72, {{"fp32", 30.3}, {"bf16", 121}, {"fp16", 121}, {"fp8", 242}, {"int8", 242}}},
        {"L40S",
         350,
         {{"fp32", 91.6}, {"tf32", 183}, {"bf16", 362}, {"fp16", 362}, {"fp8", 733}, {"int8", 733}}
        },
        {"H100",
         700,
         {{"fp64", 34},
          {"fp32", 67},
          {"tf32", 494},
          {"bf16", 989},
          {"fp16", 989},
          {"fp8", 1979},
          {"int8", 1979}}},
        {"H200",
         700,
         {{"fp64", 34},
          {"fp32", 67},
          {"tf32", 494},
          {"bf16", 989},
          {"fp16", 989},
          {"fp8", 1979},
          {"int8", 1979}}},
        {"H800",
         700,
         {{"fp64", 1},
          {"fp32", 67},
          {"tf32", 494},
          {"bf16", 989},
          {"fp16", 989},
          {"fp8", 1979},
          {"int8", 1979}}},
        {"H20",
         400,
         {{"fp64", 1},
          {"fp32", 44},
          {"tf32", 74},
          {"bf16", 148},
          {"fp16", 148},
          {"fp8", 296},
          {"int8", 296}}},
        {"MI210", 300, {{"fp64", 22.6}, {"fp32", 22.6}, {"bf16", 181}, {"fp16", 181}, {"int8", 181}}
        },
        {"MI250X",
         560,
         {{"fp64", 47.9}, {"fp32", 47.9}, {"bf16", 383}, {"fp16", 383}, {"int8", 383}}},
        {"MI300X",
         750,
         {{"fp64", 81.7},
          {"fp32", 163.4},
          {"tf32", 653.7},
          {"bf16", 1307.4},
          {"fp16", 1307.4},
          {"fp8", 2614.9},
          {"int8", 2614.9}}},
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
