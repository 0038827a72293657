// SPDX-License-Identifier: Apache-2.0
#pragma once

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

}  // namespace penstock::dialects
