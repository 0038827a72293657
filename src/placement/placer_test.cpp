// SPDX-License-Identifier: Apache-2.0
#include "placement/placer.h"

#include <gtest/gtest.h>

#include "placement/policies.h"

namespace penstock::placement {
namespace {

constexpr Request kShare{.cpu_milli = 1000, .devices = 1, .device_milli = 400};
constexpr Request kOne{.cpu_milli = 4000, .devices = 1, .device_milli = kWholeDevice};
constexpr Request kFour{.cpu_milli = 4000, .devices = 4, .device_milli = kWholeDevice};

Placer placer_of(const std::vector<NodeSpec>& specs, std::string_view policy = "fgd") {
    std::vector<Node> nodes;
    nodes.reserve(specs.size());
    for (const NodeSpec& spec : specs) nodes.push_back(make_node(spec));
    const std::vector<Request> workload{kShare, kOne, kFour};
    return Placer(
        std::move(nodes),
        make_policy(policy, {.workload = target_workload(workload), .models = 3}).value()
    );
}

// Of no placement: none.
DeviceMask devices_of(const std::optional<Placement>& placement) {
    return placement ? placement->devices : DeviceMask{0};
}

std::string verdicts(Placer& placer, const Request& request) {
    std::string text;
    const VerdictCounts& counts = placer.verdicts(placer.intern(request).value());
    for (std::size_t i = 0; i < kVerdicts; ++i)
        if (counts[i] > 0)
            text +=
                std::string(code(static_cast<Verdict>(i))) + "=" + std::to_string(counts[i]) + " ";
    return text;
}

TEST(Placer, SharesMeetOnOneDeviceBeforeASecondOneIsOpened) {
    Placer placer = placer_of({{.cpu_milli = 64000, .devices = 4, .model = 1}});
    const ShapeId shape = placer.intern(kShare).value();

    EXPECT_EQ(devices_of(placer.place(shape)), 0b0001);
    EXPECT_EQ(devices_of(placer.place(shape)), 0b0001);
    EXPECT_EQ(devices_of(placer.place(shape)), 0b0010);
}

TEST(Placer, SaysWhyATaskIsNotPlaced) {
    Placer placer = placer_of({
        {.cpu_milli = 1000, .devices = 2, .model = 1},
        {.cpu_milli = 64000, .devices = 2, .model = 1},
        {.cpu_milli = 1000, .devices = 8, .model = 1},
        {.cpu_milli = 64000, .devices = 8, .model = 2},
        {.cpu_milli = 64000, .memory_mib = 512, .devices = 8, .model = 1},
        {.cpu_milli = 64000, .devices = 8, .model = 1, .devices_per_domain = 2},
        {.cpu_milli = 64000},
    });
    Request request = kFour;
    request.models = 0b010;
    request.memory_mib = 1024;
    request.one_domain = true;

    EXPECT_FALSE(placer.place(placer.intern(request).value()));
    EXPECT_EQ(verdicts(placer, request), "Q1=1 Q2=2 Q4=1 NA=1 QM=1 QD=1 ");
    EXPECT_EQ(verdicts(placer, {.cpu_milli = 2000}), "XL=5 XR=2 ");
}

TEST(Placer, EightFreeNpusInTwoHalvesAreNotAFreeDomain) {
    Placer placer =
        placer_of({{.cpu_milli = 64000, .devices = 16, .model = 1, .devices_per_domain = 8}});
    const ShapeId four = placer.intern(kFour).value();
    const Request eight{
        .cpu_milli = 1000, .devices = 8, .device_milli = kWholeDevice, .one_domain = true
    };
    const auto left = placer.place(four);
    const auto right = placer.fit_on(0, placer.intern(eight).value());

    EXPECT_EQ(devices_of(left), 0x000F);
    EXPECT_EQ(devices_of(right), 0xFF00);  // the whole domain, not what is left of the first
    placer.take({.shape = four, .node = 0, .devices = 0x0F00});
    EXPECT_FALSE(placer.place(placer.intern(eight).value()));
    EXPECT_EQ(verdicts(placer, eight), "QD=1 ");
}

TEST(Placer, TiesGoToTheFirstNode) {
    Placer placer = placer_of(
        {{.cpu_milli = 64000, .devices = 8, .model = 1},
         {.cpu_milli = 64000, .devices = 8, .model = 1}}
    );

    const auto found = placer.find(placer.intern(kOne).value());

    ASSERT_TRUE(found.has_value());
    if (found) EXPECT_EQ(found->node, 0);
}

TEST(Placer, RefusesMoreShapesThanItsLimit) {
    Placer placer = placer_of({{.cpu_milli = 64000, .devices = 1, .model = 1}});
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(kShapesMax); ++i)
        EXPECT_TRUE(placer.intern({.cpu_milli = i}));

    EXPECT_EQ(
        to_string(placer.intern({.cpu_milli = -1}).error()),
        "resource_exhausted: more than 4096 distinct requests: round what tasks ask for"
    );
}

TEST(Placer, NamesThePoliciesThereAre) {
    EXPECT_TRUE(make_policy("nope", {})
                    .error()
                    .message.starts_with("there is no policy 'nope': choose one of fgd, "));
}

}  // namespace
}  // namespace penstock::placement
