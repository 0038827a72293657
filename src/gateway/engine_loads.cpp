// SPDX-License-Identifier: Apache-2.0
#include "gateway/engine_loads.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace penstock::gateway {
namespace {

// The others have no such metrics.
constexpr std::string_view kProtocol = "openai";

std::string url_of(const Endpoint& endpoint) {
    std::string url = endpoint.url;
    while (url.ends_with('/')) url.pop_back();
    return url + "/metrics";
}

}  // namespace

void EngineLoads::replace(const std::vector<Route>& routes) {
    std::map<std::string_view, int> of_model;
    for (const Route& route : routes) ++of_model[route.endpoint.model];
    using Name = std::pair<std::string, std::optional<std::string>>;
    std::map<Name, EnginePtr> known;
    for (EnginePtr& engine : engines_) {
        engine->endpoints.clear();
        Name name{engine->url, engine->api_key};
        known.emplace(std::move(name), std::move(engine));
    }
    engines_.clear();
    const Duration now = parts_.clock.monotonic();
    for (const Route& route : routes) {
        const Endpoint& endpoint = route.endpoint;
        // Who has no choice to make and gives no room to batches has nothing to ask for.
        const bool wanted = of_model[endpoint.model] > 1 || endpoint.batch_percent;
        if (endpoint.protocol != kProtocol || !wanted) continue;
        EnginePtr& engine = known[{url_of(endpoint), route.api_key}];
        if (!engine) {
            const auto spread = static_cast<std::uint64_t>(kLookEvery.count());
            engine = std::make_shared<Engine>(Engine{
                .url = url_of(endpoint),
                .api_key = route.api_key,
                .ask_at = now + Duration(static_cast<std::int64_t>(parts_.random.below(spread)))
            });
        }
        if (engine->endpoints.empty()) engines_.push_back(engine);
        engine->endpoints.push_back(endpoint.id);
    }
    next_ = 0;
    changed_.notify_all();
}

io::Task<void> EngineLoads::ask_forever() {
    while (true) {
        while (engines_.empty()) co_await changed_.wait();
        ask_due();
        co_await changed_.wait(io::Deadline::after(until_due()));
    }
}

// One that is being asked is due again soon after it has answered.
Duration EngineLoads::until_due() const {
    const Duration now = parts_.clock.monotonic();
    Duration left = kLookMax;
    for (const EnginePtr& engine : engines_)
        left = std::min(left, engine->asked ? kEvery : engine->ask_at - now);
    return std::max(left, kLookEvery);
}

void EngineLoads::ask_due() {
    const Duration now = parts_.clock.monotonic();
    for (std::size_t n = 0; n < engines_.size() && asking_ < kAsksAtOnceMax; ++n) {
        if (next_ >= engines_.size()) next_ = 0;
        const EnginePtr& engine = engines_[next_++];
        if (engine->asked || engine->ask_at > now) continue;
        engine->asked = true;
        ++asking_;
        parts_.tasks.spawn(ask(engine));
    }
}

io::Task<void> EngineLoads::ask(EnginePtr engine) {
    // Also when it is cancelled.
    struct Asking {
        std::size_t& count;
        Engine& engine;
        ~Asking() {
            --count;
            engine.asked = false;
        }
    };
    const Asking asking{asking_, *engine};
    const std::optional<routing::EngineLoad> load = co_await load_of(engine.get());
    if (load)
        for (const EndpointId& id : engine->endpoints)
            parts_.endpoints.on_load(id, *load, parts_.clock.now());
    engine->pause = load ? kEvery : std::min(engine->pause * 2, kSilentMax);
    engine->ask_at = parts_.clock.monotonic() + engine->pause;
}

io::Task<std::optional<routing::EngineLoad>> EngineLoads::load_of(const Engine* engine) {
    const io::Deadline deadline = io::Deadline::after(kAnswerMax);
    http::ClientRequest request{.url = engine->url};
    request.headers.add("Accept", "text/plain");
    if (engine->api_key) request.headers.add("Authorization", "Bearer " + *engine->api_key);
    Result<http::ResponseStream> answer = co_await parts_.client.open(std::move(request), deadline);
    if (!answer || answer->status() != 200) co_return std::nullopt;
    const Result<std::string> text = co_await answer->read_all(kAnswerBytesMax, deadline);
    if (!text) co_return std::nullopt;
    co_return routing::read_engine_load(*text);
}

}  // namespace penstock::gateway
