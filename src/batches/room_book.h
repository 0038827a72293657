// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "batches/room.h"
#include "model/batch.h"

namespace penstock::batches {

// What all gateways carry at the endpoints that sell batches, as each last told it. One that is
// silent counts as it last said for kSilentAfter, then for nothing. Pure; one owner.
class RoomBook {
  public:
    static constexpr Duration kSilentAfter = 10s;
    static constexpr std::size_t kGatewaysMax = 256;
    static constexpr std::size_t kUsesMax = 2'000;  // of one report; likewise models with calls
    static constexpr std::size_t kNameMax = 128;

    // Whether there may be room that was not there before. invalid_argument, or resource_exhausted
    // beyond kGatewaysMax; names the field.
    Result<bool> report(const ReportUses& report, Time now);
    void drop_silent(Time now);

    // Calls of all gateways there, and what the engine told any of them; without lines.
    EndpointLoad load(const EndpointId& id, const std::string& model) const;
    // Whether calls may go there from that gateway, and from any.
    bool is_open(const EndpointId& id, const std::string& replica) const;
    bool is_open(const EndpointId& id) const;
    // There is one, and none has been silent since.
    bool all_heard_since(Time since) const;

  private:
    struct Gateway {
        Time at;
        std::map<EndpointId, EndpointUse> uses;
        std::map<std::string, std::int64_t> held;  // by model
    };
    std::map<std::string, Gateway> gateways_;  // by replica
};

}  // namespace penstock::batches
