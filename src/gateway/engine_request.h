// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "dialects/canonical.h"
#include "gateway/call_trace.h"
#include "http/client.h"
#include "model/endpoint.h"

namespace penstock::gateway {

// Whom a converted or passed-through call is for.
struct EngineAddress {
    const Route* route = nullptr;
    dialects::Dialect engine = dialects::Dialect::chat;
    bool embeddings = false;
    const http::Headers* passed = nullptr;  // version and betas of Anthropic's API; null: none
    const CallTrace* trace = nullptr;
    RequestId id;
};
// The request without its body. Made from nothing: no other header of the client travels on.
http::ClientRequest request_to(const EngineAddress& address);

// The dialect of an engine, by its endpoint's protocol.
dialects::Dialect dialect_of_protocol(std::string_view protocol);

}  // namespace penstock::gateway
