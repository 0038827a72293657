// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "base/result.h"
#include "http/message.h"

namespace penstock::http {

// RFC 9457 application/problem+json: type, title, status, detail, instance, and ours: code,
// errors[], request_id. The status comes from the error code unless given.
Response problem_response(const Error& error, const Request& request, int status = 0);
// Several mistakes in one input: the first is the detail, all are in errors[].
Response problem_response(const std::vector<Error>& errors, const Request& request, int status = 0);

// The Error that an answer of ours (or of another server) tells, from its status and problem body.
Error error_from_response(int status, std::string_view body);

}  // namespace penstock::http
