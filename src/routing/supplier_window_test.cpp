// SPDX-License-Identifier: Apache-2.0
#include "routing/supplier_window.h"

#include <gtest/gtest.h>

namespace penstock::routing {
namespace {

const Time kStart = Time(1'700'000'000s);

TEST(SupplierWindow, HasNoFiguresWithoutSamples) {
    const SupplierFigures figures = SupplierWindow().figures(kStart);
    EXPECT_FALSE(figures.success_share.value);
    EXPECT_FALSE(figures.first_token_ms_p50.value);
    EXPECT_FALSE(figures.price_per_million_tokens);
}

TEST(SupplierWindow, TellsQuantilesSharesAndThePriceWithTheirSamples) {
    SupplierWindow window;
    for (int i = 1; i <= 20; ++i) window.add_first_token(i * 10ms, kStart);
    for (int i = 0; i < 4; ++i)
        window.add(
            {.succeeded = i > 0,
             .tokens_per_second = 10.0 * i,
             .tokens = 1'000'000,
             .charge = ExactMoney(__int128{2'500'000} * ExactMoney::kPerMicro)},
            kStart
        );
    const SupplierFigures figures = window.figures(kStart + 1s);
    EXPECT_DOUBLE_EQ(*figures.first_token_ms_p50.value, 100);
    EXPECT_DOUBLE_EQ(*figures.first_token_ms_p95.value, 190);
    EXPECT_EQ(figures.first_token_ms_p95.samples, 20);
    EXPECT_DOUBLE_EQ(*figures.success_share.value, 0.75);
    EXPECT_EQ(figures.success_share.samples, 4);
    EXPECT_DOUBLE_EQ(*figures.tokens_per_second_p50.value, 10);
    EXPECT_EQ(to_string(*figures.price_per_million_tokens), "2.5");
    EXPECT_EQ(figures.tokens_priced, 4'000'000);
}

TEST(SupplierWindow, KeepsTheNewestAndForgetsTheOld) {
    SupplierWindow window;
    for (int i = 0; i < 1000; ++i) window.add_first_token(i * 1ms, kStart);
    const Measured median = window.first_token_ms(0.5, kStart);
    EXPECT_EQ(median.samples, static_cast<std::int64_t>(SupplierWindow::kSamplesMax));
    EXPECT_DOUBLE_EQ(*median.value, 871);
    EXPECT_EQ(window.first_token_ms(0.5, kStart + SupplierWindow::kSpan + 1s).samples, 0);
}

}  // namespace
}  // namespace penstock::routing
