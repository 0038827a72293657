// SPDX-License-Identifier: Apache-2.0
#include "server/call_line.h"

#include <array>

namespace penstock::server {

BillLine line_of(const CallRecord& call, const Endpoint* endpoint) {
    BillLine line{
        .id = UsageId(call.id.raw()),
        .organisation_id = call.organisation_id,
        .project_id = call.project_id,
        .kind = "tokens",
        .resource = "call/" + to_string(call.id),
        .name = call.model,
        .from = call.started_at,
        .to = call.ended_at,
        .basis = call.basis,
        .key_id = call.key_id,
        .ttft_us = call.ttft_us,
        .counted = call.counted,
        .tariff = call.tariff,
        .batch_line = call.batch_line,
        .trace_id = call.trace_id
    };
    if (call.continues) line.continues = "call/" + to_string(*call.continues);
    if (call.continued_by) line.continued_by = "call/" + to_string(*call.continued_by);
    line.overlap_tokens = call.overlap_tokens;
    line.on_disconnect = call.on_disconnect;
    line.raw_usage = call.raw_usage;
    if (call.attempt_of) {
        line.attempt_of = "call/" + to_string(*call.attempt_of);
        line.status = call.status;
    }
    line.routing = call.routing;
    if (endpoint != nullptr) {
        line.provider_id = endpoint->provider_id;
        line.provider = endpoint->provider;
        line.site = endpoint->site;
        line.c_url = endpoint->c_url;
        line.simulated = endpoint->simulated;
        if (endpoint->task_id) line.task = "task/" + to_string(*endpoint->task_id);
    }
    constexpr std::array kEnds = {"done",          "client_gone", "upstream_error", "timeout",
                                  "gateway_crash", "refused",     "gateway_stopped"};
    line.end_reason = kEnds.at(static_cast<std::size_t>(call.end_reason));
    return line;
}

}  // namespace penstock::server
