// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/authenticator.h"
#include "gateway/load_meter.h"
#include "http/message.h"
#include "routing/endpoint_pool.h"

namespace penstock::gateway {

// GET /v1/models and /v1/models/{id}, as OpenAI has them: the models that an engine is ready for.
// Models that can be asked now: with a ready engine, or with a service that starts one. Sorted.
std::vector<std::string> models_to_ask(
    const routing::EndpointPool& endpoints, const LoadMeter& loads
);
Time created_at(
    const routing::EndpointPool& endpoints, const LoadMeter& loads, const std::string& model
);

class ModelList {
  public:
    ModelList(
        Authenticator& authenticator, const routing::EndpointPool& endpoints, const LoadMeter& loads
    )
        : authenticator_(authenticator), endpoints_(endpoints), loads_(loads) {}

    io::Task<http::Response> list(http::Request request);
    io::Task<http::Response> get(http::Request request);

  private:
    Authenticator& authenticator_;
    const routing::EndpointPool& endpoints_;
    const LoadMeter& loads_;
};

}  // namespace penstock::gateway
