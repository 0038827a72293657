// SPDX-License-Identifier: Apache-2.0
#include "agent/accelerators.h"

#include <gtest/gtest.h>

namespace penstock::agent {
namespace {

std::vector<devices::Device> two_cards() {
    devices::Device card;
    card.vendor = "NVIDIA";
    card.model = "H100";
    card.uuid = "GPU-0";
    card.health = devices::DeviceHealth::ok;
    devices::Device other = card;
    other.index = 1;
    other.uuid = "GPU-1";
    return {card, other};
}

std::string assigned(const AcceleratorUse& use, const char* request) {
    const auto result = assign_accelerators(two_cards(), use, parse_accelerator(request).value());
    if (!result) return result.error().message;
    if (!*result) return "busy";
    std::string text;
    for (const std::int64_t position : **result) text += std::to_string(position) + " ";
    return text;
}

TEST(Accelerators, GivesWholeDevicesThatAreFree) {
    EXPECT_EQ(assigned({}, "H100:2"), "0 1 ");
    EXPECT_EQ(assigned({{0, 1000}}, "H100:1"), "1 ");
    EXPECT_EQ(assigned({{0, 500}}, "H100:2"), "busy");
}

TEST(Accelerators, PutsFractionsTogether) {
    EXPECT_EQ(assigned({{1, 500}}, "H100:0.5"), "1 ");
    EXPECT_EQ(assigned({{1, 600}}, "H100:0.5"), "0 ");
    EXPECT_EQ(assigned({{0, 1000}, {1, 600}}, "H100:0.5"), "busy");
}

TEST(Accelerators, SaysWhatCanNeverBe) {
    EXPECT_EQ(assigned({}, "H100:3"), "this node has 2 usable H100, 3 are asked for");
    EXPECT_EQ(assigned({}, "A10:1"), "this node has 0 usable A10, 1 are asked for");
    EXPECT_EQ(
        assign_accelerators(two_cards(), {}, {"H100", 1500}).error().message,
        "1500 thousandths of H100: ask for a part of one device or for whole devices"
    );
}

TEST(Accelerators, TakesTheDevicesThatTheServerNamed) {
    const auto named = [](const AcceleratorUse& use, const char* request,
                          const std::vector<std::int64_t>& positions) -> std::string {
        const auto result = assign_named_accelerators(
            two_cards(), use, parse_accelerator(request).value(), positions
        );
        if (!result) return result.error().message;
        return *result && **result == positions ? "as named" : "busy";
    };
    EXPECT_EQ(named({{0, 500}}, "H100:0.5", {1}), "as named");
    EXPECT_EQ(named({{0, 500}}, "H100:0.5", {0}), "as named");
    EXPECT_EQ(named({{0, 600}}, "H100:0.5", {0}), "busy");
    EXPECT_EQ(named({{1, 100}}, "H100:2", {0, 1}), "busy");
    EXPECT_EQ(named({}, "H100:1", {2}), "this node has no usable H100 at position 2");
}

TEST(Accelerators, CountsNoFailedDevice) {
    std::vector<devices::Device> cards = two_cards();
    cards[0].health = devices::DeviceHealth::failed;

    EXPECT_EQ(accelerator_capacity(cards).at("H100"), 1000);
    EXPECT_EQ(assign_accelerators(cards, {}, {"H100", 1000}).value().value().at(0), 1);
}

TEST(Accelerators, KeepsTheirPlacesWhenOneIsLost) {
    std::vector<devices::Device> cards = two_cards();

    refresh_health(cards, {two_cards()[1]});

    EXPECT_EQ(health_problem(cards), "H100 0 failed: it is not found any more");
    EXPECT_EQ(assign_accelerators(cards, {}, {"H100", 1000}).value().value().at(0), 1);
    refresh_health(cards, two_cards());
    EXPECT_EQ(health_problem(cards), "");
}

TEST(Accelerators, ShowsATaskOnlyItsOwn) {
    EXPECT_EQ(visibility(two_cards(), {1}).at("CUDA_VISIBLE_DEVICES"), "GPU-1");
}

}  // namespace
}  // namespace penstock::agent
