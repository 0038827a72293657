// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace penstock::routing {

// What an engine says of itself.
struct EngineLoad {
    double cache_used_share = 0;     // of the memory for contexts, 0 … 1
    std::int64_t calls_waiting = 0;  // accepted, not begun
};

// From an engine's metrics in the text format of Prometheus, by the names of vLLM, SGLang,
// llama.cpp and TGI (engine_load.cpp has them with their sources). Where an engine has several
// ranks, calls waiting are their sum, and the memory's share is their mean. Nothing where it tells
// neither; what is no number, or no share, is passed over.
std::optional<EngineLoad> read_engine_load(std::string_view text);

}  // namespace penstock::routing
