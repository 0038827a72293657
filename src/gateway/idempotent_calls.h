// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/id.h"
#include "dialects/canonical.h"
#include "gateway/api_answer.h"
#include "gateway/authenticator.h"
#include "gateway/call.h"
#include "gateway/gateway.h"
#include "gateway/idempotency_log.h"
#include "http/router.h"
#include "io/pool.h"
#include "telemetry/metrics.h"

namespace penstock::gateway {

// Stands before the handlers of calls: a request with an Idempotency-Key is made once. The same key
// and request again gets the same answer, at no charge; while the first one runs, or where its
// answer is not kept, 409; another request with the key, 422. The gateway's thread.
class IdempotentCalls {
  public:
    static constexpr std::size_t kKeyBytesMax = 255;

    struct Parts {
        CallParts& calls;
        Authenticator& authenticator;
        IdempotencyLog& log;
        IdSource& ids;
        io::Pool& pool;
        const GatewayOptions& options;
        telemetry::Registry& registry;
    };
    explicit IdempotentCalls(Parts parts);

    // `handler` outlives what comes back; requests without the header go straight to it.
    http::Handler before(dialects::Dialect dialect, http::Handler handler);
    // Once a second; what is over is forgotten, too.
    void refresh_gauges();

  private:
    struct Begun;
    io::Task<http::Response> serve(
        http::Request request, dialects::Dialect dialect, const http::Handler* handler
    );
    io::Task<ApiResult<Begun>> begin(http::Request* request);
    io::Task<ApiResult<http::Response>> replay(IdempotencyTable::Entry entry);
    void count(std::string_view outcome);

    Parts parts_;
    telemetry::Gauge& keys_;
    telemetry::Gauge& bytes_;
    telemetry::Counter& keys_evicted_;
    telemetry::Counter& answers_evicted_;
};

}  // namespace penstock::gateway
