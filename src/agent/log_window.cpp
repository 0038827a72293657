// SPDX-License-Identifier: Apache-2.0
#include "agent/log_window.h"

#include <algorithm>

namespace penstock::agent {

std::int64_t LogWindow::known(std::int64_t lines) const {
    return std::clamp<std::int64_t>(server_has_ - sent_.line, 0, lines);
}

void LogWindow::passed(LogPosition end) {
    const bool whole = server_has_ >= end.line;
    sent_ = end;
    if (whole && in_flight_.empty())
        stored_ = end;
    else
        in_flight_.push_back(end);
}

void LogWindow::acknowledged(std::int64_t line) {
    if (line < stored_.line) {
        // The server lost what it had: from the beginning, up to what it still has unsent.
        *this = LogWindow({});
        server_has_ = line;
        return;
    }
    server_has_ = std::max(server_has_, line);
    while (!in_flight_.empty() && in_flight_.front().line <= line) {
        stored_ = in_flight_.front();
        in_flight_.pop_front();
    }
}

}  // namespace penstock::agent
