// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::telemetry {

// Series per family; further label values are counted together under "other" in every label.
constexpr std::size_t kSeriesMax = 1000;

// All three may be updated from any thread.
class Counter {
  public:
    void add(std::uint64_t by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<std::uint64_t> value_ = 0;
};

class Gauge {
  public:
    void set(double to) { value_.store(to, std::memory_order_relaxed); }
    void add(double by) { value_.fetch_add(by, std::memory_order_relaxed); }
    double value() const { return value_.load(std::memory_order_relaxed); }

  private:
    std::atomic<double> value_ = 0;
};

class Histogram {
  public:
    explicit Histogram(std::span<const double> bounds);
    void observe(double value);
    const std::vector<double>& bounds() const { return bounds_; }
    // Not cumulative; the last one is above all bounds.
    std::uint64_t bucket(std::size_t at) const {
        return buckets_[at].load(std::memory_order_relaxed);
    }
    std::uint64_t count() const;
    double sum() const { return sum_.load(std::memory_order_relaxed); }

  private:
    std::vector<double> bounds_;
    std::unique_ptr<std::atomic<std::uint64_t>[]> buckets_;
    std::atomic<double> sum_ = 0;
};

// Seconds, from a tenth of a millisecond to a minute.
std::span<const double> latency_bounds();

// The metrics of one process part. Look a series up once and keep the reference: it lives as long
// as the registry. Names follow Prometheus: "penstock_http_requests_total", base units (seconds,
// bytes).
//     Counter& failed = metrics.counter("penstock_x_total", "What it counts.", {{"reason",
//     "timeout"}});
// CHECKs that the name is valid and that one name keeps its kind, help and label names.
class Registry {
  public:
    struct Label {
        std::string_view name;
        std::string_view value;
    };
    using Labels = std::initializer_list<Label>;

    Registry();
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
    Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});
    Histogram& histogram(
        std::string_view name, std::string_view help, Labels labels = {},
        std::span<const double> bounds = latency_bounds()
    );
    // A gauge that is asked when the text is made, on the thread that makes it.
    void gauge_of(std::string_view name, std::string_view help, std::function<double()> read);

    // Prometheus text format 0.0.4; families and series in a stable order.
    std::string render() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace penstock::telemetry
