// SPDX-License-Identifier: Apache-2.0
#include "sim/cpu_time.h"

#include <time.h>

namespace penstock::sim {

double thread_cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace penstock::sim
