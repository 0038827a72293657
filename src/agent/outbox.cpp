// SPDX-License-Identifier: Apache-2.0
#include "agent/outbox.h"

#include <algorithm>

namespace penstock::agent {

std::int64_t Outbox::number() {
    making_.insert(++highest_);
    return highest_;
}

void Outbox::durable(const AttemptReport& report) {
    highest_ = std::max(highest_, report.seq);
    making_.erase(report.seq);
    reports_.insert_or_assign(report.seq, report);
}

void Outbox::drop(std::int64_t seq) {
    making_.erase(seq);
    reports_.erase(seq);
}

void Outbox::acknowledge(std::int64_t seq) {
    reports_.erase(reports_.begin(), reports_.upper_bound(seq));
}

const AttemptReport* Outbox::next_after(std::int64_t seq) const {
    const auto found = reports_.upper_bound(seq);
    if (found == reports_.end()) return nullptr;
    return making_.empty() || found->first < *making_.begin() ? &found->second : nullptr;
}

void Outbox::skip_to(std::int64_t seq) { highest_ = std::max(highest_, seq); }

}  // namespace penstock::agent
