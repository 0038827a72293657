// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <algorithm>
#include <array>

namespace penstock {
namespace {

// The one table from error code to the outside. Exit codes: see docs/reference/cli.md.
constexpr std::array kErrorCodes = {
    ErrorCodeInfo{ErrorCode::invalid_argument, "invalid_argument", "Invalid argument", 400, 2},
    ErrorCodeInfo{ErrorCode::unauthenticated, "unauthenticated", "Not authenticated", 401, 4},
    ErrorCodeInfo{ErrorCode::permission_denied, "permission_denied", "Permission denied", 403, 4},
    ErrorCodeInfo{ErrorCode::not_found, "not_found", "Not found", 404, 3},
    ErrorCodeInfo{ErrorCode::conflict, "conflict", "Conflict", 409, 7},
    ErrorCodeInfo{
        ErrorCode::insufficient_funds, "insufficient_funds", "Insufficient funds", 402, 5
    },
    ErrorCodeInfo{ErrorCode::resource_exhausted, "resource_exhausted", "Limit reached", 429, 6},
    ErrorCodeInfo{ErrorCode::deadline_exceeded, "deadline_exceeded", "Deadline exceeded", 504, 8},
    ErrorCodeInfo{ErrorCode::unavailable, "unavailable", "Unavailable", 503, 1},
    ErrorCodeInfo{ErrorCode::internal, "internal", "Internal error", 500, 1},
};

}  // namespace

const ErrorCodeInfo& info(ErrorCode code) { return kErrorCodes.at(static_cast<std::size_t>(code)); }

ErrorCode error_code_from_name(std::string_view name) {
    const auto* found = std::ranges::find(kErrorCodes, name, &ErrorCodeInfo::name);
    return found == kErrorCodes.end() ? ErrorCode::internal : found->code;
}

ErrorCode error_code_from_http_status(int status) {
    const auto* found = std::ranges::find(kErrorCodes, status, &ErrorCodeInfo::http_status);
    if (found != kErrorCodes.end()) return found->code;
    if (status == 412) return ErrorCode::conflict;
    if (status == 413 || status == 431) return ErrorCode::resource_exhausted;
    if (status == 408) return ErrorCode::deadline_exceeded;
    if (status == 502) return ErrorCode::unavailable;
    return status >= 400 && status < 500 ? ErrorCode::invalid_argument : ErrorCode::internal;
}

std::string to_string(const Error& error) {
    std::string text(info(error.code).name);
    text += ": ";
    if (!error.field.empty()) text += error.field + ": ";
    return text + error.message;
}

}  // namespace penstock
