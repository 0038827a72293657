// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "gateway/authenticator.h"
#include "http/message.h"
#include "routing/endpoint_pool.h"

namespace penstock::gateway {

// GET /api/tags: the models that can be asked now, as Ollama's clients list them. Sizes and digests
// of the files are the providers' own and left out.
class OllamaModels {
  public:
    OllamaModels(Authenticator& authenticator, const routing::EndpointPool& endpoints)
        : authenticator_(authenticator), endpoints_(endpoints) {}
    io::Task<http::Response> list(http::Request request);

  private:
    Authenticator& authenticator_;
    const routing::EndpointPool& endpoints_;
};

}  // namespace penstock::gateway
