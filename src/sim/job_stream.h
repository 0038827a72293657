// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/random.h"
#include "sim/throughput_table.h"

namespace penstock::sim {

// Training jobs that arrive for ever. Arrivals are Poisson. A job's type is uniform over those
// with its number of devices. It would run on its devices of the reference kind, the table's
// first, for 10^U minutes: U uniform from 1.5 to 3 for four in five jobs, from 3 to 4 for the
// others. Devices are 1, or 1, 2, 4, 8 for 70, 10, 15, 5 % of the jobs.
struct JobStreamOptions {
    double jobs_per_hour = 1;
    bool several_devices = false;
    // Declared steps are the true ones times a factor that is log-uniform from 1/e to e.
    double declared_error = 1;
    std::uint64_t seed = 0;
};

struct ArrivingJob {
    std::int64_t arrived_ms = 0;
    std::size_t type = 0;  // index into the table
    double steps = 0;      // whole
    double steps_declared = 0;
    bool operator==(const ArrivingJob&) const = default;
};

// Each property is drawn from a sequence of its own, so the same seed gives the same jobs at every
// rate. Times are whole milliseconds and steps whole numbers: the last bit of a logarithm, which
// differs between machines, does not show. Borrows the table.
class JobStream {
  public:
    // Fails where the table has no type that can be drawn for a number of devices.
    static Result<JobStream> start(const ThroughputTable& table, const JobStreamOptions& options);
    ArrivingJob next();

  private:
    struct Scale {
        std::uint64_t percent = 0;
        std::vector<std::size_t> types;
    };
    JobStream(
        const ThroughputTable& table, const JobStreamOptions& options, std::vector<Scale> scales
    );
    const Scale& draw_scale();
    double draw_minutes();

    const ThroughputTable& table_;
    JobStreamOptions options_;
    std::vector<Scale> scales_;
    SeededRandom gaps_;
    SeededRandom sizes_;
    SeededRandom types_;
    SeededRandom minutes_;
    SeededRandom errors_;
    std::int64_t now_ms_ = 0;
};

}  // namespace penstock::sim
