// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/answer_cache.h"
#include "gateway/api_answer.h"
#include "gateway/call.h"
#include "gateway/call_input.h"
#include "model/call_settings.h"
#include "routing/provider_preferences.h"

namespace penstock::gateway {

// Answers that are given again to the same request of the same project, where the client asks for
// it (x-penstock-cache) and the provider declares a price for it. Every hit is a call with a record
// of its own: tokens of the first answer, basis `cached`, that share of the endpoint's prices. The
// gateway's thread.
class CallCache {
  public:
    CallCache(CallParts& parts, IdSource& ids, telemetry::Registry& registry);

    struct Question {
        const http::Request* request = nullptr;
        const KeyPtr* key = nullptr;
        const CallLimits* limits = nullptr;
        const routing::ProviderPreferences* preferences = nullptr;  // that `body` says
        std::string_view path;
        std::string_view body;  // as the client sent it
        std::string_view model;
        bool deterministic = false;  // whatever the body says
        bool always_new = false;     // likewise: its answer is kept under an id of its own
    };
    // Nothing: the client asked for none. With `hit`: replay() answers the call.
    struct Ticket {
        CachedAnswerPtr hit;
        std::shared_ptr<const Route> route;        // whose answer it was
        std::unique_ptr<AnswerRecorder> recorder;  // of a miss
        std::string_view word;                     // what the client is told
        std::string trace_id;                      // of the call
    };
    ApiResult<std::optional<Ticket>> look(const Question& question);
    io::Task<http::Response> replay(Ticket ticket, KeyPtr key);

  private:
    bool may_have(const Question& question, const Route& route) const;
    void count(std::string_view outcome);

    CallParts& parts_;
    IdSource& ids_;
    telemetry::Registry& registry_;
    AnswerCache cache_;
    telemetry::Gauge* bytes_;
};

// Whether asking again would give the same answer: "temperature" is 0.
bool says_deterministic(std::string_view body);

}  // namespace penstock::gateway
