// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe/enum.hpp>

namespace penstock {

// What becomes of a stream whose client has left, by what its engine bills then. Not said:
// cancel_count. See docs/disconnects.md.
enum class DisconnectPolicy {
    cancel_count,     // closed; what was delivered is charged, as the gateway counts it
    cancel_estimate,  // closed; prompt and delivered part by what the engine tells of such streams
    drain,            // read to its end, within bounds: the engine's own usage is charged
    no_bill           // closed; nothing is charged
};
BOOST_DESCRIBE_ENUM(DisconnectPolicy, cancel_count, cancel_estimate, drain, no_bill)

}  // namespace penstock
