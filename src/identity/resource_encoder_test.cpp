// SPDX-License-Identifier: Apache-2.0
#include "identity/resource_encoder.h"

#include <gtest/gtest.h>

namespace penstock::identity {
namespace {

constexpr std::uint64_t kGib = 1ULL << 30;
constexpr std::uint64_t kTib = 1ULL << 40;

const RegistrationCode code = *parse_registration_code("R2101002420100A10000007KF");

// The text behind the code, then what was left out.
std::string encoded(
    const ResourceDescription& description, std::string_view authority = "hb.node.example"
) {
    const auto described = describe_resource(authority, code, description);
    if (!described) return to_string(described.error());
    EXPECT_TRUE(validate(described->c_url)) << to_string(described->c_url);
    std::string text =
        to_string(described->c_url).substr(kScheme.size() + authority.size() + 1 + kCodeLength);
    for (const std::string& line : described->left_out) text += " | " + line;
    return text;
}

ResourceDescription ascend_server() {
    ResourceDescription server;
    server.kind = kKindAi;
    server.chips = {{"ASC910B", 8, ChipUnit::card}};
    server.peak = {{"FP16", 2'560'000}};
    server.device_memory_bytes = 512 * kGib;
    server.host_memory_bytes = 2 * kTib;
    server.network = {200'000, 'R'};
    server.path = {"SRV6", {"IXP"}};
    return server;
}

std::string repeated(std::string_view word, int times) {
    std::string text;
    for (; times > 0; --times) text += word;
    return text;
}
std::string size_text(std::uint64_t bytes) {
    const auto quantity = shorten(bytes, kSizeLadder);
    return quantity ? std::to_string(quantity->value) + kSizeUnits[quantity->unit] : "too great";
}
std::string rate_text(std::uint64_t giga_ops_per_s) {
    const auto quantity = shorten(giga_ops_per_s, kRateLadder);
    return quantity ? std::to_string(quantity->value) + kRateUnits[quantity->unit] : "too great";
}

TEST(ResourceEncoder, WritesAnAcceleratorServerWithDeviceMemory) {
    EXPECT_EQ(encoded(ascend_server()), "/R402.ASC910B.8/SP2560T.FP16-M512G-N200R/PSRV6.IXP");
}

TEST(ResourceEncoder, WritesASiteOfProcessorsOnlyInCoresWithHostMemory) {
    ResourceDescription site = general_purpose_site(host_chip("x86_64").value_or(""), 2);
    site.peak = {{"FP32", 141}, {"FP64", 70}};
    site.host_memory_bytes = 23'596'969'984;
    site.storage_bytes = 64'000'000'000;
    site.network = {1'000, 'T'};
    site.virtualisation = "VCB";
    EXPECT_EQ(encoded(site), "/R401.AMD64.2/SP141G.FP32.70G.FP64-M22G-T60G-N1T-VBCV");
    EXPECT_EQ(encoded(general_purpose_site(host_chip("aarch64").value_or(""), 4)), "/R401.ARM64.4");
    EXPECT_EQ(host_chip("mips"), std::nullopt);
}

TEST(ResourceEncoder, SortsEverythingAndAddsUpChips) {
    ResourceDescription mixed;
    mixed.kind = kKindAi;
    mixed.chips = {{"H100", 4}, {"A100", 8}, {"H100", 4}, {"AMD64", 128, ChipUnit::core}};
    mixed.peak = {{"FP64", 1'200'000}, {"FP16", 8'000'000}};
    mixed.virtualisation = "MFM";
    EXPECT_EQ(encoded(mixed), "/R402.A100.8.AMD64.128.H100.8/SP8P.FP16.1200T.FP64-VFM");
}

TEST(ResourceEncoder, RoundsHalfUpToFourDigits) {
    EXPECT_EQ(rate_text(12'344), "12340G");
    EXPECT_EQ(rate_text(12'345), "12350G");
    EXPECT_EQ(rate_text(123'450), "123500G");
    EXPECT_EQ(rate_text(1'234'567), "1235T");
    EXPECT_EQ(rate_text(999'950), "1P");
    EXPECT_EQ(size_text(12'345 * kGib), "12350G");
    EXPECT_EQ(size_text(kGib * 3 / 2), "2G");
    EXPECT_EQ(size_text(kGib * 3 / 2 - 1), "1G");
    EXPECT_EQ(size_text(kGib / 2), "1G");
    EXPECT_EQ(size_text(kGib / 2 - 1), "0G");
}

TEST(ResourceEncoder, UsesTheGreatestUnitThatKeepsAFigureWhole) {
    EXPECT_EQ(size_text(1023 * kGib), "1023G");
    EXPECT_EQ(size_text(1024 * kGib), "1T");
    EXPECT_EQ(size_text(1128 * kGib), "1128G");
    EXPECT_EQ(size_text(16'384 * kGib), "16T");
    EXPECT_EQ(size_text(1024 * kTib - 1), "1P");
    EXPECT_EQ(size_text(12'345 * kTib), "12350T");
    EXPECT_EQ(rate_text(1'000'000'000'000'000), "too great");
    EXPECT_EQ(size_text(~0ULL), "16380P");
    EXPECT_EQ(rate_text(3'000'000), "3P");
    EXPECT_EQ(rate_text(2'000'000'000'000), "2000E");
}

TEST(ResourceEncoder, LeavesOutWhatIsNotKnownOrTooSmall) {
    ResourceDescription device = general_purpose_site("ARM64", 1);
    device.host_memory_bytes = 256'000'000;
    device.network = {100, 'T'};
    EXPECT_EQ(
        encoded(device),
        "/R401.ARM64.1 | memory: below half of the smallest unit | network: below half of the "
        "smallest unit"
    );
}

TEST(ResourceEncoder, LeavesOutAPartOverItsLimitAndThoseBehindIt) {
    ResourceDescription nine_chips = ascend_server();
    for (char c = 'A'; c < 'I'; ++c) nine_chips.chips.push_back({std::string("X") + c, 1});
    EXPECT_EQ(
        encoded(nine_chips),
        " | resource: 9 chips, at most 8 fit | spec: it needs a resource part before it | path: it "
        "needs a spec before it"
    );

    ResourceDescription nine_hops = ascend_server();
    nine_hops.path = {"SRV6", std::vector<std::string>(9, "AA")};
    EXPECT_EQ(
        encoded(nine_hops), "/R402.ASC910B.8/SP2560T.FP16-M512G-N200R | path: more than 8 hops"
    );

    ResourceDescription huge = ascend_server();
    huge.chips = {{"H100", 9'999'999}, {"H100", 1}};
    EXPECT_TRUE(encoded(huge).starts_with(" | resource: the count of H100 has more than 7 digits"));

    ResourceDescription five_precisions = ascend_server();
    five_precisions.peak = {{"AA", 1}, {"BB", 1}, {"CC", 1}, {"DD", 1}, {"EE", 1}};
    EXPECT_EQ(
        encoded(five_precisions),
        "/R402.ASC910B.8 | spec: more than 4 precisions | path: it needs a spec before it"
    );
}

TEST(ResourceEncoder, DropsPathThenSpecWhenTheWholeIsTooLong) {
    const std::string label(63, 'a');
    const std::string authority = label + "." + label + "." + label + "." + std::string(61, 'a');
    ResourceDescription wide = ascend_server();
    wide.path = {"SRV6", {"ABCDEFGHIJKL", "ABCDEFGHIJKL"}};
    EXPECT_TRUE(encoded(wide, authority).ends_with("/PSRV6.ABCDEFGHIJKL.ABCDEFGHIJKL")) << "fits";

    wide.path = {"SRV6", std::vector<std::string>(8, "ABCDEFGHIJKL")};
    wide.peak = {{"FP16ABCD", 123'400}, {"FP32ABCD", 123'400}, {"FP64ABCD", 123'400}};
    EXPECT_TRUE(encoded(wide, authority).ends_with("-N200R/PSRV6" + repeated(".ABCDEFGHIJKL", 8)))
        << "fits still";

    wide.chips.clear();
    for (const std::string chip : {"A", "B", "C", "D"})
        wide.chips.push_back({chip + "CDEFGHIJKLMNOP", 9'999'999});
    EXPECT_TRUE(encoded(wide, authority)
                    .ends_with("-N200R | path: the C-URL would have more than 512 octets"));

    wide.chips.push_back({"EBCDEFGHIJKLMNOP", 9'999'999});
    wide.peak.push_back({"INT8ABCD", 123'400});
    wide.device_memory_bytes = 123'400 * kGib;
    wide.storage_bytes = 123'400 * kGib;
    wide.virtualisation = "BCFMPV";
    EXPECT_TRUE(encoded(wide, authority)
                    .ends_with("NOP.9999999 | path: the C-URL would have more than 512 octets"
                               " | spec: the C-URL would have more than 512 octets"));
}

TEST(ResourceEncoder, RefusesMalformedCodesByField) {
    ResourceDescription server = ascend_server();
    server.chips.push_back({"h100", 8});
    EXPECT_EQ(
        encoded(server),
        "invalid_argument: chips[1].chip: 'h100' is no code; write 2 to 16 upper-case letters and "
        "digits"
    );
    server = ascend_server();
    server.kind = "AI";
    EXPECT_EQ(
        encoded(server),
        "invalid_argument: kind: 'AI' is no resource kind; write three digits, as 401"
    );
    server = ascend_server();
    server.peak.push_back({"FP16", 1});
    EXPECT_TRUE(encoded(server).starts_with("invalid_argument: peak[0].precision: FP16 occurs twice"
    ));
    EXPECT_TRUE(
        encoded(ascend_server(), "localhost").starts_with("invalid_argument: c_url: bad_authority")
    );
}

}  // namespace
}  // namespace penstock::identity
