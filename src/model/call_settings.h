// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

// How token calls behave where their requests say nothing, by project and by key.
namespace penstock {

// What becomes of a stream whose engine breaks off or falls silent.
enum class StreamFailure {
    terminate,  // the client is told, and its connection is cut
    continue_   // another engine goes on once, where it can (docs/continuation.md)
};
BOOST_DESCRIBE_ENUM(StreamFailure, terminate, continue_)

// Answers that are given again to the same request.
enum class CacheUse {
    off,
    on,  // where asking again would say the same
    any  // sampled ones as well
};
BOOST_DESCRIBE_ENUM(CacheUse, off, on, any)

// Fields that the engine's API has no word for.
enum class Unsupported { refuse, drop };
BOOST_DESCRIBE_ENUM(Unsupported, refuse, drop)

// What a stream costs whose client left before it was sent anything.
enum class Undelivered {
    free,
    prompt  // what the engine, or the gateway, counts of the prompt
};
BOOST_DESCRIBE_ENUM(Undelivered, free, prompt)

// Of a project or a key; a key's goes before its project's, a request's header before both.
struct CallSettings {
    static constexpr bool kJsonDefaults = true;
    std::optional<StreamFailure> stream_failure;
    std::optional<Duration> read_timeout;  // silence of an engine's stream that is a failure
    std::optional<CacheUse> cache;
    std::optional<Duration> cache_ttl;
    std::optional<Unsupported> unsupported;
    std::optional<Undelivered> undelivered;
    // Names of settings that hold as they are set here, whatever keys and requests say.
    std::vector<std::string> fixed;
    bool operator==(const CallSettings&) const = default;
};
BOOST_DESCRIBE_STRUCT(
    CallSettings, (),
    (stream_failure, read_timeout, cache, cache_ttl, unsupported, undelivered, fixed)
)

constexpr Duration kReadTimeoutMin = 1s;
constexpr Duration kReadTimeoutMax = 1h;
// Where a stream may be continued and nothing else is said.
constexpr Duration kReadTimeoutDefault = 60s;
constexpr Duration kCacheLivesDefault = 1h;
constexpr Duration kCacheLivesMax = 24h;

struct CallSettingName {
    std::string_view name;
    std::string_view header;
    std::string_view otherwise;  // what holds where nobody says anything
};
constexpr std::array<CallSettingName, 6> kCallSettings{{
    {"stream_failure", "x-penstock-stream-failure", "terminate"},
    {"read_timeout", "x-penstock-read-timeout", "60s where streams are continued, else none"},
    {"cache", "x-penstock-cache", "off"},
    {"cache_ttl", "x-penstock-cache-ttl", "1h"},
    {"unsupported", "x-penstock-unsupported", "refuse"},
    {"undelivered", "x-penstock-undelivered", "free"},
}};

// As its header would say it; nothing where it is not set.
std::optional<std::string> setting_text(const CallSettings& settings, std::string_view name);
bool is_fixed(const CallSettings& settings, std::string_view name);

// Every mistake at once, each naming its field below `at` ("settings"), the cause and the remedy.
std::vector<Error> check(const CallSettings& settings, const std::string& at);
// Of a key whose project has `above`: it may not set what is fixed there.
std::vector<Error> check_below(
    const CallSettings& above, const CallSettings& settings, const std::string& at
);
// The settings that `fixing` fixes and `below` sets; empty: none.
std::vector<std::string> settings_in_conflict(
    const CallSettings& fixing, const CallSettings& below
);

// What holds for calls of a key: its own, else its project's. `fixed` has the names of both.
CallSettings settings_of(
    const std::optional<CallSettings>& project, const std::optional<CallSettings>& key
);

// One of them as it is shown.
struct SettingInForce {
    std::string name;
    std::string value;
    std::string from;    // key, project, platform
    bool fixed = false;  // requests cannot say otherwise
    bool operator==(const SettingInForce&) const = default;
};
BOOST_DESCRIBE_STRUCT(SettingInForce, (), (name, value, from, fixed))
std::vector<SettingInForce> settings_in_force(
    const std::optional<CallSettings>& project, const std::optional<CallSettings>& key
);

}  // namespace penstock
