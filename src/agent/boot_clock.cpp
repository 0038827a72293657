// SPDX-License-Identifier: Apache-2.0
#include "agent/boot_clock.h"

#include <ctime>

#include "drivers/files.h"

namespace penstock::agent {

BootClock::BootClock() {
    // Without it instants of two starts of the host cannot be told apart, so none is ever trusted.
    Result<std::string> id = drivers::read_file("/proc/sys/kernel/random/boot_id");
    boot_id_ = id ? id->substr(0, id->find('\n')) : "unknown-" + std::to_string(now_ms());
}

std::int64_t BootClock::now_ms() const {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

BootInstant BootClock::now() const { return {boot_id_, now_ms()}; }

}  // namespace penstock::agent
