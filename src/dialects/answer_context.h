// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "dialects/json_tree.h"

namespace penstock::dialects {

// What a converted answer says of the call, beside what the engine said.
struct AnswerContext {
    std::string id;              // unique; a dialect puts its own prefix in front
    std::string model;           // as the client named it
    std::int64_t created = 0;    // seconds since 1970
    bool include_usage = false;  // Chat: the client wants the usage chunk
    Json::Object echo = {};      // Responses: members of the request that its answers repeat
    std::string told_id = {};    // Chat: the whole id, where the client has been told one
};

// The id of a call: the engine's, or one of ours that its result can name. `part` is its place
// among the parts of the answer.
inline std::string call_id(
    const std::string& told, const AnswerContext& context, std::size_t part
) {
    return told.empty() ? "call_" + context.id + "_" + std::to_string(part) : told;
}

}  // namespace penstock::dialects
