// SPDX-License-Identifier: Apache-2.0
#include "identity/code_issuer.h"

#include <gtest/gtest.h>

namespace penstock::identity {
namespace {

const ZonePrefix wuhan_a1{NodeCode("R21"), OrgCode("01002"), CityCode("420100"), ZoneCode("A1")};
const ZonePrefix wuhan_a2{NodeCode("R21"), OrgCode("01002"), CityCode("420100"), ZoneCode("A2")};

std::string text(const Result<RegistrationCode>& code) {
    return code ? to_string(*code) : to_string(code.error());
}

RegistrationCode numbered(const ZonePrefix& prefix, std::uint64_t seq) {
    return {prefix.node, prefix.org, prefix.city, prefix.zone, seq};
}

TEST(CodeIssuer, CountsEachPrefixFromOne) {
    CodeIssuer issuer;
    EXPECT_EQ(issuer.issue(wuhan_a1)->seq, 1U);
    EXPECT_EQ(issuer.issue(wuhan_a1)->seq, 2U);
    EXPECT_EQ(issuer.issue(wuhan_a2)->seq, 1U);
    EXPECT_EQ(issuer.last_seq(wuhan_a1), 2U);
}

TEST(CodeIssuer, IssuesCodesThatReadBack) {
    CodeIssuer issuer;
    const auto code = issuer.issue(wuhan_a1);
    ASSERT_TRUE(code);
    EXPECT_EQ(parse_registration_code(to_string(*code)), *code);
}

TEST(CodeIssuer, GivesServicesTheirReservedPlace) {
    CodeIssuer issuer;
    const ZonePrefix services{
        NodeCode("R21"), OrgCode("01002"), CityCode("000000"), ZoneCode("SV")
    };
    ASSERT_TRUE(issuer.replay(numbered(services, 9)));
    EXPECT_EQ(
        text(issuer.issue_service(NodeCode("R21"), OrgCode("01002"))), "R2101002000000SV0000000AJ"
    );
}

TEST(CodeIssuer, NeverReusesANumberAfterARestart) {
    CodeIssuer issuer;
    ASSERT_TRUE(issuer.replay(numbered(wuhan_a1, 7)));
    ASSERT_TRUE(issuer.replay(numbered(wuhan_a1, 3)));
    EXPECT_EQ(issuer.issue(wuhan_a1)->seq, 8U);
}

TEST(CodeIssuer, RefusesWhenTheNumbersAreUsedUp) {
    CodeIssuer issuer;
    ASSERT_TRUE(issuer.replay(numbered(wuhan_a1, kSeqMax - 1)));
    EXPECT_EQ(issuer.issue(wuhan_a1)->seq, kSeqMax);
    EXPECT_EQ(
        text(issuer.issue(wuhan_a1)),
        "resource_exhausted: all 2^40-1 numbers under R2101002420100A1 are used; issue under "
        "another zone"
    );
    EXPECT_TRUE(issuer.issue(wuhan_a2)) << "another zone goes on";
}

TEST(CodeIssuer, RefusesPlacesTheGrammarReserves) {
    CodeIssuer issuer;
    const ZonePrefix service_in_a_city{
        NodeCode("R21"), OrgCode("01002"), CityCode("420100"), ZoneCode("SV")
    };
    const ZonePrefix resource_nowhere{
        NodeCode("R21"), OrgCode("01002"), CityCode("000000"), ZoneCode("A1")
    };
    const ZonePrefix lower_case{
        NodeCode("r21"), OrgCode("01002"), CityCode("420100"), ZoneCode("A1")
    };
    EXPECT_EQ(issuer.issue(service_in_a_city).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(issuer.issue(resource_nowhere).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(issuer.issue(lower_case).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(issuer.replay(numbered(wuhan_a1, 0)).error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace penstock::identity
