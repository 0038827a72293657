// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/authenticator.h"
#include "gateway/load_meter.h"
#include "http/message.h"
#include "routing/endpoint_pool.h"

namespace penstock::gateway {

// GET /v1/models and /v1/models/{id}: the models that an engine is ready for, as OpenAI has them,
// and as Anthropic has them where the request names a version of Anthropic's API. Models that can
// be asked now: with a ready engine, or with a service that starts one. Sorted.
std::vector<std::string> models_to_ask(
    const routing::EndpointPool& endpoints, const LoadMeter& loads
);
Time created_at(
    const routing::EndpointPool& endpoints, const LoadMeter& loads, const std::string& model
);

class ModelList {
  public:
    ModelList(
        Authenticator& authenticator, const routing::EndpointPool& endpoints,
        const LoadMeter& loads, const Clock& clock
    )
        : authenticator_(authenticator), endpoints_(endpoints), loads_(loads), clock_(clock) {}

    io::Task<http::Response> list(http::Request request);
    // One model with the suppliers that answer for it, and what they have shown. Also as
    // …/endpoints, where OpenRouter's clients look for it.
    io::Task<http::Response> get(http::Request request);

  private:
    http::Response anthropic_page(const http::Request& request, std::vector<std::string> models)
        const;
    Authenticator& authenticator_;
    const routing::EndpointPool& endpoints_;
    const LoadMeter& loads_;
    const Clock& clock_;
};

}  // namespace penstock::gateway
