// SPDX-License-Identifier: Apache-2.0
#include "telemetry/metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace penstock::telemetry {
namespace {

TEST(Metrics, RendersEveryKind) {
    Registry registry;
    constexpr double kBounds[] = {0.1, 1};
    registry.counter("penstock_a_total", "Things.", {{"kind", "x\"y"}}).add(3);
    registry.gauge("penstock_b_bytes", "Size.").set(1.5);
    registry.gauge_of("penstock_c", "Asked.", [] { return 7.0; });
    Histogram& histogram = registry.histogram("penstock_d_seconds", "Time.", {}, kBounds);
    histogram.observe(0.1);
    histogram.observe(0.5);
    histogram.observe(3);

    EXPECT_EQ(
        registry.render(),
        "# HELP penstock_a_total Things.\n# TYPE penstock_a_total "
        "counter\npenstock_a_total{kind=\"x\\\"y\"} 3\n"
        "# HELP penstock_b_bytes Size.\n# TYPE penstock_b_bytes gauge\npenstock_b_bytes 1.5\n"
        "# HELP penstock_c Asked.\n# TYPE penstock_c gauge\npenstock_c 7\n"
        "# HELP penstock_d_seconds Time.\n# TYPE penstock_d_seconds histogram\n"
        "penstock_d_seconds_bucket{le=\"0.1\"} 1\npenstock_d_seconds_bucket{le=\"1\"} 2\n"
        "penstock_d_seconds_bucket{le=\"+Inf\"} 3\npenstock_d_seconds_sum "
        "3.6\npenstock_d_seconds_count 3\n"
    );
}

TEST(Metrics, TheSameLabelsAreTheSameSeries) {
    Registry registry;

    Counter& first = registry.counter("penstock_a_total", "Things.", {{"kind", "x"}});
    Counter& again = registry.counter("penstock_a_total", "Things.", {{"kind", "x"}});

    EXPECT_EQ(&first, &again);
}

TEST(Metrics, BeyondTheLimitSeriesAreCountedTogether) {
    Registry registry;
    for (std::size_t i = 0; i < kSeriesMax + 50; ++i)
        registry.counter("penstock_a_total", "Things.", {{"id", std::to_string(i)}}).add();

    const std::string text = registry.render();

    EXPECT_NE(text.find("penstock_a_total{id=\"other\"} 50\n"), std::string::npos);
}

TEST(Metrics, CountsFromManyThreads) {
    Registry registry;
    const auto count = [&] {
        for (int i = 0; i < 1000; ++i) registry.counter("penstock_a_total", "Things.").add();
    };

    std::thread one(count);
    std::thread two(count);
    one.join();
    two.join();

    EXPECT_EQ(registry.counter("penstock_a_total", "Things.").value(), 2000U);
}

TEST(MetricsDeath, OneNameKeepsItsKind) {
    EXPECT_DEATH(
        {
            Registry registry;
            registry.counter("penstock_a_total", "Things.");
            registry.gauge("penstock_a_total", "Things.");
        },
        "keeps its kind"
    );
}

TEST(Metrics, PrometheusAcceptsTheText) {
    if (std::system("command -v promtool >/dev/null 2>&1") != 0)
        GTEST_SKIP() << "promtool is not installed";
    Registry registry;
    registry
        .counter(
            "penstock_requests_total", "Requests.",
            {{"route", "/v1/tasks/{id}:cancel"}, {"status", "200"}}
        )
        .add();
    registry.gauge("penstock_queue_bytes", "Bytes that wait.").set(12);
    registry.histogram("penstock_request_duration_seconds", "Time.", {{"route", "/"}}).observe(0.2);
    const auto file =
        std::filesystem::temp_directory_path() / ("penstock_metrics_" + std::to_string(::getpid()));
    std::ofstream(file) << registry.render();

    const int status = std::system(("promtool check metrics < " + file.string() + " 2>&1").c_str());

    EXPECT_EQ(status, 0);
    std::filesystem::remove(file);
}

}  // namespace
}  // namespace penstock::telemetry
