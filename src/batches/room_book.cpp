// SPDX-License-Identifier: Apache-2.0
#include "batches/room_book.h"

#include <algorithm>

namespace penstock::batches {
namespace {

std::unexpected<Error> wrong(std::string field, std::string message) {
    return fail_field(ErrorCode::invalid_argument, std::move(field), std::move(message));
}

Result<void> check(const ReportUses& report) {
    if (report.replica.empty() || report.replica.size() > RoomBook::kNameMax)
        return wrong("replica", "must have 1 to 128 characters");
    if (report.uses.size() > RoomBook::kUsesMax)
        return wrong("uses", "at most 2000 endpoints in one report: leave out the others");
    if (report.held.size() > RoomBook::kUsesMax)
        return wrong("held", "at most 2000 models in one report: leave out the others");
    for (std::size_t i = 0; i < report.uses.size(); ++i) {
        const EndpointUse& use = report.uses[i];
        const std::string at = "uses[" + std::to_string(i) + "].";
        if (use.calls < 0) return wrong(at + "calls", "is a number of calls, at least 0");
        if (use.engine_calls_waiting.value_or(0) < 0)
            return wrong(at + "engine_calls_waiting", "is a number of calls, at least 0");
        if (const double share = use.cache_used_share.value_or(0); !(share >= 0 && share <= 1))
            return wrong(at + "cache_used_share", "is a share, 0 to 1");
    }
    for (std::size_t i = 0; i < report.held.size(); ++i)
        if (report.held[i].calls < 0)
            return wrong(
                "held[" + std::to_string(i) + "].calls", "is a number of calls, at least 0"
            );
    return {};
}

bool is_freer(const EndpointUse& now, const EndpointUse& before) {
    return (now.open && !before.open) || now.calls < before.calls ||
           now.engine_calls_waiting.value_or(0) < before.engine_calls_waiting.value_or(0) ||
           now.cache_used_share.value_or(0) < before.cache_used_share.value_or(0);
}

}  // namespace

Result<bool> RoomBook::report(const ReportUses& report, Time now) {
    TRY(check(report));
    drop_silent(now);
    if (!gateways_.contains(report.replica) && gateways_.size() >= kGatewaysMax)
        return fail_field(
            ErrorCode::resource_exhausted, "replica",
            "is the name of a further gateway, and 256 report already: give a gateway that "
            "restarts the name it had"
        );
    Gateway gateway{.at = now, .uses = {}, .held = {}};
    for (const EndpointUse& use : report.uses) gateway.uses[use.endpoint_id] = use;
    for (const ModelHeld& held : report.held) gateway.held[held.model] += held.calls;
    Gateway& known = gateways_[report.replica];
    const bool freer = std::ranges::any_of(gateway.uses, [&](const auto& entry) {
        const auto before = known.uses.find(entry.first);
        return before == known.uses.end() || is_freer(entry.second, before->second);
    });
    const bool let_go = std::ranges::any_of(known.held, [&](const auto& entry) {
        const auto now_held = gateway.held.find(entry.first);
        return now_held == gateway.held.end() || now_held->second < entry.second;
    });
    known = std::move(gateway);
    return freer || let_go;
}

void RoomBook::drop_silent(Time now) {
    std::erase_if(gateways_, [&](const auto& entry) {
        return now - entry.second.at > kSilentAfter;
    });
}

EndpointLoad RoomBook::load(const EndpointId& id, const std::string& model) const {
    EndpointLoad load;
    for (const auto& [replica, gateway] : gateways_) {
        if (const auto held = gateway.held.find(model); held != gateway.held.end())
            load.held += held->second;
        const auto use = gateway.uses.find(id);
        if (use == gateway.uses.end()) continue;
        load.calls += use->second.calls;
        // The fullest that anybody was told: what was read a moment earlier may be over, and room
        // is given again with the next report.
        if (use->second.cache_used_share)
            load.cache_used_share =
                std::max(load.cache_used_share.value_or(0), *use->second.cache_used_share);
        if (use->second.engine_calls_waiting)
            load.engine_calls_waiting =
                std::max(load.engine_calls_waiting.value_or(0), *use->second.engine_calls_waiting);
    }
    return load;
}

bool RoomBook::is_open(const EndpointId& id, const std::string& replica) const {
    const auto gateway = gateways_.find(replica);
    if (gateway == gateways_.end()) return false;
    const auto use = gateway->second.uses.find(id);
    return use != gateway->second.uses.end() && use->second.open;
}

bool RoomBook::is_open(const EndpointId& id) const {
    return std::ranges::any_of(gateways_, [&](const auto& entry) {
        const auto use = entry.second.uses.find(id);
        return use != entry.second.uses.end() && use->second.open;
    });
}

bool RoomBook::all_heard_since(Time since) const {
    return !gateways_.empty() && std::ranges::all_of(gateways_, [&](const auto& entry) {
        return entry.second.at >= since;
    });
}

}  // namespace penstock::batches
