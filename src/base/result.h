// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace penstock {

// The closed list of reasons for which an operation can fail. Callers decide on a retry from the
// code alone, never from the text. `kErrorCodes` maps each to HTTP status and CLI exit code.
enum class ErrorCode {
    invalid_argument,    // the request itself is wrong; repeating it unchanged cannot help
    unauthenticated,     // who the caller is could not be shown
    permission_denied,   // the caller is known and may not do this
    not_found,           // no such object, or none that the caller may see
    conflict,            // the object's state does not allow it; re-read, then decide
    insufficient_funds,  // a limit on money or quota would be passed
    resource_exhausted,  // a limit on size, rate, queue or capacity was reached
    deadline_exceeded,   // the caller's time ran out; the effect is unknown
    unavailable,         // try again later with the same request id
    internal,            // a defect of ours
};

// A failure told to a person: what went wrong, with which object, and what would help.
// `field` names the place in the caller's input ("resources.cpus"), empty when there is none.
struct Error {
    ErrorCode code = ErrorCode::internal;
    std::string message;
    std::string field = {};
    bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
    return std::unexpected(Error{code, std::move(message), {}});
}
[[nodiscard]] inline std::unexpected<Error> fail_field(
    ErrorCode code, std::string field, std::string message
) {
    return std::unexpected(Error{code, std::move(message), std::move(field)});
}

// How one code shows to the outside.
struct ErrorCodeInfo {
    ErrorCode code;
    std::string_view name;
    std::string_view title;
    int http_status;
    int exit_code;
};
const ErrorCodeInfo& info(ErrorCode code);
// The code for a name ("not_found") or an HTTP status; `internal` when nothing fits.
ErrorCode error_code_from_name(std::string_view name);
ErrorCode error_code_from_http_status(int status);

// "insufficient_funds: wallet has 0.00, task needs 1.20" (with "field: " in front of the message
// where there is one), for logs and golden tests.
std::string to_string(const Error& error);

namespace detail {
template <class T, class E>
T take(std::expected<T, E>& result) {
    if constexpr (!std::is_void_v<T>) return *std::move(result);
}
}  // namespace detail

}  // namespace penstock

// NOLINTBEGIN(bugprone-macro-parentheses): statement expressions, not values.
#define PENSTOCK_CONCAT_2(a, b) a##b
#define PENSTOCK_CONCAT(a, b) PENSTOCK_CONCAT_2(a, b)
#define PENSTOCK_TRY_WITH(ret, name, ...)                        \
    __extension__({                                              \
        auto name = (__VA_ARGS__);                               \
        if (!name) ret std::unexpected(std::move(name).error()); \
        ::penstock::detail::take(name);                          \
    })
// Unwraps a Result or returns its error from the enclosing function; CO_TRY does so in a coroutine.
#define TRY(...) PENSTOCK_TRY_WITH(return, PENSTOCK_CONCAT(try_result_, __COUNTER__), __VA_ARGS__)
#define CO_TRY(...) \
    PENSTOCK_TRY_WITH(co_return, PENSTOCK_CONCAT(try_result_, __COUNTER__), __VA_ARGS__)
// NOLINTEND(bugprone-macro-parentheses)
