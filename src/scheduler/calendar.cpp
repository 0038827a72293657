// SPDX-License-Identifier: Apache-2.0
#include "scheduler/calendar.h"

#include <algorithm>

#include "base/check.h"

namespace penstock::scheduler {
namespace {

std::int64_t milli_of(const Capacity& capacity, const std::string& model) {
    const auto found = capacity.accelerator_milli.find(model);
    return found == capacity.accelerator_milli.end() ? 0 : found->second;
}

void add_to(Capacity& held, const ResourceRequest& request) {
    held.cpu_milli += request.cpu_milli;
    held.memory_mib += request.memory_mib;
    if (request.accelerator)
        held.accelerator_milli[request.accelerator->model] += request.accelerator->count_milli;
}

}  // namespace

// The last step at or before `time`; the first one where all come later.
Calendar::Steps::const_iterator Calendar::step_at(Time time) const {
    const auto after = held_.upper_bound(time);
    return after == held_.begin() ? after : std::prev(after);
}

Calendar::Steps::iterator Calendar::split_at(Time time) {
    const auto after = held_.upper_bound(time);
    if (after == held_.begin()) return held_.emplace_hint(after, time, Capacity{});
    const auto before = std::prev(after);
    if (before->first == time) return before;
    return held_.emplace_hint(after, time, before->second);
}

bool Calendar::room_beside(const Capacity& held, const ResourceRequest& request) const {
    if (held.cpu_milli + request.cpu_milli > total_.cpu_milli) return false;
    if (held.memory_mib + request.memory_mib > total_.memory_mib) return false;
    if (!request.accelerator) return true;
    const std::string& model = request.accelerator->model;
    return milli_of(held, model) + request.accelerator->count_milli <= milli_of(total_, model);
}

bool Calendar::fits(const ResourceRequest& request, Time from, Duration span) const {
    if (!room_beside({}, request)) return false;
    for (auto step = step_at(from); step != held_.end() && step->first < from + span; ++step) {
        if (!room_beside(step->second, request)) return false;
    }
    return true;
}

std::optional<Time> Calendar::earliest(const ResourceRequest& request, Time from, Duration span)
    const {
    if (!room_beside({}, request)) return std::nullopt;
    Time start = from;
    for (auto step = step_at(from); step != held_.end() && step->first < start + span; ++step) {
        const auto next = std::next(step);
        if (next == held_.end()) break;  // nothing is held after the last reservation
        if (next->first > start && !room_beside(step->second, request)) start = next->first;
    }
    return start;
}

void Calendar::reserve(const ResourceRequest& request, Time from, Duration span) {
    CHECK(fits(request, from, span), "the caller found the room in this calendar");
    hold(request, from, span);
}

void Calendar::hold(const ResourceRequest& request, Time from, Duration span) {
    if (span <= Duration::zero()) return;
    const auto end = split_at(from + span);
    for (auto step = split_at(from); step != end; ++step) add_to(step->second, request);
}

void Calendar::forget_before(Time now) {
    const auto current = step_at(now);
    if (current != held_.end() && current->first <= now) held_.erase(held_.cbegin(), current);
}

}  // namespace penstock::scheduler
