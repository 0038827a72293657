// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <vector>

#include "io/pool.h"
#include "io/task.h"
#include "server/platform.h"

// What several of the gateways' questions need.
namespace penstock::server {

constexpr Duration kKeyCacheSpan = 60s;

// What a gateway is told of a key, with all limits that its calls keep to.
ResolvedKey resolved_key(const Platform& platform, const access::Principal& principal);

// Which of these usages the store has. What was settled since it was asked is in recent_usage,
// unless more came meanwhile than that keeps: then the store is asked again.
io::Task<Result<std::set<std::string>>> settled_before(
    Platform* platform, io::Pool* pool, std::vector<std::string> ids
);

}  // namespace penstock::server
