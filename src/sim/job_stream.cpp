// SPDX-License-Identifier: Apache-2.0
#include "sim/job_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace penstock::sim {
namespace {

constexpr std::uint64_t kGapStream = 0x67617073ULL;
constexpr std::uint64_t kSizeStream = 0x73697A65ULL;
constexpr std::uint64_t kTypeStream = 0x74797065ULL;
constexpr std::uint64_t kMinuteStream = 0x6D696E73ULL;
constexpr std::uint64_t kErrorStream = 0x6572726FULL;
constexpr double kMillisecondsAnHour = 3600e3;
constexpr double kSecondsAMinute = 60;
constexpr double kShortShare = 0.8;
constexpr double kExponentMin = 1.5;
constexpr double kExponentShort = 3;
constexpr double kExponentMax = 4;

struct ScaleShare {
    std::int64_t devices = 1;
    std::uint64_t percent = 0;
};
constexpr std::array kOne{ScaleShare{1, 100}};
constexpr std::array kSeveral{
    ScaleShare{1, 70}, ScaleShare{2, 10}, ScaleShare{4, 15}, ScaleShare{8, 5}
};

}  // namespace

Result<JobStream> JobStream::start(const ThroughputTable& table, const JobStreamOptions& options) {
    const std::span<const ScaleShare> shares =
        options.several_devices ? std::span<const ScaleShare>(kSeveral) : kOne;
    std::vector<Scale> scales;
    for (const ScaleShare& share : shares) {
        Scale scale{.percent = share.percent};
        for (std::size_t i = 0; i < table.types.size(); ++i)
            if (table.types[i].devices == share.devices && table.types[i].rate.front() > 0)
                scale.types.push_back(i);
        if (scale.types.empty())
            return fail(
                ErrorCode::invalid_argument,
                fmt::format(
                    "the table has no job type of {} devices with a rate on {}, the first kind",
                    share.devices, table.kinds.front()
                )
            );
        scales.push_back(std::move(scale));
    }
    return JobStream(table, options, std::move(scales));
}

JobStream::JobStream(
    const ThroughputTable& table, const JobStreamOptions& options, std::vector<Scale> scales
)
    : table_(table),
      options_(options),
      scales_(std::move(scales)),
      gaps_(options.seed ^ kGapStream),
      sizes_(options.seed ^ kSizeStream),
      types_(options.seed ^ kTypeStream),
      minutes_(options.seed ^ kMinuteStream),
      errors_(options.seed ^ kErrorStream) {}

const JobStream::Scale& JobStream::draw_scale() {
    std::uint64_t drawn = sizes_.below(100);
    for (const Scale& scale : scales_) {
        if (drawn < scale.percent) return scale;
        drawn -= scale.percent;
    }
    return scales_.back();
}

double JobStream::draw_minutes() {
    const bool is_short = minutes_.unit() < kShortShare;
    const double low = is_short ? kExponentMin : kExponentShort;
    const double high = is_short ? kExponentShort : kExponentMax;
    return std::pow(10, low + (high - low) * minutes_.unit());
}

ArrivingJob JobStream::next() {
    const double gap = -std::log(1 - gaps_.unit()) * kMillisecondsAnHour / options_.jobs_per_hour;
    now_ms_ += std::llround(gap);
    const Scale& scale = draw_scale();
    ArrivingJob job{.arrived_ms = now_ms_, .type = scale.types[types_.below(scale.types.size())]};
    const double rate = table_.types[job.type].rate.front();
    job.steps = std::max(1.0, std::round(draw_minutes() * kSecondsAMinute * rate));
    const double factor = std::pow(options_.declared_error, 2 * errors_.unit() - 1);
    job.steps_declared = std::max(1.0, std::round(job.steps * factor));
    return job;
}

}  // namespace penstock::sim
