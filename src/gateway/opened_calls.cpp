// SPDX-License-Identifier: Apache-2.0
#include "gateway/opened_calls.h"

#include <algorithm>

#include "gateway/call.h"

namespace penstock::gateway {

OpenedCalls::OpenedCalls(io::Executor executor)
    : writing_(std::move(executor), [this] { write(); }) {}

void OpenedCalls::add(Call& call) {
    calls_.push_back(&call);
    writing_.ask();
}

// Nearly always the last one.
void OpenedCalls::remove(const Call& call) {
    const auto found = std::find(calls_.rbegin(), calls_.rend(), &call);
    if (found != calls_.rend()) calls_.erase(std::next(found).base());
}

void OpenedCalls::write() {
    while (!calls_.empty()) calls_.back()->record_opened();
}

}  // namespace penstock::gateway
