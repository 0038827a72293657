// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>

#include "base/money.h"
#include "http/message.h"
#include "routing/api_error.h"

namespace penstock::gateway {

// A value, or what the client is told.
template <class T>
using ApiResult = std::expected<T, routing::ApiError>;

// The error in OpenAI's shape, with Retry-After where it helps and a hint to OpenAI's clients not
// to repeat what cannot succeed.
http::Response error_response(const routing::ApiError& error);

// Adds "x-penstock-…: value"; a value that HTTP cannot carry is left out.
void add_penstock_header(http::Headers& headers, std::string_view name, std::string_view value);
void add_penstock_header(http::Response& response, std::string_view name, std::string_view value);

// Yuan, exact, at most 15 decimals, without trailing zeros: "0.0000126".
std::string exact_text(ExactMoney amount);

}  // namespace penstock::gateway
