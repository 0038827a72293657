// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <cstdint>
#include <string>

#include "model/ids.h"

// How often work had to start again, as measured.
namespace penstock {

// What may be asked to leave starts again more often; spot work is asked first.
enum class WorkClass { ordinary, preemptible, spot };
BOOST_DESCRIBE_ENUM(WorkClass, ordinary, preemptible, spot)

// Of the newest runs of such work on one kind of devices of a site.
struct RestartHistory {
    SiteId site_id;
    std::string sku;  // "cpu", or the model of an accelerator
    WorkClass work = WorkClass::ordinary;
    std::int64_t restarts = 0;    // runs that ended by a lost node, its agent, or a preemption
    std::int64_t running_ms = 0;  // of all the runs
    bool operator==(const RestartHistory&) const = default;
};
BOOST_DESCRIBE_STRUCT(RestartHistory, (), (site_id, sku, work, restarts, running_ms))

// The same as it is read for a candidate.
struct RestartRate {
    double per_hour = 0;          // of running
    std::int64_t restarts = 0;    // it is from so many
    std::int64_t running_ms = 0;  // in so much time
    bool operator==(const RestartRate&) const = default;
};
BOOST_DESCRIBE_STRUCT(RestartRate, (), (per_hour, restarts, running_ms))

}  // namespace penstock
