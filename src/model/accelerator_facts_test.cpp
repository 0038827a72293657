// SPDX-License-Identifier: Apache-2.0
#include "model/accelerator_facts.h"

#include <gtest/gtest.h>

#include <set>

namespace penstock {
namespace {

TEST(AcceleratorFacts, KnowsAModelByItsExactName) {
    ASSERT_NE(facts_of("H100"), nullptr);
    EXPECT_EQ(facts_of("H100")->board_watts, 700);
    EXPECT_EQ(facts_of("h100"), nullptr);
    EXPECT_EQ(facts_of("no such card"), nullptr);
}

TEST(AcceleratorFacts, AreOfKnownPrecisionsAndNeverFasterWithMoreBits) {
    const std::set<std::string> known{"fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8"};
    for (const auto& [model, watts] : board_watts_by_model()) {
        EXPECT_GT(watts, 0) << model;
        const auto& peaks = facts_of(model)->peak_tflops;
        for (const auto& [precision, peak] : peaks) {
            EXPECT_TRUE(known.contains(precision)) << model << " " << precision;
            EXPECT_GT(peak, 0) << model << " " << precision;
        }
        double before = 0;
        for (const char* precision : {"fp64", "fp32", "tf32", "fp16", "fp8"}) {
            if (!peaks.contains(precision)) continue;
            EXPECT_GE(peaks.at(precision), before) << model << " " << precision;
            before = peaks.at(precision);
        }
    }
}

}  // namespace
}  // namespace penstock
