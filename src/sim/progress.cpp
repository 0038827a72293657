// SPDX-License-Identifier: Apache-2.0
#include "sim/progress.h"

namespace penstock::sim {

void Progress::begin(std::string stage, std::size_t total) {
    stage_ = std::move(stage);
    total_ = total;
}

void Progress::done(std::size_t steps) {
    const Duration now = clock_.monotonic();
    if (now - told_at_ < kProgressInterval) return;
    told_at_ = now;
    report_(stage_, steps, total_);
}

}  // namespace penstock::sim
