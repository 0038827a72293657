// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace penstock::routing {

// An error as OpenAI's API tells it; its clients decide on a retry from the status and `type`.
struct ApiError {
    int status = 500;
    std::string message;
    std::string type;        // invalid_request_error, authentication_error, insufficient_quota …
    std::string param = {};  // the field of the request; empty: null
    std::string code = {};   // invalid_api_key, model_not_found …; empty: null
    std::optional<Duration> retry_after = {};
    bool final = false;  // repeating it soon cannot help: OpenAI's clients are told not to
    std::vector<std::pair<std::string, std::string>> headers = {};  // of the answer
    bool operator==(const ApiError&) const = default;
};
// {"error":{"message":…,"type":…,"param":…,"code":…}}
std::string to_json(const ApiError& error);

// The shape of an Error of ours: status and type from its code, `param` from its field.
ApiError api_error(const Error& error);
ApiError invalid_request(std::string message, std::string param = {}, std::string code = {});

}  // namespace penstock::routing
