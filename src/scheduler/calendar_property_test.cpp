// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>

#include "scheduler/calendar.h"

namespace penstock::scheduler {
namespace {

constexpr int kHours = 60;
constexpr int kDevices = 4;
const Time kStart = *parse_rfc3339("2026-11-24T00:00:00Z");

ResourceRequest request_for(int devices) {
    return {.accelerator = Accelerator{"A10", devices * 1000}};
}

// Devices held in each hour, counted one by one.
struct PlainCalendar {
    std::array<int, kHours> held{};

    bool fits(int devices, int from, int hours) const {
        for (int i = from; i < from + hours; ++i)
            if (held.at(static_cast<std::size_t>(i)) + devices > kDevices) return false;
        return true;
    }
    int earliest(int devices, int from, int hours) const {
        while (!fits(devices, from, hours)) ++from;
        return from;
    }
    void reserve(int devices, int from, int hours) {
        for (int i = from; i < from + hours; ++i) held.at(static_cast<std::size_t>(i)) += devices;
    }
};

RC_GTEST_PROP(CalendarProperty, AgreesWithOneThatCountsEveryHour, ()) {
    Calendar calendar({.accelerator_milli = {{"A10", kDevices * 1000}}});
    PlainCalendar plain;
    int now = 0;
    for (int i = 0; i < 12; ++i) {
        now += *rc::gen::inRange(0, 2);
        calendar.forget_before(kStart + std::chrono::hours(now));
        const int devices = *rc::gen::inRange(1, kDevices + 1);
        const int hours = *rc::gen::inRange(1, 4);
        const int from = now + *rc::gen::inRange(0, 6);
        const int start = plain.earliest(devices, from, hours);

        const auto found = calendar.earliest(
            request_for(devices), kStart + std::chrono::hours(from), std::chrono::hours(hours)
        );

        RC_ASSERT(found == kStart + std::chrono::hours(start));
        RC_ASSERT(
            calendar.fits(
                request_for(devices), kStart + std::chrono::hours(from), std::chrono::hours(hours)
            ) == plain.fits(devices, from, hours)
        );
        calendar.reserve(request_for(devices), *found, std::chrono::hours(hours));
        plain.reserve(devices, start, hours);
    }
}

}  // namespace
}  // namespace penstock::scheduler
