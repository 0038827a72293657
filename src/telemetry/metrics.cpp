// SPDX-License-Identifier: Apache-2.0
#include "telemetry/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <variant>

#include "base/check.h"
#include "base/guarded.h"

namespace penstock::telemetry {
namespace {

constexpr double kLatencyBounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                     0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                     1,      2.5,     5,      10,    30,     60};

bool valid_name(std::string_view name, bool colon) {
    const auto letter = [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colon && c == ':');
    };
    return !name.empty() && letter(name.front()) &&
           std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::string escape(std::string_view text, bool quotes) {
    std::string out;
    for (const char c : text) {
        if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else if (c == '"' && quotes)
            out += "\\\"";
        else
            out += c;
    }
    return out;
}

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return fmt::format("{}", value);
}

using LabelTexts = std::vector<std::pair<std::string, std::string>>;

// {a="1",b="2"}, with one more label at the end if given.
std::string print(
    const LabelTexts& labels, std::string_view extra_name = {}, std::string_view extra_value = {}
) {
    std::string out;
    const auto add = [&](std::string_view name, std::string_view value) {
        out += fmt::format("{}{}=\"{}\"", out.empty() ? "{" : ",", name, escape(value, true));
    };
    for (const auto& [name, value] : labels) add(name, value);
    if (!extra_name.empty()) add(extra_name, extra_value);
    return out.empty() ? out : out + "}";
}

using Metric = std::variant<
    std::unique_ptr<Counter>, std::unique_ptr<Gauge>, std::unique_ptr<Histogram>,
    std::function<double()>>;

struct Family {
    std::string help;
    std::size_t kind = 0;
    std::vector<std::string> label_names;
    std::map<LabelTexts, Metric> series;
};

std::string_view kind_name(std::size_t kind) {
    return kind == 0 ? "counter" : kind == 2 ? "histogram" : "gauge";
}

void render_histogram(
    std::string& out, std::string_view name, const LabelTexts& labels, const Histogram& histogram
) {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < histogram.bounds().size(); ++i) {
        below += histogram.bucket(i);
        out += fmt::format(
            "{}_bucket{} {}\n", name, print(labels, "le", number(histogram.bounds()[i])), below
        );
    }
    below += histogram.bucket(histogram.bounds().size());
    out += fmt::format("{}_bucket{} {}\n", name, print(labels, "le", "+Inf"), below);
    out += fmt::format("{}_sum{} {}\n", name, print(labels), number(histogram.sum()));
    // The same number as the last bucket, though observations go on meanwhile.
    out += fmt::format("{}_count{} {}\n", name, print(labels), below);
}

void render_series(
    std::string& out, std::string_view name, const LabelTexts& labels, const Metric& metric
) {
    if (const auto* counter = std::get_if<0>(&metric)) {
        out += fmt::format("{}{} {}\n", name, print(labels), (*counter)->value());
    } else if (const auto* gauge = std::get_if<1>(&metric)) {
        out += fmt::format("{}{} {}\n", name, print(labels), number((*gauge)->value()));
    } else if (const auto* histogram = std::get_if<2>(&metric)) {
        render_histogram(out, name, labels, **histogram);
    } else {
        out += fmt::format("{}{} {}\n", name, print(labels), number(std::get<3>(metric)()));
    }
}

}  // namespace

std::span<const double> latency_bounds() { return kLatencyBounds; }

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()),
      buckets_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds.size() + 1)) {
    CHECK(std::ranges::is_sorted(bounds_), "the bounds of a histogram rise");
}

void Histogram::observe(double value) {
    const auto at = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
    buckets_[static_cast<std::size_t>(at)].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
}

std::uint64_t Histogram::count() const {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i <= bounds_.size(); ++i) count += bucket(i);
    return count;
}

struct Registry::State {
    using Families = std::map<std::string, Family, std::less<>>;
    Guarded<Families> families;

    // The series of these labels, made by `make` when it is new. `other` stands for all beyond the
    // limit.
    template <class Make>
    static Metric& series(
        Families& families, std::size_t kind, std::string_view name, std::string_view help,
        Labels labels, Make make
    ) {
        const auto [found, is_new] = families.try_emplace(std::string(name));
        Family& family = found->second;
        LabelTexts texts;
        std::vector<std::string> names;
        for (const Label& label : labels) {
            texts.emplace_back(label.name, label.value);
            names.emplace_back(label.name);
        }
        if (is_new) {
            CHECK(valid_name(name, true), "a metric has a valid name: " + std::string(name));
            for (const std::string& label : names)
                CHECK(
                    valid_name(label, false) && label != "le", "a label has a valid name: " + label
                );
            family.help = help;
            family.kind = kind;
            family.label_names = names;
        }
        CHECK(
            family.kind == kind && family.help == help && family.label_names == names,
            "a metric keeps its kind, help and labels: " + std::string(name)
        );
        if (family.series.size() >= kSeriesMax && !family.series.contains(texts))
            for (auto& [label, value] : texts) value = "other";
        const auto at = family.series.find(texts);
        if (at != family.series.end()) return at->second;
        return family.series.emplace(std::move(texts), make()).first->second;
    }
};

Registry::Registry() : state_(std::make_unique<State>()) {}
Registry::~Registry() = default;

Counter& Registry::counter(std::string_view name, std::string_view help, Labels labels) {
    CHECK(name.ends_with("_total"), "the name of a counter ends in _total: " + std::string(name));
    return *state_->families.with([&](State::Families& families) {
        return std::get<0>(State::series(
                               families, 0, name, help, labels,
                               [] { return Metric(std::make_unique<Counter>()); }
                           )
        ).get();
    });
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, Labels labels) {
    return *state_->families.with([&](State::Families& families) {
        return std::get<1>(State::series(
                               families, 1, name, help, labels,
                               [] { return Metric(std::make_unique<Gauge>()); }
                           )
        ).get();
    });
}

Histogram& Registry::histogram(
    std::string_view name, std::string_view help, Labels labels, std::span<const double> bounds
) {
    return *state_->families.with([&](State::Families& families) {
        return std::get<2>(State::series(
                               families, 2, name, help, labels,
                               [&] { return Metric(std::make_unique<Histogram>(bounds)); }
                           )
        ).get();
    });
}

void Registry::gauge_of(
    std::string_view name, std::string_view help, std::function<double()> read
) {
    state_->families.with([&](State::Families& families) {
        State::series(families, 3, name, help, {}, [] {
            return Metric(std::function<double()>());
        }) = std::move(read);
    });
}

std::string Registry::render() const {
    return state_->families.with([](const State::Families& families) {
        std::string out;
        for (const auto& [name, family] : families) {
            out += fmt::format(
                "# HELP {} {}\n# TYPE {} {}\n", name, escape(family.help, false), name,
                kind_name(family.kind)
            );
            for (const auto& [labels, metric] : family.series)
                render_series(out, name, labels, metric);
        }
        return out;
    });
}

}  // namespace penstock::telemetry
