// SPDX-License-Identifier: Apache-2.0
#include "gateway/api_answer.h"

#include <algorithm>

namespace penstock::gateway {

http::Response error_response(const routing::ApiError& error) {
    http::Response response = http::Response::json(error.status, to_json(error));
    if (error.retry_after) {
        const std::int64_t seconds =
            std::max<std::int64_t>(1, (to_ms(*error.retry_after) + 999) / 1000);
        response.headers.set("Retry-After", std::to_string(seconds));
    }
    if (error.status == 401) response.headers.set("WWW-Authenticate", "Bearer");
    for (const auto& [name, value] : error.headers) response.headers.set(name, value);
    if (error.final || error.code == "insufficient_quota")
        response.headers.set("x-should-retry", "false");
    return response;
}

void add_penstock_header(http::Headers& headers, std::string_view name, std::string_view value) {
    if (!value.empty() && http::valid_field_value(value))
        headers.add_prefixed("x-penstock-", name, value);
}

void add_penstock_header(http::Response& response, std::string_view name, std::string_view value) {
    add_penstock_header(response.headers, name, value);
}

std::string exact_text(ExactMoney amount) {
    constexpr int kPlaces = 15;
    __int128 rest = amount.femto();
    // From the last digit to the first.
    std::string reversed;
    for (int place = kPlaces; place > 0; --place, rest /= 10)
        if (!reversed.empty() || rest % 10 != 0)
            reversed += static_cast<char>('0' + static_cast<int>(rest % 10));
    if (!reversed.empty()) reversed += '.';
    do reversed += static_cast<char>('0' + static_cast<int>(rest % 10));
    while ((rest /= 10) > 0);
    std::ranges::reverse(reversed);
    return reversed;
}

}  // namespace penstock::gateway
