// SPDX-License-Identifier: Apache-2.0
#include "model/class_prices.h"

#include <gtest/gtest.h>

#include <limits>

#include "json/json.h"
#include "model/billing.h"
#include "model/endpoint.h"

namespace penstock {
namespace {

// As they were written before classes had prices and texts were counted.
constexpr std::string_view kOldEndpoint =
    R"({"id":"ep_00000000040000000000000001","provider_id":"og_00000000040000000000000002",)"
    R"("provider":"lab","model":"m","upstream_model":"u","url":"http://engine","protocol":"openai",)"
    R"("site":"","c_url":"","price_input":"0.1","price_output":"0.4","price_version":3,)"
    R"("state":"ready","probe":"200","simulated":false,"created_at":"2026-01-02T03:04:05Z"})";
constexpr std::string_view kOldItem =
    R"({"meter":"cache_read_tokens","unit":"token","quantity":4,"price":"0.0000001",)"
    R"("exact_amount":"0.000000400000000"})";

TEST(ClassPrices, AnEndpointStoredBeforeThereWereAnyHasNone) {
    const Result<Endpoint> read = json::parse<Endpoint>(kOldEndpoint);
    ASSERT_TRUE(read) << to_string(read.error());
    EXPECT_EQ(read->class_prices, std::nullopt);
    EXPECT_EQ(read->tokenizer_sha256, std::nullopt);
    EXPECT_EQ(read->second_meter, std::nullopt);
    EXPECT_EQ(json::print(*read), kOldEndpoint);
}

TEST(ClassPrices, ALineBilledBeforeThereWereAnyIsReadAsItWas) {
    const Result<UsageItem> read = json::parse<UsageItem>(kOldItem);
    ASSERT_TRUE(read) << to_string(read.error());
    EXPECT_EQ(read->priced_as, std::nullopt);
    EXPECT_EQ(json::print(*read), kOldItem);
    BillLine line;
    line.usage.push_back(*read);
    EXPECT_EQ(json::print(line).find("counted"), std::string::npos);
}

TEST(ClassPrices, ANegativeOneIsRefusedByName) {
    const Result<UpdateEndpoint> read =
        json::parse<UpdateEndpoint>(R"({"class_prices":{"cache_read":"-0.1"}})");
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().field, "class_prices.cache_read");
}

TEST(ClassPrices, AShareIsRoundedDownToANanoYuan) {
    EXPECT_EQ(to_string(*share_of(*parse_price("0.40"), 50)), "0.2");
    EXPECT_EQ(to_string(*share_of(*parse_price("0.000000003"), 50)), "0.000000001");
    EXPECT_EQ(to_string(*share_of(*parse_price("0.000000001"), 99)), "0");
    EXPECT_EQ(to_string(*share_of(*parse_price("12"), 100)), "12");
    EXPECT_EQ(to_string(*share_of(Price{}, 50)), "0");
}

TEST(ClassPrices, AShareOfAnyPriceThatCanBeHeldCanBeHeld) {
    constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
    EXPECT_EQ(share_of(Price{kMax, 0}, 100)->num, kMax);
    EXPECT_EQ(share_of(Price{kMax, 0}, 99)->num, 9'131'138'316'486'228'048);
    EXPECT_EQ(to_string(*share_of(Price{kMax, 9}, 1)), "92233720.368547758");
    EXPECT_FALSE(share_of(Price{kMax, 0}, 200).has_value());
}

TEST(ClassPrices, AShareIsOneToAHundredPercent) {
    EXPECT_TRUE(check_share(std::nullopt, "batch_percent"));
    EXPECT_TRUE(check_share(1, "batch_percent"));
    EXPECT_TRUE(check_share(100, "batch_percent"));
    EXPECT_EQ(check_share(0, "batch_percent").error().field, "batch_percent");
    EXPECT_FALSE(check_share(101, "batch_percent"));
}

}  // namespace
}  // namespace penstock
