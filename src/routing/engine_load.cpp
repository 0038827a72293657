// SPDX-License-Identifier: Apache-2.0
#include "routing/engine_load.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace penstock::routing {
namespace {

// https://docs.vllm.ai/en/stable/usage/metrics/ (gpu_cache_usage_perc until 0.9),
// https://docs.sglang.ai/references/production_metrics.html,
// https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (the ratio of older
// ones)
constexpr std::array<std::string_view, 4> kShareNames{
    "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "sglang:token_usage",
    "llamacpp:kv_cache_usage_ratio"
};
// https://huggingface.co/docs/text-generation-inference/reference/metrics for the last one.
constexpr std::array<std::string_view, 4> kWaitingNames{
    "vllm:num_requests_waiting", "sglang:num_queue_reqs", "llamacpp:requests_deferred",
    "tgi_queue_size"
};
constexpr double kWaitingMax = 1e9;  // of one rank

bool is_any(std::string_view name, const std::array<std::string_view, 4>& names) {
    return std::ranges::find(names, name) != names.end();
}

std::string_view take_line(std::string_view& text) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return line;
}

// Behind the labels, in whose quoted values anything may stand; empty where they do not end.
std::string_view after_labels(std::string_view rest) {
    if (!rest.starts_with('{')) return rest;
    bool quoted = false;
    for (std::size_t at = 1; at < rest.size(); ++at) {
        if (quoted && rest[at] == '\\')
            ++at;
        else if (rest[at] == '"')
            quoted = !quoted;
        else if (!quoted && rest[at] == '}')
            return rest.substr(at + 1);
    }
    return {};
}

std::optional<double> number_in(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return std::nullopt;
    text.remove_prefix(begin);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool ends = end == text.data() + text.size() || *end == ' ' || *end == '\t' ||
                      *end == '\r';  // a time may follow
    if (error != std::errc() || !ends || !std::isfinite(value)) return std::nullopt;
    return value;
}

}  // namespace

std::optional<EngineLoad> read_engine_load(std::string_view text) {
    double shares = 0;
    double waiting = 0;
    int ranks = 0;
    bool tells_waiting = false;
    while (!text.empty()) {
        const std::string_view line = take_line(text);
        const std::string_view name = line.substr(0, line.find_first_of("{ \t"));
        const bool is_share = is_any(name, kShareNames);
        if (!is_share && !is_any(name, kWaitingNames)) continue;
        const std::optional<double> value = number_in(after_labels(line.substr(name.size())));
        if (!value || *value < 0) continue;
        if (!is_share) {
            waiting += std::min(*value, kWaitingMax);
            tells_waiting = true;
        } else if (*value <= 1) {
            shares += *value;
            ++ranks;
        }
    }
    if (ranks == 0 && !tells_waiting) return std::nullopt;
    return EngineLoad{
        .cache_used_share = ranks == 0 ? 0 : shares / ranks,
        .calls_waiting = std::llround(std::min(waiting, kWaitingMax))
    };
}

}  // namespace penstock::routing
