// SPDX-License-Identifier: Apache-2.0
#include "sim/line_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace penstock::sim {
namespace {

constexpr double kWidth = 860;
constexpr double kHeight = 480;
constexpr double kLeft = 78;
constexpr double kRight = 190;  // room of the legend
constexpr double kTop = 44;
constexpr double kBottom = 58;
constexpr double kTicksWanted = 6;
constexpr double kLegendLine = 20;
// Okabe and Ito's colours, which colour-blind readers can tell apart, then the same dashed.
constexpr std::array<std::string_view, 6> kColors = {"#0072b2", "#d55e00", "#009e73",
                                                     "#cc79a7", "#e69f00", "#56b4e9"};

struct Axis {
    double low = 0;
    double high = 1;
    double step = 1;  // between ticks
    int decimals = 0;
};

// The least round step (1, 2 or 5 times a power of ten) that leaves about kTicksWanted ticks.
Axis axis_over(double low, double high) {
    if (high <= low) {
        low -= 0.5;
        high += 0.5;
    }
    const double rough = (high - low) / kTicksWanted;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    double step = 10 * power;
    for (const double factor : {5.0, 2.0, 1.0})
        if (factor * power >= rough) step = factor * power;
    return {
        .low = std::floor(low / step) * step,
        .high = std::ceil(high / step) * step,
        .step = step,
        .decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)))
    };
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out += c;
        }
    return out;
}

class Canvas {
  public:
    Canvas(const LinePlot& plot, Axis x, Axis y) : plot_(plot), x_(x), y_(y) {}

    std::string draw() {
        out_ = fmt::format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
            "height=\"{1}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n"
            "<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n",
            kWidth, kHeight
        );
        text(kLeft, kTop - 18, "start", plot_.title);
        grid();
        for (std::size_t i = 0; i < plot_.series.size(); ++i) line(i);
        return out_ + "</svg>\n";
    }

  private:
    double place_x(double x) const {
        return kLeft + (x - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight);
    }
    double place_y(double y) const {
        return kHeight - kBottom - (y - y_.low) / (y_.high - y_.low) * (kHeight - kTop - kBottom);
    }

    void text(double x, double y, std::string_view anchor, std::string_view content) {
        out_ += fmt::format(
            "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
            escaped(content)
        );
    }

    void rule(double x1, double y1, double x2, double y2) {
        out_ += fmt::format(
            "<path d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\" stroke=\"#ddd\"/>\n", x1, y1, x2, y2
        );
    }

    void grid() {
        const double bottom = kHeight - kBottom;
        const auto ticks = [](const Axis& axis) {
            return static_cast<int>(std::lround((axis.high - axis.low) / axis.step));
        };
        for (int i = 0; i <= ticks(x_); ++i) {
            const double value = x_.low + i * x_.step;
            rule(place_x(value), kTop, place_x(value), bottom);
            text(place_x(value), bottom + 18, "middle", fmt::format("{:.{}f}", value, x_.decimals));
        }
        for (int i = 0; i <= ticks(y_); ++i) {
            const double value = y_.low + i * y_.step;
            rule(kLeft, place_y(value), kWidth - kRight, place_y(value));
            text(kLeft - 8, place_y(value) + 4, "end", fmt::format("{:.{}f}", value, y_.decimals));
        }
        text((kLeft + kWidth - kRight) / 2, kHeight - 16, "middle", plot_.x_label);
        const double middle = (kTop + bottom) / 2;
        out_ += fmt::format(
            "<text transform=\"translate(18 {:.1f}) rotate(-90)\" "
            "text-anchor=\"middle\">{}</text>\n",
            middle, escaped(plot_.y_label)
        );
    }

    void line(std::size_t index) {
        const Series& series = plot_.series[index];
        const std::string_view dash = index < kColors.size() ? "" : " stroke-dasharray=\"6 4\"";
        const std::string_view color = kColors[index % kColors.size()];
        std::string path;
        for (const Point& point : series.points)
            path += fmt::format(
                "{}{:.2f} {:.2f}", path.empty() ? "M" : "L", place_x(point.x), place_y(point.y)
            );
        const double legend_y = kTop + 10 + kLegendLine * static_cast<double>(index);
        const double legend_x = kWidth - kRight + 14;
        for (const std::string& d :
             {path,
              fmt::format("M{0:.1f} {1:.1f}L{2:.1f} {1:.1f}", legend_x, legend_y, legend_x + 24)})
            out_ += fmt::format(
                "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.8\"{}/>\n", d, color,
                dash
            );
        text(legend_x + 30, legend_y + 4, "start", series.name);
    }

    const LinePlot& plot_;
    Axis x_;
    Axis y_;
    std::string out_;
};

Result<void> check(const LinePlot& plot) {
    std::size_t points = 0;
    for (const Series& series : plot.series) {
        points += series.points.size();
        for (const Point& point : series.points)
            if (!std::isfinite(point.x) || !std::isfinite(point.y))
                return fail(
                    ErrorCode::invalid_argument,
                    fmt::format("line {} has a value that is no finite number", series.name)
                );
    }
    if (points == 0) return fail(ErrorCode::invalid_argument, "there is nothing to draw");
    if (plot.series.size() > kPlotSeriesMax || points > kPlotPointsMax)
        return fail(
            ErrorCode::resource_exhausted,
            fmt::format(
                "{} lines with {} points are too much for a plot: at most {} and {}",
                plot.series.size(), points, kPlotSeriesMax, kPlotPointsMax
            )
        );
    return {};
}

}  // namespace

Result<std::string> render_svg(const LinePlot& plot) {
    TRY(check(plot));
    constexpr double kEndless = std::numeric_limits<double>::infinity();
    double x_low = kEndless, x_high = -kEndless, y_low = kEndless, y_high = -kEndless;
    for (const Series& series : plot.series)
        for (const Point& point : series.points) {
            x_low = std::min(x_low, point.x);
            x_high = std::max(x_high, point.x);
            y_low = std::min(y_low, point.y);
            y_high = std::max(y_high, point.y);
        }
    return Canvas(plot, axis_over(x_low, x_high), axis_over(y_low, y_high)).draw();
}

}  // namespace penstock::sim
