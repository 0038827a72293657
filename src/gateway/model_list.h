// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/authenticator.h"
#include "http/message.h"
#include "routing/endpoint_pool.h"

namespace penstock::gateway {

// GET /v1/models and /v1/models/{id}, as OpenAI has them: the models that an engine is ready for.
class ModelList {
  public:
    ModelList(Authenticator& authenticator, const routing::EndpointPool& endpoints)
        : authenticator_(authenticator), endpoints_(endpoints) {}

    io::Task<http::Response> list(http::Request request);
    io::Task<http::Response> get(http::Request request);

  private:
    Authenticator& authenticator_;
    const routing::EndpointPool& endpoints_;
};

}  // namespace penstock::gateway
