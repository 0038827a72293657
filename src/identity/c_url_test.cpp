// SPDX-License-Identifier: Apache-2.0
#include "identity/c_url.h"

#include <gtest/gtest.h>

#include <unordered_set>

namespace penstock::identity {
namespace {

constexpr std::string_view kBare = "c-url://hb.node.example/R2101002420100A10000007KF";
constexpr std::string_view kAllParts =
    "c-url://hb.node.example/R2101002420100A10000007KF/R402.ASC910B.8/SP2560T.FP16-M512G-N200R/"
    "PSRV6.IXP";
constexpr std::string_view kService = "c-url://hb.node.example/R2101002000000SV0000000AJ";
constexpr std::string_view kInstance =
    "c-url://hb.node.example/R2101002000000SV0000000AJ/IR2101002420100A10000007KF.1";

CUrl read(std::string_view text) {
    const auto parsed = parse(text);
    EXPECT_TRUE(parsed) << (parsed ? "" : to_string(parsed.error()));
    return parsed.value_or(CUrl{});
}
std::string told(std::string_view text) {
    const auto parsed = parse(text);
    return parsed ? "ok" : to_string(parsed.error());
}

TEST(CUrl, GivesTheFourPartsTheirTypes) {
    const CUrl c_url = read(kAllParts);

    EXPECT_EQ(c_url.authority, "hb.node.example");
    EXPECT_EQ(c_url.resource, (ResourcePart{KindCode("402"), {{ChipCode("ASC910B"), 8}}}));
    SpecPart spec;
    spec.peak = {{2560, RateUnit::tera, InlineText<kPrecisionLengthMax>("FP16")}};
    spec.memory = {512, SizeUnit::gib};
    spec.network = {200, 'R'};
    EXPECT_EQ(c_url.spec, spec);
    EXPECT_EQ(c_url.path, (PathPart{PathCode("SRV6"), {PathCode("IXP")}}));
}

TEST(CUrl, GivesServiceInstanceQueryAndView) {
    const CUrl service = read(std::string(kService) + "/VLLM.qwen3-32b.2026-09");
    ServicePart offered{InlineText<kServiceKindLengthMax>("LLM"), {}, {}};
    offered.name.assign("qwen3-32b");
    offered.version.assign("2026-09");
    EXPECT_EQ(service.service, offered);

    const CUrl instance = read(kInstance);
    EXPECT_EQ(
        instance.instance, (InstancePart{*parse_registration_code("R2101002420100A10000007KF"), 1})
    );

    const CUrl asked = read(std::string(kBare) + "?q.region=cn-hubei&ttl=60&v=42#K2");
    EXPECT_EQ(asked.query, (Query{{{"region", "cn-hubei"}}, 60, 42}));
    EXPECT_EQ(asked.view, CapacityView::available);
}

TEST(CUrl, IsEqualByItsCodeAlone) {
    const std::string alias = "curl" + std::string(kBare.substr(5));
    const std::string elsewhere = "c-url://other.example" + std::string(kBare.substr(23));
    const std::unordered_set<CUrl> same = {
        read(kBare), read(alias), read(kAllParts), read(elsewhere),
        read(std::string(kBare) + "/R402.ASC910B.8#K1")
    };
    EXPECT_EQ(same.size(), 1U);
    EXPECT_FALSE(read(kBare) == read("c-url://hb.node.example/X9901002420100A10000007KM"));
}

TEST(CUrl, IsEqualForInstancesByServiceHostAndOrdinal) {
    const std::string second = std::string(kInstance.substr(0, kInstance.size() - 1)) + "2";
    EXPECT_TRUE(read(kService) == read(std::string(kService) + "/VLLM"));
    EXPECT_FALSE(read(kService) == read(kInstance));
    EXPECT_FALSE(read(kInstance) == read(second));
    EXPECT_TRUE(read(kInstance) == read(std::string(kInstance) + "?ttl=1"));
}

TEST(CUrl, ErrorsNameTheOctetAndTheRemedy) {
    EXPECT_EQ(
        told(std::string(kBare) + "/R402.H100.8/SM1024G"),
        "not_canonical at octet 64: the memory is a multiple of 1024; write 1T"
    );
    EXPECT_EQ(
        told(std::string(kBare) + "/R402.H100.4.A100.16"),
        "not_canonical at octet 62: chip A100 stands after H100; list each chip once, ascending by "
        "code"
    );
    EXPECT_EQ(
        told(std::string(kBare) + "/SP2560T.FP16"),
        "bad_part at octet 50: part 1 does not start with R; write the parts in the order /R… /S… "
        "/P…; each needs the ones before it"
    );
    EXPECT_EQ(
        told("c-url://hb.node.example:8443/R2101002420100A10000007KF"),
        "bad_authority at octet 16: 'example:8443' is no label of a host name; name a host as "
        "hb.node.example: lower case, no port, no user, no address"
    );
    EXPECT_EQ(
        told(std::string(kBare) + "?ttl=90000"),
        "bad_query at octet 54: ttl is '90000'; write a whole number from 1 to 86400"
    );
    EXPECT_EQ(
        told("c-url://hb.node.example/R2101002420100A10000007KA"),
        "bad_check at octet 48: the check character is A, but the 24 characters before it need F; "
        "compare the code with its source; a character was mistyped or two were swapped"
    );
}

TEST(CUrl, ReadsABareCodeWhereEitherMayStand) {
    const Identity resource{*parse_registration_code("R2101002420100A10000007KF"), {}};
    EXPECT_EQ(parse_identity("R2101002420100A10000007KF"), resource);
    EXPECT_EQ(parse_identity(kAllParts), resource);
    EXPECT_EQ(parse_identity(kInstance), read(kInstance).identity());
    EXPECT_EQ(parse_identity("R2101002420100A10000007KA").error().code, CUrlErrorCode::bad_check);
    EXPECT_EQ(parse("R2101002420100A10000007KF").error().code, CUrlErrorCode::bad_scheme);
}

TEST(CUrl, ForgivesWhatAPersonTypesOnlyInTheLenientForm) {
    const std::string typed = "  C-URL://HB.Node.Example/R2101002420100A10000007KF/R402\n";
    EXPECT_FALSE(parse(typed));
    EXPECT_EQ(to_string(*parse_lenient(typed)), std::string(kBare) + "/R402");
    EXPECT_EQ(
        parse_identity_lenient("\tr2101002420100a10000007kf ")->code,
        *parse_registration_code("R2101002420100A10000007KF")
    );
    EXPECT_EQ(
        parse_lenient("c-url://hb.node.example/r2101002420100a10000007kf").error().code,
        CUrlErrorCode::bad_reg
    ) << "within a C-URL the code stays strict";
    EXPECT_EQ(parse_lenient("").error().code, CUrlErrorCode::bad_scheme);
}

TEST(CUrl, ValidatesOneBuiltByHand) {
    CUrl c_url = read(kBare);
    EXPECT_TRUE(validate(c_url));

    c_url.path = PathPart{PathCode("TCP"), {}};
    EXPECT_EQ(validate(c_url).error().code, CUrlErrorCode::bad_part) << "path without spec";

    c_url = read(kBare);
    c_url.authority.assign("hb.node.example/R2101002420100A10000007KF?q");
    EXPECT_FALSE(validate(c_url));

    c_url = read(kService);
    c_url.service = ServicePart{
        InlineText<kServiceKindLengthMax>("LLM"), {}, InlineText<kServiceLabelLengthMax>("v1")
    };
    EXPECT_EQ(validate(c_url).error().code, CUrlErrorCode::bad_part) << "version without name";

    c_url = CUrl{};
    c_url.code.node = NodeCode("r21");
    EXPECT_EQ(validate(c_url).error().code, CUrlErrorCode::bad_reg);
}

}  // namespace
}  // namespace penstock::identity
