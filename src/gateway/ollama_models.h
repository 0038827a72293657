// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/authenticator.h"
#include "gateway/load_meter.h"
#include "http/message.h"
#include "routing/endpoint_pool.h"

namespace penstock::gateway {

// GET /api/tags and POST /api/show: the models that can be asked now, as Ollama's clients look for
// them. What is in the files, and what a model can do, are the providers' own and left out.
class OllamaModels {
  public:
    OllamaModels(
        Authenticator& authenticator, const routing::EndpointPool& endpoints, const LoadMeter& loads
    )
        : authenticator_(authenticator), endpoints_(endpoints), loads_(loads) {}
    io::Task<http::Response> list(http::Request request);
    io::Task<http::Response> show(http::Request request);

  private:
    Authenticator& authenticator_;
    const routing::EndpointPool& endpoints_;
    const LoadMeter& loads_;
};

}  // namespace penstock::gateway
