// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>
#include <vector>

#include "model/batch.h"

// Why the lines of a batch wait, and when they are expected to be done.
namespace penstock {

enum class BatchWait {
    none,              // lines run, or nothing is left
    input,             // it is being read
    no_endpoint,       // none that sells batches of the model is ready
    no_idle_capacity,  // no endpoint has room beside interactive calls
    not_allowed,       // those with room are not among what its key may use
    behind_shares,     // there is room, and it is another project's turn
    rests,             // a limit of its key, or an engine that failed
    gateways           // none takes lines, or not all have told what endpoints carry
};
BOOST_DESCRIBE_ENUM(
    BatchWait, none, input, no_endpoint, no_idle_capacity, not_allowed, behind_shares, rests,
    gateways
)

enum class BatchPressure {
    none,     // shares alone end it in time
    pressed,  // its deadline gives its lines precedence
    late      // it cannot be in time beside the others
};
BOOST_DESCRIBE_ENUM(BatchPressure, none, pressed, late)

// Why there is no room at an endpoint: lines, calls, held, engine_queue, engine_cache, closed.
struct BatchPlace {
    EndpointId endpoint_id;
    std::string provider;
    std::string site;
    std::int64_t room = 0;   // lines that may begin there now
    std::int64_t lines = 0;  // of this batch that run there
    std::optional<std::string> no_room;
    bool allowed = true;  // by the limits of the batch's key
    bool operator==(const BatchPlace&) const = default;
};
BOOST_DESCRIBE_STRUCT(BatchPlace, (), (endpoint_id, provider, site, room, lines, no_room, allowed))

struct BatchExplanation {
    std::string batch;
    BatchStatus status = BatchStatus::validating;
    std::string model;
    BatchWait wait = BatchWait::none;
    std::string message;
    std::string message_zh;
    std::string remedy;
    std::string remedy_zh;
    BatchCounts request_counts;
    std::int64_t lines_running = 0;
    std::int64_t lines_waiting = 0;
    std::optional<Time> rests_until;
    BatchPressure pressure = BatchPressure::none;
    std::int64_t projects_ahead = 0;  // whose turn comes first, where shares decide
    std::int64_t weight = 1;          // of its project; and of its organisation:
    std::int64_t organisation_weight = 1;
    std::optional<double> seconds_per_line;  // as measured; absent: none has ended yet
    double places = 0;                       // lines of the model at one time, on an average
    std::optional<Time> expected_end;        // if nothing comes and this stays; absent: unknown
    Time expires_at;
    std::vector<BatchPlace> endpoints;  // that sell batches of the model
    bool operator==(const BatchExplanation&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    BatchExplanation, (),
    (batch, status, model, wait, message, message_zh, remedy, remedy_zh, request_counts,
     lines_running, lines_waiting, rests_until, pressure, projects_ahead, weight,
     organisation_weight, seconds_per_line, places, expected_end, expires_at, endpoints)
)

}  // namespace penstock
