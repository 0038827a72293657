// SPDX-License-Identifier: Apache-2.0
#include "gateway/call_settings.h"

#include <algorithm>

namespace penstock::gateway {
namespace {

// What every call of a key has in common, whoever made it.
bool concerns_batches(std::string_view setting) { return setting == "unsupported"; }

// Spans may be written in several ways.
bool says_the_same(std::string_view said, std::string_view set) {
    if (said == set) return true;
    const Result<Duration> a = parse_duration(said);
    const Result<Duration> b = parse_duration(set);
    return a && b && *a == *b;
}

}  // namespace

ApiResult<void> take_settings(http::Headers& headers, const ResolvedKey& key, bool is_batch_line) {
    if (!key.settings) return {};
    for (const CallSettingName& each : kCallSettings) {
        const std::optional<std::string> set = setting_text(*key.settings, each.name);
        if (!set || (is_batch_line && !concerns_batches(each.name))) continue;
        const std::string header(each.header);
        const std::optional<std::string_view> said = headers.find(header);
        if (!said) {
            headers.set(header, *set);
        } else if (is_fixed(*key.settings, each.name) && !says_the_same(*said, *set)) {
            routing::ApiError error = routing::invalid_request(
                "is fixed as '" + *set + "' for this key: leave the header out", header,
                "setting_is_fixed"
            );
            error.status = 403;
            return std::unexpected(std::move(error));
        }
    }
    return {};
}

ApiResult<StreamPolicy> read_stream_policy(const http::Headers& headers) {
    constexpr std::string_view kFailure = "x-penstock-stream-failure";
    constexpr std::string_view kTimeout = "x-penstock-read-timeout";
    const auto wrong = [](std::string message, std::string_view header) {
        return std::unexpected(routing::invalid_request(std::move(message), std::string(header)));
    };
    StreamPolicy policy;
    const std::string_view word = headers.get(kFailure);
    if (word == "continue")
        policy.failure = StreamFailure::continue_;
    else if (!word.empty() && word != "terminate")
        return wrong("expected 'terminate' or 'continue'", kFailure);
    if (const auto text = headers.find(kTimeout)) {
        const Result<Duration> span = parse_duration(*text);
        if (!span) return wrong(span.error().message, kTimeout);
        if (*span < kReadTimeoutMin || *span > kReadTimeoutMax)
            return wrong("expected 1s to 1h, for instance 30s", kTimeout);
        policy.read_timeout = *span;
    } else if (policy.failure == StreamFailure::continue_) {
        policy.read_timeout = kReadTimeoutDefault;
    }
    return policy;
}

ApiResult<Undelivered> read_undelivered(const http::Headers& headers) {
    constexpr std::string_view kHeader = "x-penstock-undelivered";
    const std::string_view word = headers.get(kHeader);
    if (word.empty() || word == "free") return Undelivered::free;
    if (word == "prompt") return Undelivered::prompt;
    return std::unexpected(
        routing::invalid_request("expected 'free' or 'prompt'", std::string(kHeader))
    );
}

}  // namespace penstock::gateway
